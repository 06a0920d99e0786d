// RFC 7208 7: syntax of macro strings and their expansion.
#include "filters/spf_macro.h"

#include <algorithm>

#include "gateway/base/text.h"

namespace postern::filters {
namespace {

constexpr std::string_view kDelimiters = ".-+,/_=";

struct Macro {
  char letter = 0;                // in lower case
  bool escaped = false;           // written in upper case: URL escaping
  std::size_t parts = 0;          // 0: all
  bool reversed = false;
  std::string_view delimiters;    // empty: "."
};

// Reads "{ir+}" and the like behind a '%'; moves `text` behind it.  False: not a macro.
bool take_macro(std::string_view& text, Macro& macro) {
  auto close = text.find('}');
  if (!text.starts_with('{') || close == std::string_view::npos || close < 2) return false;
  auto body = text.substr(1, close - 1);
  text.remove_prefix(close + 1);
  macro.letter = ascii_lower(body.front());
  macro.escaped = body.front() != macro.letter;
  if (std::string_view("slodiphcrtv").find(macro.letter) == std::string_view::npos) return false;
  body.remove_prefix(1);
  bool has_digits = !body.empty() && is_digit(body.front());
  while (!body.empty() && is_digit(body.front())) {
    macro.parts = std::min<std::size_t>(macro.parts * 10 + static_cast<std::size_t>(body.front() - '0'), 1000);
    body.remove_prefix(1);
  }
  if (has_digits && macro.parts == 0) return false;  // 7.3: zero is a syntax error
  if (!body.empty() && ascii_lower(body.front()) == 'r') {
    macro.reversed = true;
    body.remove_prefix(1);
  }
  macro.delimiters = body;
  return body.find_first_not_of(kDelimiters) == std::string_view::npos;
}

bool only_in_explanations(char letter) { return letter == 'c' || letter == 'r' || letter == 't'; }

// Where the last macro or escape of a valid string ends; 0 if there is none.
std::size_t end_of_last_macro(std::string_view text) {
  std::size_t end = 0;
  for (std::size_t at = 0; (at = text.find('%', at)) != std::string_view::npos;) {
    at = text.substr(at + 1).starts_with('{') ? text.find('}', at) + 1 : at + 2;
    end = at;
  }
  return end;
}

// toplabel = ( *alphanum ALPHA *alphanum ) / ( 1*alphanum "-" *( alphanum / "-" ) alphanum )
bool is_toplabel(std::string_view label) {
  auto alphanum = [](char c) { return is_alpha(c) || is_digit(c); };
  if (label.empty() || !alphanum(label.front()) || !alphanum(label.back())) return false;
  bool fits = std::all_of(label.begin(), label.end(), [&](char c) { return alphanum(c) || c == '-'; });
  bool numeric = std::all_of(label.begin(), label.end(), [](char c) { return is_digit(c); });
  return fits && !numeric;
}

// 7.3: the dotted quad, or the 32 nibbles; in upper case, as the examples have it.
std::string dotted(const IpAddress& ip) {
  if (ip.is_v4()) return ip.to_string();
  std::string out;
  for (char nibble : ascii_uppered(hex(ip.octets()))) {
    if (!out.empty()) out += '.';
    out += nibble;
  }
  return out;
}

bool is_at_or_below(std::string_view name, std::string_view domain) {
  if (iequals(name, domain)) return true;
  return name.size() > domain.size() && name[name.size() - domain.size() - 1] == '.' && iends_with(name, domain);
}

// 7.3 "p": the domain itself, else a name below it, else any.
std::string validated_name(const MacroValues& values) {
  const auto& names = values.validated;
  if (names.empty()) return "unknown";
  auto same = std::find_if(names.begin(), names.end(), [&](const auto& n) { return iequals(n, values.domain); });
  if (same != names.end()) return *same;
  auto below = std::find_if(names.begin(), names.end(), [&](const auto& n) { return is_at_or_below(n, values.domain); });
  return below != names.end() ? *below : names.front();
}

std::string value_of(char letter, const MacroValues& values) {
  switch (letter) {
    case 's': return values.local + '@' + values.sender_domain;
    case 'l': return values.local;
    case 'o': return values.sender_domain;
    case 'd': return values.domain;
    case 'i': return dotted(values.ip);
    case 'p': return validated_name(values);
    case 'h': return values.helo;
    case 'c': return values.ip.to_string();
    case 'r': return values.receiver.empty() ? "unknown" : values.receiver;
    case 't': return std::to_string(values.now);
    case 'v': return values.ip.is_v4() ? "in-addr" : "ip6";
    default: return {};
  }
}

std::string transformed(const std::string& value, const Macro& macro) {
  if (macro.parts == 0 && !macro.reversed && macro.delimiters.empty()) return value;
  std::string_view delimiters = macro.delimiters.empty() ? std::string_view(".") : macro.delimiters;
  std::vector<std::string> parts(1);
  for (char c : value) {
    if (delimiters.find(c) != std::string_view::npos) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  if (macro.reversed) std::reverse(parts.begin(), parts.end());
  if (macro.parts != 0 && macro.parts < parts.size()) parts.erase(parts.begin(), parts.end() - static_cast<std::ptrdiff_t>(macro.parts));
  return join(parts, ".");
}

std::string url_escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (is_alpha(c) || is_digit(c) || std::string_view("-._~").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%' + ascii_uppered(hex(std::string_view(&c, 1)));
    }
  }
  return out;
}

}  // namespace

