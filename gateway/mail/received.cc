// Our Received field.  RFC 5321 4.4; foreign texts go in only as the grammar takes them.
#include "gateway/mail/received.h"

#include <algorithm>
#include <vector>

#include "gateway/base/text.h"
#include "gateway/mail/headers.h"

namespace postern::mail {

namespace {

constexpr std::size_t kMaxForeign = 255;
constexpr std::size_t kMostDelivered = 1000;

// What may stand where the grammar wants a domain or an address literal; the rest of a HELO becomes "?".
std::string as_domain(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, kMaxForeign)) {
    bool plain = is_alpha(c) || is_digit(c) || std::string_view("-._:[]").find(c) != std::string_view::npos ||
                 static_cast<unsigned char>(c) >= 0x80;
    out += plain ? c : '?';
  }
  return out.empty() || !is_utf8(out) ? "unknown" : out;
}

// RFC 3848 and RFC 6531 4.3.
std::string protocol(const ReceivedInfo& info) {
  std::string word = info.utf8 ? (info.lmtp ? "UTF8LMTP" : "UTF8SMTP") : info.lmtp ? "LMTP" : info.extended ? "ESMTP" : "SMTP";
  if (!info.utf8 && !info.lmtp && !info.extended) return word;
  if (!info.tls.empty()) word += 'S';
  if (info.authenticated) word += 'A';
  return word;
}

std::string as_comment(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, kMaxForeign)) {
    if (c == '(' || c == ')' || c == '\\' || c < ' ' || c > '~') c = '_';
    out += c;
  }
  return out;
}

}  // namespace

std::string received_field(const ReceivedInfo& info) {
  std::string name = info.client_name.empty() ? "unknown" : as_domain(info.client_name);
  std::string field = "Received: from " + as_domain(info.helo) + " (" + name + " " + info.client.literal() + ")\r\n";
  if (!info.tls.empty()) field += "\t(" + as_comment(info.tls) + ")\r\n";
  field += "\tby " + info.by + " (Postern) with " + protocol(info);
  if (!info.id.empty()) field += " id " + info.id;
  if (!info.recipient.empty() && info.recipient.find_first_of("\r\n<>") == std::string::npos) {
    field += "\r\n\tfor <" + info.recipient + ">";
  }
  return field + ";\r\n\t" + rfc5322_date(info.when) + "\r\n";
}

std::size_t count_received(std::string_view message) {
  std::size_t count = 0;
  HeaderReader reader(message);
  HeaderField field;
  while (reader.next(field)) count += iequals(field.name, "Received") ? 1 : 0;
  return count;
}

// The words that received_field() writes.
std::vector<std::string> ids_given_by(std::string_view header, std::string_view hostname) {
  constexpr std::size_t kMostIds = 8, kMaxField = 4096, kMaxId = 40;
  std::vector<std::string> out;
  HeaderReader reader(header);
  HeaderField field;
  while (out.size() < kMostIds && reader.next(field)) {
    if (!iequals(field.name, "Received")) continue;
    auto line = unfolded(field.raw.substr(0, kMaxField));
    std::replace(line.begin(), line.end(), ';', ' ');
    auto text = words(line);
    for (std::size_t i = 0; i + 6 < text.size(); ++i) {
      bool ours = text[i] == "by" && iequals(text[i + 1], hostname) && text[i + 2] == "(Postern)" && text[i + 3] == "with" && text[i + 5] == "id";
      bool sane = ours && text[i + 6].size() <= kMaxId && std::all_of(text[i + 6].begin(), text[i + 6].end(), [](char c) { return is_alpha(c) || is_digit(c); });
      if (sane) out.emplace_back(text[i + 6]);
      if (sane) break;
    }
  }
  return out;
}

std::set<std::string> delivered_to(std::string_view message) {
  std::set<std::string> out;
  HeaderReader reader(message);
  HeaderField field;
  while (out.size() < kMostDelivered && reader.next(field)) {
    if (iequals(field.name, "Delivered-To")) out.insert(ascii_lowered(unfolded(field.raw)));
  }
  return out;
}

}  // namespace postern::mail
