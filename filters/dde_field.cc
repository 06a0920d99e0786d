// Dynamic data exchange: fields and formulas that make Office start a program.
#include "filters/dde_field.h"

#include <algorithm>

#include "gateway/base/text.h"

namespace postern::filters {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kShown = 120;
constexpr std::size_t kMaxLines = 100'000;

bool is_word(char c) { return is_alpha(c) || is_digit(c) || c == '_' || c == '.' || c == '-'; }

// APPLICATION|TOPIC!ITEM with a quote before the "!": no sum is written so.
bool has_link(std::string_view cell) {
  for (auto bar = cell.find('|'); bar != std::string_view::npos; bar = cell.find('|', bar + 1)) {
    std::size_t begin = bar;
    while (begin > 0 && is_word(cell[begin - 1])) --begin;
    bool named = begin < bar || (begin > 0 && (cell[begin - 1] == '\'' || cell[begin - 1] == '"'));
    if (named && cell.find('!', bar) != std::string_view::npos) return true;
  }
  return false;
}

// DDE("cmd"; ...) as a function, not as a word of prose.
bool has_call(std::string_view cell) {
  for (auto at = ifind(cell, "dde("); at != std::string_view::npos; at = ifind(cell, "dde(", at + 1)) {
    if (at > 0 && "=+-@(*/&"sv.find(cell[at - 1]) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

bool is_dde_field(std::string_view instruction) {
  instruction.remove_prefix(std::min(instruction.find_first_not_of(" \t\r\n\"\\*\0"sv), instruction.size()));
  if (!istarts_with(instruction, "DDE")) return false;
  std::string_view rest = instruction.substr(3);
  if (istarts_with(rest, "AUTO")) rest.remove_prefix(4);
  return rest.empty() || !is_alpha(rest.front());
}

std::optional<std::string> dde_in_octets(std::string_view octets) {
  for (auto at = octets.find('\x13'); at != std::string_view::npos; at = octets.find('\x13', at + 1)) {
    std::string_view behind = octets.substr(at + 1, kShown * 2);
    bool wide = behind.size() > 2 && behind[0] == 0;
    if (wide) behind.remove_prefix(1);
    std::string text;
    for (std::size_t i = 0; i < behind.size() && text.size() < kShown; i += wide ? 2 : 1) {
      if (behind[i] == '\x14' || behind[i] == '\x15') break;
      text += behind[i];
      // Most fields are none: no more of them is copied than tells so.
      if (text.size() == 16 && ifind(text, "dde") == std::string_view::npos) break;
    }
    if (is_dde_field(text)) return printable(text, kShown);
  }
  return std::nullopt;
}

std::optional<std::string> formula_in_text(std::string_view text) {
  std::size_t lines = 0;
  for (std::size_t at = 0; at < text.size() && lines < kMaxLines; ++lines) {
    auto end = std::min(text.find_first_of("\r\n", at), text.size());
    std::string_view line = text.substr(at, std::min<std::size_t>(end - at, 4096));
    at = end + 1;
    if (line.find('|') == std::string_view::npos && ifind(line, "dde(") == std::string_view::npos) continue;
    std::size_t begin = 0;
    while (begin <= line.size()) {
      auto stop = std::min(line.find_first_of(",;\t", begin), line.size());
      std::string_view cell = line.substr(begin, stop - begin);
      begin = stop + 1;
      cell.remove_prefix(std::min(cell.find_first_not_of(" \"'"), cell.size()));
      if (cell.starts_with('E') && cell.size() > 1) cell.remove_prefix(1);   // SYLK: the expression of a cell
      if (cell.empty() || "=+-@"sv.find(cell.front()) == std::string_view::npos) {
        if (!has_link(cell) || text.substr(0, 4) != "ID;P") continue;
      }
      if (has_link(cell) || has_call(cell)) return printable(cell, kShown);
    }
  }
  return std::nullopt;
}

}  // namespace postern::filters
