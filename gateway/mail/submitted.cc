// The header of a submitted message.  RFC 5322 3.6.2: one From, one Sender at most.
#include "gateway/mail/submitted.h"

#include "gateway/base/text.h"
#include "gateway/mail/address.h"
#include "gateway/mail/headers.h"

namespace postern::mail {
namespace {

constexpr std::size_t kMaxAuthors = 100;

// False: somebody stands there in whose name nobody can speak.
bool add_authors(const HeaderField& field, std::vector<std::string>& authors) {
  auto entries = parse_address_list(field.raw, kMaxAuthors + 1);
  if (entries.size() > kMaxAuthors) return false;
  bool any = false;
  for (const auto& entry : entries) {
    if (entry.kind != HeaderAddress::Kind::mailbox) continue;
    any = true;
    authors.push_back(entry.address());
  }
  return any;
}

}  // namespace

Submitted inspect_submitted(std::string_view message) {
  Submitted out;
  HeaderBlock header(message);
  out.has_date = header.find("Date") != nullptr;
  out.has_message_id = header.find("Message-ID") != nullptr;
  // Each filter and each reader would choose another one of two; and a field that we do not see is not checked.
  if (header.truncated()) out.problem = "The message has more header fields than can be looked at";
  else if (header.count("From") == 0) out.problem = "The message has no From field: it must say who writes";
  else if (header.count("From") > 1) out.problem = "The message has more than one From field";
  else if (header.count("Sender") > 1) out.problem = "The message has more than one Sender field";
  if (!out.problem.empty()) return out;
  const auto* sender = header.find("Sender");
  if (!add_authors(*header.find("From"), out.authors)) out.problem = "The From field names no address, or more than a hundred";
  else if (sender != nullptr && !add_authors(*sender, out.authors)) out.problem = "The Sender field names no address, or more than a hundred";
  return out;
}

std::string missing_fields(const Submitted& found, std::string_view id, std::string_view hostname, Time when) {
  std::string out;
  if (!found.has_date) out += "Date: " + rfc5322_date(when) + "\r\n";
  if (!found.has_message_id) out += "Message-ID: <" + std::string(id) + "@" + std::string(hostname) + ">\r\n";
  return out;
}

}  // namespace postern::mail
