// Authentication-Results: the facts in the words of RFC 8601.
#include "filters/auth_header.h"

#include <utility>
#include <vector>

#include "filters/arc.h"
#include "gateway/mail/auth_results.h"

namespace postern::filters {
namespace {

using mail::AuthResult;

AuthResult iprev(const Reputation& reputation, const smtp::Client& client) {
  AuthResult out;
  out.method = "iprev";
  switch (reputation.reverse) {
    case Reputation::Reverse::confirmed: out.result = "pass"; break;
    case Reputation::Reverse::temperror: out.result = "temperror"; break;
    // RFC 8601 2.7.3: no reverse name at all is "permerror".
    case Reputation::Reverse::none: out.result = "permerror"; break;
    case Reputation::Reverse::unconfirmed: out.result = "fail"; break;
  }
  out.properties.push_back({"policy.iprev", client.ip.to_string()});
  return out;
}

AuthResult spf_result(const Spf& spf, const smtp::Client& client, const smtp::Sender& sender) {
  AuthResult out;
  out.method = "spf";
  out.result = name(spf.result);
  out.reason = spf.problem;
  // RFC 7208 2.4: without a sender the HELO name was checked.
  if (sender.address.empty()) {
    out.properties.push_back({"smtp.helo", client.helo});
  } else {
    out.properties.push_back({"smtp.mailfrom", sender.address});
  }
  return out;
}

AuthResult dkim_result(const DkimSignature& signature) {
  AuthResult out;
  out.method = "dkim";
  out.result = name(signature.result);
  out.reason = signature.problem;
  auto add = [&](const char* property, const std::string& value) {
    if (!value.empty()) out.properties.push_back({property, value});
  };
  add("header.d", signature.domain);
  add("header.i", signature.identity);
  add("header.s", signature.selector);
  add("header.a", signature.algorithm);
  add("header.b", signature.b_prefix);
  return out;
}

AuthResult dmarc_result(const Dmarc& dmarc) {
  AuthResult out;
  out.method = "dmarc";
  out.result = name(dmarc.result);
  out.reason = dmarc.problem;
  if (!dmarc.domain.empty()) out.properties.push_back({"header.from", dmarc.domain});
  if (dmarc.result == DmarcResult::fail) out.properties.push_back({"policy.dmarc", std::string(name(dmarc.policy))});
  return out;
}

}  // namespace

std::string authentication_results(const std::string& hostname, const smtp::Client& client, const smtp::Sender& sender,
                                   const AuthenticationFacts& facts) {
  std::vector<AuthResult> results;
  if (facts.reputation != nullptr) results.push_back(iprev(*facts.reputation, client));
  if (!client.login.empty()) {
    AuthResult login;
    login.method = "auth";
    login.result = "pass";
    login.properties.push_back({"smtp.auth", client.login});
    results.push_back(std::move(login));
  }
  if (facts.spf != nullptr) results.push_back(spf_result(*facts.spf, client, sender));
  if (facts.dkim != nullptr) {
    for (const auto& signature : facts.dkim->signatures) results.push_back(dkim_result(signature));
    if (facts.dkim->signatures.empty()) {
      AuthResult none;
      none.method = "dkim";
      none.result = "none";
      results.push_back(std::move(none));
    }
  }
  if (facts.dmarc != nullptr) results.push_back(dmarc_result(*facts.dmarc));
  if (facts.arc != nullptr) results.push_back(arc_auth_result(*facts.arc, client.known ? client.ip.to_string() : ""));
  return mail::authentication_results_field(hostname, results);
}

}  // namespace postern::filters
