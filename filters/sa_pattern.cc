// Perl's notation of patterns in SpamAssassin rules, and tags in them.
#include "filters/sa_pattern.h"

#include <algorithm>
#include <vector>

#include "filters/regex.h"
#include "gateway/base/text.h"

namespace postern::filters::sa {
namespace {

constexpr std::size_t kMaxReplaced = 16'384;
constexpr int kMaxPasses = 6;

char closing(char open) {
  switch (open) {
    case '{': return '}';
    case '(': return ')';
    case '[': return ']';
    case '<': return '>';
    default: return open;
  }
}

// Letters that Perl takes for themselves behind a backslash and PCRE2 refuses.
bool is_plain_letter(char c) { return std::string_view("ijmyqIJMTYO_").find(c) != std::string_view::npos; }

// Octets above 127 as \xNN, escapes of plain letters as the letters.
std::string portable(std::string_view pattern) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    auto octet = static_cast<unsigned char>(pattern[i]);
    if (octet >= 0x80 || octet < 0x20 || octet == 0x7f) {
      out += {'\\', 'x', kHex[octet >> 4], kHex[octet & 15]};
    } else if (octet == '\\' && i + 1 < pattern.size()) {
      char next = pattern[i + 1];
      if (is_plain_letter(next)) {
        out += next;
        ++i;
      } else if (static_cast<unsigned char>(next) >= 0x80) {
        continue;
      } else {
        out += {'\\', next};
        ++i;
      }
    } else {
      out += pattern[i];
    }
  }
  return out;
}

std::string_view tag_value(const std::map<std::string, std::string, std::less<>>& tags, std::string_view name) {
  auto found = tags.find(name);
  return found == tags.end() ? std::string_view() : std::string_view(found->second);
}

// Takes "<pre X>" out and gives its phrase.
std::string take_modifier(std::string& pattern, const Config& config, std::string_view word, const std::map<std::string, std::string, std::less<>>& phrases) {
  std::string begin = config.replace_start + std::string(word) + " ";
  auto at = pattern.find(begin);
  auto end = at == std::string::npos ? at : pattern.find(config.replace_end, at + begin.size());
  if (end == std::string::npos) return "";
  std::string phrase(tag_value(phrases, std::string_view(pattern).substr(at + begin.size(), end - at - begin.size())));
  pattern.erase(at, end + config.replace_end.size() - at);
  return phrase;
}

// The name in the tag that begins at `at`, or "".
std::string_view tag_at(std::string_view pattern, std::size_t at, const Config& config) {
  if (!pattern.substr(at).starts_with(config.replace_start)) return {};
  std::size_t begin = at + config.replace_start.size();
  auto end = pattern.find(config.replace_end, begin);
  if (end == std::string_view::npos || end - begin > 40) return {};
  std::string_view name = pattern.substr(begin, end - begin);
  return config.tags.find(name) != config.tags.end() ? name : std::string_view();
}

}  // namespace

std::string replace_tags(std::string pattern, const Config& config) {
  if (config.replace_start.empty() || config.replace_end.empty()) return pattern;
  for (int pass = 0; pass < kMaxPasses; ++pass) {
    std::string pre = take_modifier(pattern, config, "pre", config.pre);
    std::string post = take_modifier(pattern, config, "post", config.post);
    std::string inter = take_modifier(pattern, config, "inter", config.inter);
    std::string out;
    bool again = false, behind_tag = false, any = false;
    for (std::size_t at = 0; at < pattern.size();) {
      std::string_view name = tag_at(pattern, at, config);
      if (name.empty()) {
        out += pattern[at++];
        behind_tag = false;
        continue;
      }
      std::string_view value = tag_value(config.tags, name);
      if (behind_tag) out += inter;
      (out += pre) += value;
      out += post;
      any = behind_tag = true;
      again = again || value.find(config.replace_start) != std::string_view::npos;
      at += config.replace_start.size() + name.size() + config.replace_end.size();
      if (out.size() > kMaxReplaced) return pattern;
    }
    if (!any) return pattern;
    pattern = std::move(out);
    if (!again) break;
  }
  return pattern;
}

