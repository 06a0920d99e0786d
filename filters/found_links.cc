// Links in binary formats stand there as plain text, in one or two octets a character.
#include "filters/found_links.h"

#include <algorithm>
#include <array>

#include "gateway/base/text.h"
#include "gateway/mail/charset.h"

namespace postern::filters {
namespace {

using namespace std::string_view_literals;

bool ends_link(char c) {
  auto u = static_cast<unsigned char>(c);
  return u <= ' ' || u >= 0x7f || "<>\"'`{}|^"sv.find(c) != std::string_view::npos;
}

bool is_schema(std::string_view link) {
  auto begin = link.find("://");
  if (begin == std::string_view::npos) return false;
  std::string_view host = link.substr(begin + 3);
  host = host.substr(0, host.find_first_of("/:?#"));
  for (auto schema : {"schemas.microsoft.com"sv, "schemas.openxmlformats.org"sv, "purl.org"sv, "www.w3.org"sv, "ns.adobe.com"sv, "purl.oclc.org"sv, "schemas.xmlsoap.org"sv}) {
    if (iequals(host, schema)) return true;
  }
  return false;
}

// The URL that begins with one character each `width` octets.
std::string take_link(std::string_view octets, std::size_t width) {
  std::string out;
  for (std::size_t at = 0; at < octets.size() && out.size() < kMaxFoundLink; at += width) {
    if (ends_link(octets[at])) break;
    if (width == 2 && at + 1 < octets.size() && octets[at + 1] != 0) break;
    out += octets[at];
  }
  while (!out.empty() && ".,;:!?)]\\"sv.find(out.back()) != std::string_view::npos) out.pop_back();
  return out;
}

// "ttp" or "tp" stand behind; what stands before tells the scheme.
std::string_view scheme_at(std::string_view text) {
  for (auto scheme : {"http://"sv, "https://"sv, "ftp://"sv}) {
    if (istarts_with(text, scheme)) return scheme;
  }
  return {};
}

}  // namespace

void FoundLinks::add(std::string_view link) {
  link = trimmed(link);
  bool has_scheme = link.find(':') != std::string_view::npos && link.find(':') > 1;
  if (link.empty() || (!has_scheme && !link.starts_with("\\\\") && !istarts_with(link, "www."))) return;
  std::string text = mail::valid_utf8(link.substr(0, kMaxFoundLink));
  if (is_schema(text) || known_.contains(text)) return;
  if (list_.size() >= kMaxFoundLinks) {
    truncated_ = true;
    return;
  }
  known_.insert(text);
  list_.push_back(std::move(text));
}

void FoundLinks::scan(std::string_view octets) {
  // The rarest of the octets that all have.
  for (auto at = octets.find("://"); at != std::string_view::npos && !truncated_; at = octets.find("://", at + 3)) {
    for (std::size_t before : {4U, 5U, 3U}) {
      if (at >= before && !scheme_at(octets.substr(at - before, before + 3)).empty()) {
        add(take_link(octets.substr(at - before), 1));
        break;
      }
    }
  }
  constexpr auto kWide = ":\0/\0/\0"sv;
  for (auto at = octets.find(kWide); at != std::string_view::npos && !truncated_; at = octets.find(kWide, at + 6)) {
    for (std::size_t before : {4U, 5U, 3U}) {
      if (at < before * 2) continue;
      std::string narrow;
      for (std::size_t i = 0; i < before; ++i) narrow += octets[at - before * 2 + i * 2];
      narrow += "://";
      if (scheme_at(narrow).empty()) continue;
      add(take_link(octets.substr(at - before * 2), 2));
      break;
    }
  }
}

}  // namespace postern::filters
