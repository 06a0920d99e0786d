#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/store/names.h"

// Mailbox names: modified UTF-7 on the wire (RFC 3501 5.1.3), UTF-8 in the store, '/' between levels.
// Pure functions.
namespace postern::imap {

constexpr char kDelimiter = '/';
constexpr std::size_t kMaxNameOctets = store::kMaxMailboxName;   // of the UTF-8 form

// Strict: nothing for octets above 126 or below 32, an unended or empty shift, padding, left-over bits, a lone
// surrogate, printable ASCII in base64, or two shifts in a row.  One name has one spelling, so that names can be compared.
std::optional<std::string> decode_utf7(std::string_view text);

// `utf8` must be well-formed.
std::string encode_utf7(std::string_view utf8);

// "inbox" and "Inbox/Sub" with INBOX in capitals, RFC 3501 5.1; other names as they are.
std::string with_inbox(std::string name);

// LIST's pattern over UTF-8 names: '*' matches everything, '%' everything but '/'.  INBOX matches case-blind.
// Time is bounded by |pattern| * |name|, and by the octets up to the first that leaves no match.
bool matches(std::string_view pattern, std::string_view name);

}  // namespace postern::imap