Result<Pattern> read_pattern(std::string_view text, const Config& config, bool replace) {
  text = trimmed(text);
  if (text.size() > 1 && text[0] == 'm' && !is_alpha(text[1]) && !is_digit(text[1])) text.remove_prefix(1);
  else if (text.starts_with("qr") && text.size() > 2) text.remove_prefix(2);
  if (text.size() < 2 || is_alpha(text[0]) || is_digit(text[0]) || text[0] == '\\') return Error("it is no pattern between slashes");
  char close = closing(text[0]);
  auto end = text.rfind(close);
  if (end == 0 || end == std::string_view::npos) return Error("its pattern does not end");
  Pattern out;
  std::string options;
  for (char c : text.substr(end + 1)) {
    if (std::string_view("imsx").find(c) != std::string_view::npos) {
      if (out.flags.find(c) == std::string::npos) out.flags += c;
    } else if (c == 'n') {
      options = "(?n)";
    } else if (std::string_view("goaulp").find(c) == std::string_view::npos) {
      return Error("the modifier \"" + printable(std::string_view(&c, 1)) + "\" is not known");
    }
  }
  out.flags += 'b';
  std::string pattern(text.substr(1, end - 1));
  if (replace) pattern = replace_tags(std::move(pattern), config);
  if (pattern.find("%{") != std::string::npos) return Error("it uses text that another rule captured");
  out.text = options + portable(pattern);
  auto made = Regex::compile(out.text, out.flags);
  if (!made) return Error(made.error().text);
  if ((*made)->search("", 0, nullptr) == Regex::Outcome::match && out.text.empty()) return Error("its pattern is empty");
  return out;
}

namespace {

// The first text that comes to mind: the first alternative, the fewest repeats, the first letter of a class.
class Sampler {
 public:
  explicit Sampler(std::string_view pattern) : pattern_(pattern) {}
  std::string text() { return alternatives(0); }

 private:
  bool more() const { return at_ < pattern_.size(); }
  std::string alternatives(int depth) {
    std::string first;
    bool taken = false;
    while (more() && depth < 20) {
      std::string one = sequence(depth);
      if (!taken) first = std::move(one);
      taken = true;
      if (!more() || pattern_[at_] != '|') break;
      ++at_;
    }
    return first;
  }
  std::string sequence(int depth) {
    std::string out;
    while (more() && pattern_[at_] != '|' && pattern_[at_] != ')' && out.size() < 200) {
      std::string atom = one(depth);
      std::size_t times = fewest();
      for (std::size_t i = 0; i < times; ++i) out += atom;
    }
    return out;
  }
  std::size_t fewest() {
    if (!more()) return 1;
    char c = pattern_[at_];
    std::size_t times = 1;
    if (c == '?' || c == '*') {
      times = 0;
      ++at_;
    } else if (c == '+') {
      ++at_;
    } else if (c == '{' && at_ + 1 < pattern_.size() && is_digit(pattern_[at_ + 1])) {
      times = 0;
      for (++at_; more() && is_digit(pattern_[at_]); ++at_) times = std::min<std::size_t>(60, times * 10 + static_cast<std::size_t>(pattern_[at_] - '0'));
      at_ = std::min(pattern_.size(), pattern_.find('}', at_));
      if (more()) ++at_;
    } else {
      return 1;
    }
    if (more() && (pattern_[at_] == '?' || pattern_[at_] == '+')) ++at_;
    return times;
  }
  std::string group(int depth) {
    bool silent = false;
    if (more() && pattern_[at_] == '?') {
      std::string_view rest = pattern_.substr(at_);
      silent = rest.starts_with("?=") || rest.starts_with("?!") || rest.starts_with("?<");
      auto end = rest.find_first_of(rest.starts_with("?<") && !rest.starts_with("?<=") && !rest.starts_with("?<!") ? ">" : ":=!>)");
      at_ += std::min(rest.size(), end);
      if (more() && pattern_[at_] != ')') ++at_;
    }
    std::string out = alternatives(depth + 1);
    if (more()) ++at_;     // ")"
    return silent ? "" : out;
  }
  std::string one(int depth) {
    char c = pattern_[at_++];
    if (c == '(') return group(depth);
    if (c == '[') return set();
    if (c == '.') return "a";
    if (c == '^' || c == '$') return "";
    if (c != '\\' || !more()) return std::string(1, c);
    c = pattern_[at_++];
    switch (c) {
      case 's': return " ";
      case 'd': return "7";
      case 'w': case 'S': case 'D': return "a";
      case 'W': return "-";
      case 'b': case 'B': case 'A': case 'z': case 'Z': return "";
      default: return is_alpha(c) || is_digit(c) ? "" : std::string(1, c);
    }
  }
  std::string set() {
    bool negated = more() && pattern_[at_] == '^';
    if (negated) ++at_;
    std::string first;
    for (bool begin = true; more() && (pattern_[at_] != ']' || begin); begin = false) {
      if (pattern_[at_] == '\\' && at_ + 1 < pattern_.size()) {
        std::string one = this->one(0);
        if (first.empty()) first = one;
        continue;
      }
      if (first.empty()) first = std::string(1, pattern_[at_]);
      ++at_;
    }
    if (more()) ++at_;
    return negated ? "q" : first;
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
};

}  // namespace

std::string sample_of(const Pattern& pattern) {
  std::string text = Sampler(pattern.text).text();
  bool plain = !text.empty() && text.size() <= 120 && std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  auto made = plain ? Regex::compile(pattern.text, pattern.flags) : Result<std::shared_ptr<const Regex>>(Error(""));
  return made && (*made)->search(text, 0, nullptr) == Regex::Outcome::match ? text : "";
}

}  // namespace postern::filters::sa
