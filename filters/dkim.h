#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "filters/facts.h"
#include "gateway/base/bytes.h"
#include "gateway/base/clock.h"
#include "gateway/dns/resolver.h"
#include "gateway/io/task.h"
#include "gateway/io/worker_pool.h"

namespace postern::filters {

// So many signatures of a message are verified, from the top; later ones are `policy`.
constexpr std::size_t kMaxDkimSignatures = 8;
// So many are reported at all.
constexpr std::size_t kMaxDkimReported = 20;

// Verifies the DKIM signatures of a message with libopendkim.  RFC 6376, RFC 8301, RFC 8463.
//
// `message`: the octets as received, CRLF line ends.  Keys are asked for all at once and before the
// message is hashed; the hashing and the arithmetic run on `workers` (nullptr: here).  Never throws
// for what message or DNS say: each signature has a result and, when that is not pass, a reason:
//   fail       header, body or signature were changed;  neutral when the key is in testing (t=y)
//   policy     well-formed but not accepted: expired, rsa-sha1, key below 1024 bits, body octets
//              left unsigned by l=, too many signatures
//   permerror  malformed, or the key is missing, revoked or malformed
//   temperror  the key could not be fetched by the deadline
// `resolver` and `workers` must outlive the task.
io::Task<Dkim> verify_dkim(Octets message, dns::Resolver& resolver, io::WorkerPool* workers, Time now,
                           Deadline deadline);

// Octets of a body (CRLF) after canonicalisation, RFC 6376 3.4.3 and 3.4.4: what l= counts.
std::uint64_t canonical_body_size(std::string_view body, bool relaxed);

}  // namespace postern::filters
