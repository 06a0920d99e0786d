// What the text of a pattern tells before any library is asked.
#include "filters/regex_shape.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "gateway/base/text.h"

namespace postern::filters {
namespace {

// Beyond so many positions compiling takes a second and a pass more time than PCRE2: what is that large is mostly a
// chain of classes without a letter that must be there.
constexpr std::size_t kMaxWrittenOut = 400;

bool has_flag(const Regex& regex, char flag) { return regex.flags().find(flag) != std::string::npos; }

// Letters between "(?" and ":" or ")" that both do not read alike: only i, m, s and a single x are.
bool strange_option(std::string_view pattern, std::size_t at) {
  int extended = 0;
  for (; at < pattern.size(); ++at) {
    char c = pattern[at];
    if (c == 'x' && ++extended > 1) return true;
    if (c == ')' || c == ':') return false;
    if (std::string_view("imsx-").find(c) == std::string_view::npos) return true;
  }
  return true;
}

// Case pairs were added to Unicode from here on after the library's tables were made.
bool young_case(std::string_view pattern) {
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    auto octet = static_cast<unsigned char>(pattern[at]);
    if (octet >= 0xf0 || (octet >= 0xe2 && octet <= 0xef)) return true;                                             // U+2000 and above
    if (octet == 0xe0 || (octet == 0xe1 && at + 1 < pattern.size() && static_cast<unsigned char>(pattern[at + 1]) < 0xb8)) return true;   // U+0800 to U+1DFF
    if ((octet >= 0xd4 && octet <= 0xdf) || octet == 0xc9 || octet == 0xca) return true;                            // U+0500 to U+07FF, U+0240 to U+02BF
  }
  return pattern.find("\\x{") != std::string_view::npos || pattern.find("\\o{") != std::string_view::npos;
}

// Where the braces of \x{...} and its like at `at`, the letter, end; `at` when there are none.
std::size_t behind_braces(std::string_view pattern, std::size_t at) {
  if (at + 1 >= pattern.size() || pattern[at + 1] != '{' || std::string_view("xopPgkN").find(pattern[at]) == std::string_view::npos) return at;
  return std::min(pattern.size() - 1, pattern.find('}', at));
}

// The last octet of the class that begins at `at`.
std::size_t end_of_class(std::string_view pattern, std::size_t at) {
  std::size_t i = at + 1;
  if (i < pattern.size() && pattern[i] == '^') ++i;
  if (i < pattern.size() && pattern[i] == ']') ++i;
  for (; i < pattern.size() && pattern[i] != ']'; ++i) {
    if (pattern[i] == '\\') {
      ++i;
    } else if (pattern.substr(i, 2) == "[:") {
      i = std::min(pattern.size(), pattern.find(":]", i + 2)) + 1;
    }
  }
  return i;
}

struct Repeat {
  std::size_t least = 0, most = 0;   // most: least for {n} and {n,}
  bool endless = false;
  std::size_t end = 0;               // of the brace that closes it
};
// A counted repeat at the brace `at`.
std::optional<Repeat> repeat_at(std::string_view pattern, std::size_t at) {
  auto end = pattern.find('}', at);
  auto inside = end == std::string_view::npos ? std::string_view() : pattern.substr(at + 1, end - at - 1);
  if (inside.empty() || !is_digit(inside[0]) || inside.find_first_not_of("0123456789,") != std::string_view::npos) return std::nullopt;
  auto value = [](std::string_view digits) {
    std::size_t out = 0;
    for (char c : digits) out = std::min<std::size_t>(1'000'000, out * 10 + static_cast<std::size_t>(c - '0'));
    return out;
  };
  auto comma = inside.find(',');
  if (comma != inside.rfind(',')) return std::nullopt;
  Repeat out;
  out.least = out.most = value(inside.substr(0, comma));
  if (comma != std::string_view::npos) {
    out.endless = comma + 1 == inside.size();
    if (!out.endless) out.most = value(inside.substr(comma + 1));
  }
  out.end = end;
  return out;
}

}  // namespace

