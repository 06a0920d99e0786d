// The text that a person reads in a message.
#include "gateway/mail/text.h"

#include <algorithm>

#include "gateway/mail/charset.h"
#include "gateway/mail/html.h"

namespace postern::mail {

std::string part_octets(std::string_view message, const Part& part, std::size_t limit) {
  return decode_body(body_of(message, part), part.encoding, limit);
}

std::string part_text(std::string_view message, const Part& part, std::size_t limit) {
  return to_utf8(part_octets(message, part, limit), part.charset(), limit);
}

std::string readable_text(std::string_view message, const PartTable& table, std::size_t limit) {
  // HTML is longer than its text; more of it than this is padding.
  constexpr std::size_t kHtmlFactor = 4;
  std::string out;
  std::size_t budget = limit < kNoLimit / kHtmlFactor ? limit * kHtmlFactor : kNoLimit;  // of octets to decode
  for (const Part& part : table.parts) {
    if (part.kind != Part::Kind::leaf || part.type.type != "text" || part.disposition.kind == "attachment") continue;
    std::size_t taken = out.empty() ? 0 : out.size() + 1;
    std::size_t room = limit - std::min(limit, taken);
    if (room == 0 || budget == 0) break;
    bool html = part.type.subtype == "html";
    std::string text = part_text(message, part, html ? budget : room);
    budget -= std::min<std::size_t>(budget, part.body_size());
    if (!out.empty()) out += '\n';
    out += html ? html_to_text(text, room) : text;
  }
  return out;
}

}  // namespace postern::mail
