// The fields that only we may write, cut out of what a stranger sent.  Looks at every field: hiding one behind
// ten thousand others does not help.
#include "gateway/mail/strip.h"

#include "gateway/base/text.h"
#include "gateway/mail/auth_results.h"
#include "gateway/mail/headers.h"

namespace postern::mail {

std::vector<Range> forged_fields(std::string_view message, std::string_view authserv_id) {
  std::vector<Range> cuts;
  HeaderReader reader(message);
  HeaderField field;
  while (reader.next(field)) {
    bool forged = istarts_with(field.name, "X-Postern-") || iequals(field.name, "X-Spam-Flag") ||
                  (iequals(field.name, "Authentication-Results") && claims_authserv_id(field.raw, authserv_id));
    if (!forged) continue;
    if (!cuts.empty() && cuts.back().end == field.begin) {
      cuts.back().end = field.end;
    } else {
      cuts.push_back({field.begin, field.end});
    }
  }
  return cuts;
}

std::string without(std::string_view octets, const std::vector<Range>& cuts) {
  std::string out;
  out.reserve(octets.size());
  std::size_t at = 0;
  for (const Range& cut : cuts) {
    out.append(octets.substr(at, cut.begin - at));
    at = cut.end;
  }
  out.append(octets.substr(at));
  return out;
}

}  // namespace postern::mail
