#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/base/ip.h"
#include "gateway/io/tls.h"

namespace postern::smtp_client {

enum class Dialect { smtp, lmtp };

enum class TlsPolicy {
  never,
  may,      // STARTTLS when it is offered, whatever the certificate (RFC 7435); else plaintext
  must,     // no message without TLS, whatever the certificate
  verify,   // TLS, and a certificate that is trusted and bears the target's `tls_name`
  dane      // TLS, and a certificate that the target's `tlsa` name; with none that can be used any certificate
};

// How long is waited for what.  The defaults of RFC 5321 4.5.3.2 are minimums there; `message` is ours.
struct Timeouts {
  using Span = std::chrono::milliseconds;
  Span connect = std::chrono::seconds(30);
  Span tls = std::chrono::seconds(60);
  Span greeting = std::chrono::minutes(5);
  Span command = std::chrono::minutes(5);   // EHLO, STARTTLS, AUTH, RSET, MAIL, RCPT
  Span data = std::chrono::minutes(2);      // until 354
  Span block = std::chrono::minutes(3);     // until 64 KiB of the message are taken
  Span end = std::chrono::minutes(10);      // until the answer to the final dot; with LMTP to each recipient
  Span message = std::chrono::hours(1);     // a whole send(): who answers an octet a minute never misses the others
  Span quit = std::chrono::seconds(2);
};

struct Login {
  std::string user;
  std::string password;
};

// Where a connection goes, and how.
struct Target {
  Endpoint endpoint;
  Dialect dialect = Dialect::smtp;
  std::string helo;             // our own name
  TlsPolicy tls = TlsPolicy::may;
  // The handshake comes first, RFC 8314 3.3 (port 465); `never` and `may` then mean `must`.
  bool implicit_tls = false;
  std::string tls_name;         // for SNI (RFC 6066 3), `verify` and `dane`; "": no SNI.  Never an address.
  std::vector<io::Tlsa> tlsa;   // of `dane`
  std::vector<std::string> also_named;   // by the certificate, where `tlsa` names its authority
  bool observe = false;         // with `may`: look at the certificate as `verify` does, and go on; Connection::certificate_fault()
  std::optional<Login> login;   // AUTH, over TLS only
  bool chunking = true;         // false: DATA also where CHUNKING is offered, for hosts that get it wrong
  Timeouts timeouts;
};

// Contexts for our side of TLS.  Made once and kept: reading the system's certificates takes milliseconds.
struct TlsContexts {
  std::shared_ptr<const io::TlsContext> any = io::TlsContext::client(false);
  std::shared_ptr<const io::TlsContext> verifying = io::TlsContext::client(true);
};
// Ones that trust the authorities in a PEM file too; "": only the system's.
Result<TlsContexts> contexts_trusting(const std::string& authorities);

}  // namespace postern::smtp_client
