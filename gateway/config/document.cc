// The only file that includes toml++: it is heavy, and nobody else needs more than values and lines.
#include "gateway/config/document.h"

#include <algorithm>
#include <tuple>

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
  }
  return out;
}

}  // namespace postern::config