bool is_macro_string(std::string_view text, MacroPlace place) {
  while (!text.empty()) {
    char c = text.front();
    text.remove_prefix(1);
    if (c != '%') {
      if ((c < 0x21 || c > 0x7e) && !(c == ' ' && place == MacroPlace::explanation)) return false;
      continue;
    }
    if (text.empty()) return false;
    if (text.front() == '%' || text.front() == '_' || text.front() == '-') {
      text.remove_prefix(1);
      continue;
    }
    Macro macro;
    if (!take_macro(text, macro)) return false;
    if (place == MacroPlace::record && only_in_explanations(macro.letter)) return false;
  }
  return true;
}

bool is_domain_spec(std::string_view text) {
  if (text.empty() || !is_macro_string(text, MacroPlace::record)) return false;
  auto tail = text.substr(end_of_last_macro(text));
  if (tail.empty()) return true;
  if (tail.ends_with('.')) tail.remove_suffix(1);
  auto dot = tail.rfind('.');
  // Without a dot behind the last macro the end is no ".toplabel".
  return dot != std::string_view::npos && is_toplabel(tail.substr(dot + 1));
}

bool uses_validated_name(std::string_view text) { return ifind(text, "%{p") != std::string_view::npos; }

std::string expand_macros(std::string_view text, const MacroValues& values) {
  std::string out;
  while (!text.empty()) {
    char c = text.front();
    text.remove_prefix(1);
    if (c != '%' || text.empty()) {
      out += c;
      continue;
    }
    Macro macro;
    if (text.front() == '{' && take_macro(text, macro)) {
      auto value = transformed(value_of(macro.letter, values), macro);
      out += macro.escaped ? url_escaped(value) : value;
      continue;
    }
    if (text.front() == '_') {
      out += ' ';
    } else if (text.front() == '-') {
      out += "%20";
    } else {
      out += '%';
    }
    text.remove_prefix(1);
  }
  return out;
}

std::string expand_domain(std::string_view text, const MacroValues& values) {
  auto out = ascii_lowered(expand_macros(text, values));
  if (out.ends_with('.')) out.pop_back();
  while (out.size() > 253) {
    auto dot = out.find('.');
    if (dot == std::string::npos) break;
    out.erase(0, dot + 1);
  }
  return out;
}

}  // namespace postern::filters
