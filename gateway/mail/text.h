#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "gateway/mail/mime.h"

namespace postern::mail {

constexpr std::size_t kMaxReadableText = 1024 * 1024;

// A leaf's content with its transfer encoding removed, at most `limit` octets.
std::string part_octets(std::string_view message, const Part& part, std::size_t limit = kNoLimit);

// A text leaf as UTF-8: transfer encoding removed, charset converted; HTML is left as HTML.
std::string part_text(std::string_view message, const Part& part, std::size_t limit = kMaxReadableText);

// What a person reads in the message: every text part that is no attachment, in order, HTML as text, UTF-8, parts
// separated by a newline; of both halves of multipart/alternative (spam hides in either).  At most `limit` octets; parts that begin
// behind the first four times as many octets of text parts are not decoded.
std::string readable_text(std::string_view message, const PartTable& table, std::size_t limit = kMaxReadableText);

}  // namespace postern::mail
