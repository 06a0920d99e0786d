#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/config/config.h"
#include "gateway/delivery/route.h"
#include "gateway/delivery/sts_policies.h"
#include "gateway/delivery/tls_results.h"
#include "gateway/dns/resolver.h"
#include "gateway/io/task.h"
#include "gateway/smtp_client/connection.h"

namespace postern::delivery {

// One address of one host, and how it is spoken with.
struct Hop {
  Endpoint endpoint;
  smtp_client::Dialect dialect = smtp_client::Dialect::smtp;
  std::string host;             // name, or the address again
  bool implicit_tls = false;
  bool authentic = false;       // DNSSEC vouches for all that led from the destination, or the configured name, to the address
  std::string to_string() const;   // "mail.corp.example [10.0.0.5]:25", for logs and DSNs
  // In a certificate; "": it has none but its address.
  std::string name() const;
};

// What must hold for TLS on one connection, and who says so.  Decided once for each attempt to open one.
struct Policy {
  smtp_client::TlsPolicy tls = smtp_client::TlsPolicy::may;
  std::string tls_name;                 // that the certificate must bear, where it must
  std::vector<io::Tlsa> tlsa;
  std::vector<std::string> also_named;
  bool observe = false;                 // MTA-STS in testing: nothing must, and what would have failed is counted
  std::string words;                    // who wants TLS: "the MTA-STS policy of example.org"; "": the configuration
  std::optional<smtp_client::Outcome> refusal;   // no connection may be opened, and why
  // For TlsResults.
  TlsPolicyFound found;
  std::string trouble;                  // an RFC 8460 result that is clear before any connection; "": none
  std::string trouble_words;

  // RFC 7435: encryption where it can be had, mail in any case.
  bool allows_plaintext() const { return tls == smtp_client::TlsPolicy::may; }
  void apply(smtp_client::Target& target) const;
  // With who wanted it in front, where TLS did not come about.
  smtp_client::Outcome explained(smtp_client::Outcome failure) const;
  // What an attempt to open the connection came to, in the words of RFC 8460 4.3; nothing: TLS did not fail.
  std::optional<TlsFailure> failure_of(const smtp_client::Connected& connected, const Hop& hop) const;
};

// Decides.  One loop's.
//
// What the configuration says holds at least.  Above it, unless it says never: DANE (RFC 7672) where DNSSEC vouches for
// the host's addresses and there are TLSA records; else the destination's MTA-STS policy (RFC 8461), for a route by
// MX.  A host whose TLSA records cannot be had, and one that a policy in force does not list, are refused.
class Policies {
 public:
  // What does not change while it lives; the references must outlive it.
  struct Parts {
    dns::Resolver& resolver;
    bool validating = false;              // what `resolver` calls authentic is to be believed
    StsPolicies* sts = nullptr;           // nullptr: without MTA-STS
  };
  explicit Policies(Parts parts) : parts_(parts) {}

  io::Task<Policy> decide(RoutePtr route, Hop hop);

 private:
  // True: nobody else has to be asked.
  io::Task<bool> by_dane(const Route& route, const Hop& hop, Policy& policy);
  io::Task<void> by_sts(const Route& route, const Hop& hop, Policy& policy);

  Parts parts_;
};

}  // namespace postern::delivery
