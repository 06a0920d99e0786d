// What AUTHENTICATE and AUTH PLAIN carry.  RFC 4616.
#include "gateway/directory/sasl_plain.h"

#include "gateway/base/text.h"

namespace postern::directory {

bool PlainCredentials::acts_for_itself() const { return authorization.empty() || iequals(authorization, login); }

std::optional<PlainCredentials> parse_plain(std::string_view base64) {
  auto text = from_base64(base64 == "=" ? std::string_view() : base64);
  if (!text) return std::nullopt;
  auto fields = split(*text, '\0');
  if (fields.size() != 3 || fields[1].empty() || fields[2].empty()) return std::nullopt;
  PlainCredentials out;
  out.authorization = fields[0];
  out.login = fields[1];
  out.password = fields[2];
  return out;
}

}  // namespace postern::directory
