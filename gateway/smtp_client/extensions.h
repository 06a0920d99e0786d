#pragma once

#include <cstdint>

#include "gateway/smtp_client/reply.h"

namespace postern::smtp_client {

// What a server offers in its answer to EHLO or LHLO, RFC 5321 4.1.1.1.
struct Extensions {
  bool size = false;            // RFC 1870
  bool pipelining = false;      // RFC 2920
  bool eight_bit_mime = false;  // RFC 6152
  bool smtputf8 = false;        // RFC 6531
  bool chunking = false;        // RFC 3030
  bool starttls = false;        // RFC 3207
  bool dsn = false;             // RFC 3461
  bool enhanced_codes = false;  // RFC 2034
  bool auth_plain = false;      // RFC 4954, RFC 4616
  bool auth_login = false;
  std::uint64_t max_size = 0;   // octets; 0: no limit was said
  std::uint64_t rcpt_max = 0;   // recipients a message, RFC 9422; 0: none said
  std::uint64_t mail_max = 0;   // messages a connection, RFC 9422; 0: none said
};

// What cannot be read is not offered.
Extensions parse_extensions(const Reply& ehlo);

}  // namespace postern::smtp_client
