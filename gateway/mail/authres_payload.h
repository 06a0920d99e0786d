#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/mail/auth_results.h"

// Authentication-Results as others wrote them: what stands in the fields of that name and in ARC-Authentication-Results
// behind the instance.  RFC 8601 2.2; RFC 8617 4.1.1.
namespace postern::mail {

// Octets that are read; more are foul play, and what is behind them counts as malformed.
constexpr std::size_t kMaxAuthresPayload = 16 * 1024;
constexpr std::size_t kMaxAuthresResults = 100;
constexpr std::size_t kMaxAuthresProperties = 20;   // of one result

struct AuthresPayload {
  std::string authserv_id;           // as written
  std::vector<AuthResult> results;   // method, result and the names of properties in lower case, values without quotes
  std::size_t malformed = 0;         // pieces between semicolons that are no result, or behind a bound: they are left out
  bool well_formed() const { return !authserv_id.empty() && malformed == 0; }

  // The results of one method ("dmarc"), in order.
  std::vector<const AuthResult*> of(std::string_view method) const;
};

// Reads as much as can be read and never fails: a property without a ptype ("action=none") is let pass, since large
// senders write such; comments are dropped.  Linear in the text.
AuthresPayload parse_authres_payload(std::string_view text);

// The value of a property ("header.from"), or "".
std::string_view property(const AuthResult& result, std::string_view name);

// The results of all Authentication-Results fields of `message` that have our name, as one payload with the name in front:
// "mx.example;\r\n\tspf=pass smtp.mailfrom=a@b;\r\n\tdkim=none"; "mx.example; none" when there are none.  Comments stay.  What would
// make it longer than kMaxAuthresPayload is left out.  RFC 8617 4.1.1.
std::string combined_results(std::string_view message, std::string_view authserv_id);

// White space, folding and comments off the front.  RFC 5322 3.2.2.
void skip_cfws(std::string_view& text);

}  // namespace postern::mail
