// Which octets of a message a section means.  RFC 3501 6.4.5.
#include "gateway/imap/message_octets.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/mail/headers.h"

namespace postern::imap {

using What = Section::What;

namespace {

Extent header_extent(std::uint64_t prefix, const mail::Part& part, bool root) {
  return {root ? 0 : prefix + part.header, prefix + part.body};
}

Extent body_extent(std::uint64_t prefix, const mail::Part& part) { return {prefix + part.body, prefix + part.end}; }

}  // namespace

std::optional<Extent> extent_of(const store::MessageRow& row, const mail::PartTable& table, const Section& section) {
  std::uint64_t prefix = row.header_prefix.size();
  if (section.part.empty()) {
    if (section.what == What::all) return Extent{0, row.size()};
    if (section.what == What::text) return Extent{prefix + table.root().body, row.size()};
    return header_extent(prefix, table.root(), true);
  }
  auto index = table.find(section.part);
  if (!index) return std::nullopt;
  const auto& part = table.parts[*index];
  if (section.what == What::all) return body_extent(prefix, part);
  if (section.what == What::mime) return header_extent(prefix, part, *index == 0);
  // Only a message/rfc822 part has a HEADER and a TEXT of its own.
  auto message = table.message_of(section.part);
  if (!message) return std::nullopt;
  const auto& inner = table.parts[*message];
  return section.what == What::text ? body_extent(prefix, inner) : header_extent(prefix, inner, false);
}

std::string chosen_fields(std::string_view header, const Section& section) {
  std::string out;
  mail::HeaderReader reader(header);
  mail::HeaderField field;
  while (reader.next(field)) {
    bool named = std::any_of(section.names.begin(), section.names.end(),
                             [&](const std::string& name) { return iequals(name, field.name); });
    if (named != (section.what == What::fields)) continue;
    out += header.substr(field.begin, field.end - field.begin);
    if (!out.ends_with('\n')) out += "\r\n";
  }
  return out + "\r\n";
}

Extent cut(Extent extent, const Section& section) {
  if (!section.partial) return extent;
  auto begin = std::min(extent.end, extent.begin + section.partial->first);
  return {begin, std::min(extent.end, begin + section.partial->second)};
}

void hide_nuls(std::string& octets) {
  if (octets.find('\0') == std::string::npos) return;
  std::replace(octets.begin(), octets.end(), '\0', '\x80');
}

}  // namespace postern::imap
