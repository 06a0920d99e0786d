// The only file that includes toml++: it is heavy, and nobody else needs more than values and lines.
#include "gateway/config/document.h"

#include <algorithm>
#include <stdexcept>
#include <tuple>

namespace postern::config {
// The library asserts where some malformed texts, such as "[ = ]", get it; and without assertions it
// would go on with them.  An administrator's slip must not abort the server.
struct Bewildered : std::runtime_error {
  Bewildered() : std::runtime_error("cannot be read") {}
};
}  // namespace postern::config

#undef NDEBUG   // with it the library takes its assertions for promises to the optimiser
#define TOML_ASSERT(expression) static_cast<void>((expression) ? 0 : throw ::postern::config::Bewildered())
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace postern::config {
namespace {

int line_of(const toml::source_region& region) { return static_cast<int>(region.begin.line); }

// Depth is bounded by the library (TOML_MAX_NESTED_VALUES).
Value converted(const toml::node& node) {
  Value out;
  out.line = line_of(node.source());
  if (const auto* text = node.as_string()) {
    out.kind = Value::Kind::text;
    out.text = text->get();
  } else if (const auto* number = node.as_integer()) {
    out.kind = Value::Kind::number;
    out.number = number->get();
  } else if (const auto* boolean = node.as_boolean()) {
    out.kind = Value::Kind::boolean;
    out.boolean = boolean->get();
  } else if (const auto* list = node.as_array()) {
    out.kind = Value::Kind::list;
    for (const auto& item : *list) out.list.push_back(converted(item));
  } else if (const auto* table = node.as_table()) {
    out.kind = Value::Kind::table;
    for (const auto& [key, value] : *table) {
      Member member;
      member.key = std::string(key.str());
      member.line = line_of(key.source());
      member.value = converted(value);
      if (member.value.line == 0) member.value.line = member.line;
      out.members.push_back(std::move(member));
    }
    // The library sorts by name; people read from top to bottom.
    std::sort(out.members.begin(), out.members.end(),
              [](const Member& a, const Member& b) { return std::tie(a.line, a.key) < std::tie(b.line, b.key); });
  } else {
    out.kind = Value::Kind::other;
  }
  return out;
}

bool bewilders(std::string_view text) {
  try {
    static_cast<void>(toml::parse(text));
  } catch (const toml::parse_error&) {
    return false;
  } catch (const Bewildered&) {
    return true;
  }
  return false;
}

// The first line that makes a text bewildering: the parser goes from top to bottom, so whatever ends
// behind that line does too.
int bewildering_line(std::string_view text) {
  std::vector<std::size_t> ends;   // of the lines
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') ends.push_back(i + 1);
  }
  ends.push_back(text.size());
  auto first = std::partition_point(ends.begin(), ends.end(), [&](std::size_t end) { return !bewilders(text.substr(0, end)); });
  return static_cast<int>(first - ends.begin()) + (first == ends.end() ? 0 : 1);
}

// Where the string that begins at `at` ends, or the end of the text when it is not closed rightly: the
// parser stops there with a mistake of its own.
std::size_t string_end(std::string_view text, std::size_t at) {
  char quote = text[at];
  std::string fence(3, quote);
  bool long_form = text.substr(at, 3) == fence;
  for (std::size_t i = at + (long_form ? 3 : 1); i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (long_form && text.substr(i, 3) == fence) {
      i += 3;
      while (i < text.size() && text[i] == quote) ++i;   // up to two quotes may stand before the fence
      return i;
    } else if (!long_form && text[i] == quote) {
      return i + 1;
    } else if (!long_form && text[i] == '\n') {
      return text.size();
    }
  }
  return text.size();
}

// The line of the first octet above 127 outside of strings and comments, or 0.  TOML allows none there,
// and the library's tables of letters have holes at which it goes on with anything.
int stray_letter_line(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    char c = text[i];
    if (c == '"' || c == '\'') {
      i = string_end(text, i);
    } else if (c == '#') {
      i = std::min(text.find('\n', i), text.size());
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      bool mark = i == 0 && text.starts_with("\xef\xbb\xbf");
      if (!mark) return 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(i), '\n'));
      i += 3;
    } else {
      ++i;
    }
  }
  return 0;
}

}  // namespace

std::string_view Value::kind_name() const {
  switch (kind) {
    case Kind::text: return "a string";
    case Kind::number: return "a number";
    case Kind::boolean: return "true or false";
    case Kind::list: return "a list";
    case Kind::table: return "a [section]";
    case Kind::other: break;
  }
  return "a date or a fraction";
}

Document parse_toml(std::string_view text) {
  Document out;
  out.line = stray_letter_line(text);
  if (out.line != 0) {
    out.mistake = "a letter with an accent or another script stands outside of quotes; write \"...\" around the name";
    return out;
  }
  try {
    auto table = toml::parse(text);
    out.root = converted(table);
  } catch (const toml::parse_error& error) {
    out.mistake = std::string(error.description());
    out.line = line_of(error.source());
  } catch (const Bewildered&) {
    out.mistake = "this line cannot be read; is a name or a bracket missing?";
    out.line = bewildering_line(text);
  }
  return out;
}

}  // namespace postern::config
