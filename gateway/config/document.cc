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
