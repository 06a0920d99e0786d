// Mail from files.
#include "gateway/admin/mail_files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "gateway/mail/address.h"
#include "gateway/mail/headers.h"

namespace postern::admin {

std::vector<std::string> files_below(const std::string& folder) {
  std::vector<std::string> out;
  std::error_code failure;
  for (std::filesystem::recursive_directory_iterator it(folder, failure), end; !failure && it != end; it.increment(failure)) {
    if (it->is_regular_file(failure)) out.push_back(it->path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<std::string> read_file(const std::string& file) {
  if (file == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream stream(file, std::ios::binary);
  std::string text;
  if (stream) {
    std::error_code none;
    auto size = std::filesystem::file_size(file, none);
    if (!none) text.resize(size);
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(stream.gcount()));
    if (stream.eof()) stream.clear();
    // A pipe has no size, and a file may grow.
    text.append(std::istreambuf_iterator<char>(stream), {});
  }
  if (!stream || stream.bad()) return Error(file + ": cannot be read");
  return text;
}

std::string as_received(std::string_view text) {
  if (text.starts_with("From ")) {
    auto end = text.find('\n');
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  std::string out;
  out.reserve(text.size() + text.size() / 32);
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '\r') {
      out += "\r\n";
      if (i + 1 < text.size() && text[i + 1] == '\n') ++i;
    } else if (c == '\n') {
      out += "\r\n";
    } else {
      out += c;
    }
  }
  if (!out.empty() && !out.ends_with("\r\n")) out += "\r\n";
  return out;
}

std::string return_path(std::string_view message) {
  mail::HeaderBlock header(message);
  const auto* field = header.find("Return-Path");
  if (field == nullptr) return "";
  auto addresses = mail::parse_address_list(field->raw, 1);
  return addresses.empty() ? "" : addresses.front().address();
}

}  // namespace postern::admin
