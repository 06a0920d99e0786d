#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/dns/resolver.h"
#include "gateway/io/task.h"
#include "gateway/io/tls.h"

namespace postern::smtp_client {

// What DNS says about the certificate of a host.
struct TlsaRecords {
  enum class Kind {
    none,       // securely none, or nothing that DNSSEC vouches for: DANE does not apply
    usable,
    unusable,   // there are some, and none that we can use: TLS must be, with whatever certificate (RFC 7672 2.2)
    failed      // no answer: the host must not be used, or who breaks DNS breaks TLS (RFC 7672 2.1.2)
  };
  Kind kind = Kind::none;
  std::string base;                // the host's name that they stand below
  std::vector<io::Tlsa> records;   // of `usable`
  std::string owner;               // "_25._tcp.mx.example.org"
  std::string words;               // of `failed`: why
};

// Reads them, RFC 7672 2.2.3: below the name that the host's CNAMEs lead to, where it has any, then below the host's own.
// Only for a host whose addresses are authentic, and only with a resolver that is to be believed.  `resolver` must
// outlive the task.
io::Task<TlsaRecords> find_tlsa(dns::Resolver& resolver, std::string host, std::uint16_t port, Deadline deadline);

}  // namespace postern::smtp_client