std::string widened(std::string_view pattern) {
  constexpr std::size_t kMany = 8;
  if (pattern.find("\\Q") != std::string_view::npos) return std::string(pattern);
  std::string out;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    std::size_t end = at;
    if (pattern[at] == '\\' && at + 1 < pattern.size()) {
      end = behind_braces(pattern, at + 1);
    } else if (pattern[at] == '[') {
      end = std::min(pattern.size() - 1, end_of_class(pattern, at));
    } else if (pattern[at] == '{') {
      auto repeat = repeat_at(pattern, at);
      if (repeat && std::max(repeat->least, repeat->most) >= kMany) {
        out += "{" + std::to_string(std::min(repeat->least, kMany)) + ",}";
        at = repeat->end;
        continue;
      }
    }
    out += pattern.substr(at, end - at + 1);
    at = end;
  }
  return out;
}

std::string alone_because(const Regex& regex) {
  std::string_view pattern = regex.pattern();
  if (pattern.find('\0') != std::string_view::npos) return "it holds an octet 0";
  if (pattern.find("(*") != std::string_view::npos) return "(*...) is PCRE2's own";
  if (pattern.find("[[:<:]]") != std::string_view::npos || pattern.find("[[:>:]]") != std::string_view::npos) return "[[:<:]] is PCRE2's own";
  bool caseless = has_flag(regex, 'i');
  for (std::size_t at = 0; at + 1 < pattern.size(); ++at) {
    if (pattern[at] == '\\') {
      char c = pattern[++at];
      if (c == 'p' || c == 'P' || c == 'X') return std::string("the tables behind \\") + c + " are of different versions of Unicode";
      continue;
    }
    if (pattern[at] != '(' || pattern[at + 1] != '?' || at + 2 >= pattern.size()) continue;
    char c = pattern[at + 2];
    if (c == 'i') caseless = true;
    bool options = is_alpha(c) && c != 'P' && c != 'R';
    if (c == '-') options = at + 3 < pattern.size() && !is_digit(pattern[at + 3]);
    if (options && strange_option(pattern, at + 2)) return "its options are PCRE2's own";
    if (options) caseless = caseless || pattern.substr(at + 2, pattern.find_first_of(":)", at + 2) - at - 2).find('i') != std::string_view::npos;
  }
  if (caseless && !has_flag(regex, 'b') && young_case(pattern)) return "upper and lower case of its letters are of different versions of Unicode";
  if (std::size_t size = written_out(widened(pattern)); size > kMaxWrittenOut) {
    return "its repeats come to " + std::to_string(size) + " positions, " + std::to_string(kMaxWrittenOut) + " are taken";
  }
  return "";
}

std::size_t written_out(std::string_view pattern) {
  constexpr std::size_t kMost = 1'000'000;
  struct Group { std::size_t size = 0, last = 0; };
  std::vector<Group> open(1);
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    char c = pattern[at];
    if (c == '(') {
      open.emplace_back();
      continue;
    }
    if (c == ')' && open.size() > 1) {
      std::size_t size = open.back().size + open.back().last;
      open.pop_back();
      open.back().size = std::min(kMost, open.back().size + open.back().last);
      open.back().last = std::max<std::size_t>(1, size);
      continue;
    }
    Group& group = open.back();
    if (c == '{') {
      if (auto repeat = repeat_at(pattern, at)) {
        group.last = std::min(kMost, group.last * std::max<std::size_t>({1, repeat->least, repeat->most}));
        at = repeat->end;
        continue;
      }
    }
    group.size = std::min(kMost, group.size + group.last);
    group.last = 1;
    if (c == '\\') {
      at = behind_braces(pattern, at + 1);
    } else if (c == '[') {
      at = end_of_class(pattern, at);
    }
  }
  std::size_t size = 0;
  for (const Group& group : open) size = std::min(kMost, size + group.size + group.last);
  return size;
}

}  // namespace postern::filters
