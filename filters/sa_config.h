#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// SpamAssassin's configuration as text: lines, conditions and what each says about a rule (Mail::SpamAssassin::Conf(3)).
// Pure; nothing is translated here.
namespace postern::filters::sa {

constexpr std::size_t kMaxRules = 20'000;
constexpr std::size_t kMaxLine = 64 * 1024;
constexpr std::size_t kMaxNested = 32;       // if in if

struct File {
  std::string name;
  std::string text;
};

// What is not in the result, and why.
struct Left {
  std::string at;      // "20_drugs.cf:17"
  std::string what;    // the rule or the setting
  std::string why;     // a clause
};

struct Rule {
  enum class Kind { none, header, body, rawbody, uri, full, mimeheader, meta };
  std::string name;
  Kind kind = Kind::none;        // none: only scored or described
  std::string at;                // of the definition in force, which is the last one
  std::string definition;        // what stands behind the name
  std::string describe;
  std::optional<std::vector<double>> scores;   // one or four
  bool multiple = false;
  std::size_t max_hits = 0;      // 0: no limit
  bool no_subject = false;
  bool nice = false;
  bool net = false;
  bool replace = false;          // named by replace_rules

  bool is_part() const { return name.starts_with("__"); }   // never scored, only for metas
  // The points: `set` is 0 to 3 of four scores (local; network; Bayes; both).  Unscored rules have 1, -1 when
  // nice, 0.01 when their name begins with T_.
  double points(std::size_t set) const;
};

struct Config {
  std::map<std::string, Rule, std::less<>> rules;
  std::vector<std::string> order;                       // names as they first came
  std::map<std::string, std::string, std::less<>> tags, pre, inter, post;   // ReplaceTags
  std::string replace_start = "<", replace_end = ">";
  std::vector<Left> left;
  std::size_t settings = 0;      // lines that are no rules: whitelists, reports, plugins' own
};

// Reads files in their order, which is by name as SpamAssassin does it.  Any octets; cost grows with their number.
Config read_config(const std::vector<File>& files);

// Whether rules of this plugin are read: those of plugins that SpamAssassin loads unless told otherwise.
bool has_plugin(std::string_view name);
// The truth of what stands behind "if"; nullopt: it is not understood.
std::optional<bool> condition(std::string_view text);

}  // namespace postern::filters::sa
