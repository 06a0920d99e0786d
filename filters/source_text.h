#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "gateway/mail/headers.h"

// A message as text in the forms that patterns of other filters are written for.  Pure; each costs what the first
// kMaxSource octets of the message cost, whatever they are.
namespace postern::filters {

constexpr std::size_t kMaxSource = 256 * 1024;

// The message as received, line ends as LF.
std::string source_of(std::string_view message);
// The header as received, line ends as LF, folding kept.
std::string header_source_of(std::string_view message);
// Each field on one line, unfolded and decoded: "Subject: Grüße\n".
std::string header_text_of(const mail::HeaderBlock& header);
// Text parts, attached ones too, with their transfer encoding removed: HTML keeps its tags, the charset stays what
// it is, line ends are LF.
std::string raw_text_of(std::string_view message);
// The header fields of all parts, of the message itself too, each unfolded on one line.
std::string part_headers_of(std::string_view message);
// The subject on the first line, then each paragraph of the text (what stands between empty lines) as one line with
// single spaces.
std::string paragraphs_of(std::string_view subject, std::string_view text);

}  // namespace postern::filters
