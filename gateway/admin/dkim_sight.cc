// Is the record of a DKIM key in DNS, and does it say what it should?  Read with the verifier's eyes.
#include "gateway/admin/dkim_sight.h"

#include "filters/dkim_key.h"
#include "gateway/base/text.h"

namespace postern::admin {
namespace {

using signing::Sight;
using Kind = Sight::Kind;

Sight of(Kind kind, std::string words) {
  Sight out;
  out.kind = kind;
  out.words = std::move(words);
  return out;
}

Sight compare(const signing::Key& key, const std::string& text) {
  auto found = filters::parse_dkim_key(text);
  if (!found) return of(Kind::different, found.error().text);
  if (found->revoked) return of(Kind::different, "the record revokes the key (its p= is empty)");
  auto own = filters::parse_dkim_key(key.record_text());
  bool right_type = (found->type == filters::DkimKey::Type::ed25519) == (key.algorithm == signing::Algorithm::ed25519);
  if (!right_type) return of(Kind::different, "the record is of another algorithm than the key");
  if (!own || own->record != found->record) return of(Kind::different, "the record holds another key (its p= differs)");
  if (!found->email) return of(Kind::different, "the record says by s= that it is not for mail");
  if (!found->sha256) return of(Kind::different, "the record says by h= that it is not for SHA-256");
  if (found->testing) return of(Kind::different, "the record says by t=y that it is in testing: receivers ignore its signatures");
  return of(Kind::right, "");
}

}  // namespace

io::Task<Sight> look_for_key(dns::Resolver& resolver, signing::Key key, Deadline deadline) {
  auto answer = co_await resolver.query(key.record_name(), dns::Type::txt, deadline);
  if (answer.exists_not()) co_return of(Kind::absent, "");
  if (!answer.ok()) co_return of(Kind::unknown, "DNS gave no answer for " + key.record_name() + " (" + std::string(dns::status_name(answer.status)) + ")");
  // RFC 6376 3.6.2.2: with several the result is undefined.
  if (answer.records.size() > 1) {
    co_return of(Kind::different, "there are " + std::to_string(answer.records.size()) + " TXT records at " + key.record_name() + "; there must be one");
  }
  co_return compare(key, answer.records.front().text);
}

}  // namespace postern::admin
