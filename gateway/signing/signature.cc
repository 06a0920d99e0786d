// One message's DKIM-Signature fields.
#include "gateway/signing/signature.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/mail/address.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/idna.h"
#include "gateway/signing/signed_header.h"

namespace postern::signing {
namespace {

constexpr std::size_t kMaxAuthors = 5;

Result<std::string> one(const Key& key, const SignedHeader& header, const std::string& bh, Time now) {
  TagLines field("DKIM-Signature:");
  field.tag("v=1;");
  field.tag("a=" + std::string(name(key.algorithm)) + "-sha256;");
  field.tag("c=relaxed/relaxed;");
  field.tag("d=" + key.domain + ";");
  field.tag("s=" + key.selector + ";");
  field.tag("t=" + std::to_string(to_unix(now)) + ";");
  field.line();
  field.list("h=", header.names, ':');
  field.line();
  field.tag("bh=" + bh + ";");
  field.line();
  field.b();
  std::string input = header.canonical;
  auto text = sign_tags(field, std::move(input), key);
  return text;
}

}  // namespace

Result<std::string> signatures_of(std::string_view message, const std::vector<const Key*>& keys, Time now) {
  auto header = signed_header(message, false);
  if (!header) return header.error();
  auto bh = body_hash(message);
  std::string out;
  for (const auto* key : keys) {
    auto made = one(*key, *header, bh, now);
    if (!made) return made.error();
    out += *made;
  }
  return out;
}

Result<std::vector<std::string>> author_domains(std::string_view message) {
  mail::HeaderReader reader(message);
  mail::HeaderField field;
  std::optional<std::string_view> from;
  while (reader.next(field)) {
    if (!iequals(field.name, "From")) continue;
    if (from) return Error("it has several From fields");
    from = field.raw;
  }
  if (!from) return Error("it has no From field");
  std::vector<std::string> out;
  for (const auto& author : mail::parse_address_list(*from, kMaxAuthors + 1)) {
    if (author.kind != mail::HeaderAddress::Kind::mailbox) continue;
    auto domain = mail::domain_to_ascii(author.domain);
    if (!domain) return Error("an author has no valid domain");
    if (std::find(out.begin(), out.end(), *domain) == out.end()) out.push_back(std::move(*domain));
  }
  if (out.empty()) return Error("its From field has no address");
  if (out.size() > kMaxAuthors) return Error("it has too many authors");
  return out;
}

}  // namespace postern::signing
