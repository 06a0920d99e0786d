// What the subcommands print.
#include "gateway/admin/output.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "gateway/base/text.h"

namespace postern::admin {
namespace {

using nlohmann::json;
constexpr std::size_t kMaxCell = 60;

std::string cell_text(const json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) {
    std::string text = value.get<std::string>();
    for (char& c : text) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';   // a subject must not drive the terminal
    }
    return text;
  }
  if (value.is_number_float()) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", value.get<double>());
    return text;
  }
  return value.dump();
}

// Columns that UTF-8 text takes, about: continuation octets take none.
std::size_t width(std::string_view text) {
  std::size_t columns = 0;
  for (char c : text) columns += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return columns;
}

std::string cut(std::string text) {
  if (width(text) <= kMaxCell) return text;
  std::size_t columns = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80 && ++columns > kMaxCell - 3) return text.substr(0, i) + "...";
  }
  return text;
}

}  // namespace

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void complain(std::string_view text) {
  std::string line = "postern: " + std::string(text) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void print_json(const json& value) { print(value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"); }

void print_table(const std::vector<std::string>& columns, const json& rows) {
  std::vector<std::vector<std::string>> lines(1);
  for (const auto& column : columns) lines[0].push_back(ascii_uppered(column));
  for (const auto& row : rows) {
    auto& line = lines.emplace_back();
    for (const auto& column : columns) line.push_back(cut(cell_text(row.value(column, json()))));
  }
  std::vector<std::size_t> widths(columns.size(), 0);
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width(line[i]));
  }
  for (const auto& line : lines) {
    std::string out;
    for (std::size_t i = 0; i < line.size(); ++i) {
      out += line[i];
      if (i + 1 < line.size()) out += std::string(widths[i] - width(line[i]) + 2, ' ');
    }
    print(out + "\n");
  }
}

}  // namespace postern::admin
