#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::mail {

// One "method=result" of RFC 8601 2.2.
struct AuthResult {
  struct Property {
    std::string name;    // "smtp.mailfrom", "header.d", ...
    std::string value;   // foreign text: quoted or dropped where the grammar needs it
  };
  std::string method;    // "spf", "dkim", "dmarc", ...
  std::string result;    // "pass", "fail", ...
  std::string reason;    // in words, or ""
  std::vector<Property> properties;
};

// The whole field with its line end; "none" when there are no results.
std::string authentication_results_field(std::string_view authserv_id, const std::vector<AuthResult>& results);

// Whether the value of an Authentication-Results field claims to be from us, so that it must go (RFC 8601 5):
// comments, folding, quotes, a version behind the name, letter case and a final dot do not hide it.
bool claims_authserv_id(std::string_view raw, std::string_view authserv_id);

}  // namespace postern::mail
