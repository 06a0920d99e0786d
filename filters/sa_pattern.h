#pragma once

#include <string>
#include <string_view>

#include "filters/sa_config.h"
#include "gateway/base/result.h"

// Patterns of SpamAssassin rules: Perl's notation, taken apart and made one of ours.
namespace postern::filters::sa {

struct Pattern {
  std::string text;
  std::string flags;       // of re(): always b, for SpamAssassin's patterns match octets
};

// From "/pattern/i" or "m{pattern}i".  `config` and `replace`: for tags like <A> in rules that replace_rules names.
// The result compiles; an error is a clause that says why not.
//
// Perl's modifiers g, o, a, u, l and p change nothing here and are dropped.  Octets above 127 are written \xNN.
Result<Pattern> read_pattern(std::string_view text, const Config& config, bool replace);

// The pattern where tags are replaced (ReplaceTags(3)): <pre X>, <inter X> and <post X> once, then each <X>.  Grows to
// at most 16 KiB; what is longer stays as it is.
std::string replace_tags(std::string pattern, const Config& config);

// A short text that the pattern matches, for a test, or "" when none is found that easily.
std::string sample_of(const Pattern& pattern);

}  // namespace postern::filters::sa
