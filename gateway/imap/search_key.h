#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/imap/parser.h"

namespace postern::imap {

// One condition of a SEARCH.  RFC 3501 6.4.4.
struct SearchKey {
  enum class Kind : std::uint8_t {
    all, none_of, any_of, all_of,              // NOT (children[0]), OR, a list
    sequence, uid,                             // set
    flag, keyword, recent, is_new,             // flag: bit in `number`; NOT for UN...
    before, on, since,                         // `number`: day of INTERNALDATE
    larger, smaller,
    sent_before, sent_on, sent_since,          // `number`: day of the Date field
    envelope,                                  // `number`: mail::EnvelopeView::Field, `text`
    header, body, text                         // `field`, `text`
  };
  Kind kind = Kind::all;
  std::uint64_t number = 0;
  std::int64_t day = 0;
  std::string field;
  std::string text;                            // UTF-8 in search form
  SequenceSet set;
  std::vector<SearchKey> children;

  // What a message must have ready for it: 0 the index, 1 its row, 2 its header, 3 its texts.
  int cost() const;
};

constexpr std::size_t kMaxSearchKeys = 1000;
constexpr std::size_t kMaxTextKeys = 20;     // BODY and TEXT: each goes through all of a message
constexpr int kMaxSearchDepth = 30;

struct SearchProgram {
  SearchKey key;               // cheap conditions stand first
  bool bad_charset = false;    // NO [BADCHARSET]
};

// The keys up to the end of the command, CHARSET included.
Result<SearchProgram> parse_search(Parser& parser);

// Days since 1970-01-01 of a Date field, its zone disregarded (RFC 3501 6.4.4); nothing when there is no date in it.
std::optional<std::int64_t> header_day(std::string_view date_field);

}  // namespace postern::imap
