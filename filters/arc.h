#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/bytes.h"
#include "gateway/base/clock.h"
#include "gateway/dns/resolver.h"
#include "gateway/io/task.h"
#include "gateway/io/worker_pool.h"
#include "gateway/mail/authres_payload.h"

namespace postern::filters {

// RFC 8617 4.4.  Its 5.2.1 counts DNS failures as fail; here they have a word of their own, since a message that is tried
// again may pass.
enum class ArcResult { none, pass, fail, temperror };

// One ARC Set as it came.
struct ArcSet {
  unsigned instance = 0;
  std::string domain;              // d= of the seal: who vouches; "" when the seal is malformed
  std::string selector;            // s= of the seal
  std::string signing_domain;      // d= of the message signature
  bool covers_all = false;         // the message signature covers From, and the whole body without l=
  // What the sealer saw (RFC 8617 4.1.1).  Read only when the chain passes: else anybody may have written it.
  mail::AuthresPayload results;
};

struct Arc {
  ArcResult result = ArcResult::none;
  std::vector<ArcSet> sets;        // by instance; of a chain whose structure is broken, none
  unsigned instance = 0;           // of fail and temperror: where; 0: the chain as a whole
  // RFC 8617 5.2 step 5, of pass: the lowest instance from which on every message signature verifies, 0 when all do.
  // With more than kMaxArcMessageSignatures sets it may be higher than the truth.
  unsigned oldest_pass = 0;
  bool ended = false;              // the newest seal says cv=fail: RFC 8617 5.1 step 2, nobody may add to it
  std::string problem;             // why not pass, in words

  // The message is as the sealer of this set left it, as far as that set's message signature covers it.
  bool unchanged_since(unsigned instance_) const { return result == ArcResult::pass && instance_ >= oldest_pass && instance_ != 0; }
};

std::string_view name(ArcResult result);

// So many message signatures are verified, from the newest; the older ones only tell who changed the message.
constexpr std::size_t kMaxArcMessageSignatures = 10;
// Sets whose keys are asked for at once.  Older ones are asked for when the newer ones have verified, so that a message
// cannot make us ask hundred names without somebody's good signature over it.  RFC 8617 9.2.
constexpr std::size_t kArcWave = 8;

// Validates the Authenticated Received Chain of a message.  RFC 8617 5.2, RFC 8301, RFC 8463.
//
// `message`: the octets as received, CRLF line ends.  Keys are asked for in parallel, each once; hashing and arithmetic
// run on `workers` (nullptr: here).  Never throws for what message or DNS say.  At most 50 sets, 150 fields of 16 KiB,
// a header of 2,000 fields and 1 MiB: beyond, the chain fails.  A message signature whose l= leaves octets of the body
// unsigned does not verify.  `resolver` and `workers` must outlive the task.
io::Task<Arc> validate_arc(Octets message, dns::Resolver& resolver, io::WorkerPool* workers, Time now, Deadline deadline);

// For Authentication-Results: RFC 8617 10.2.  temperror is none of its words; to who does not know it, it is what a failing
// chain is to be, none, and who seals knows by it that nothing is decided.  `remote_ip` "": not known.
mail::AuthResult arc_auth_result(const Arc& arc, const std::string& remote_ip);

}  // namespace postern::filters
