#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/signing/key.h"

namespace postern::signing {

// RFC 8617 4.4: what validation of the received message gave.  unknown: nobody looked, or DNS gave no answer; the RFC (5.2.1)
// would have the chain declared broken for ever, we rather add nothing, since who comes behind us can still validate it.
enum class ChainStatus { none, pass, fail, unknown };

// What our own results ("mx.example; arc=pass ...") say of it; unknown where they do not, or twice.
ChainStatus chain_status(std::string_view payload);

struct Sealing {
  ChainStatus status = ChainStatus::none;
  // Our name and what we found: "mx.example; spf=pass smtp.mailfrom=a@b; arc=none".  See mail::combined_results().
  std::string payload;

  // What follows is for those who must have the octets of others; left alone, it is as we want it.
  std::vector<std::string_view> fields;   // h=
  std::vector<std::string_view> message_signature_tags = {"i", "a", "c", "d", "s", "t", "h", "bh", "b"};
  std::vector<std::string_view> seal_tags = {"i", "a", "t", "cv", "d", "s", "b"};
  bool fold_signatures = true;            // b= on several lines: where they break, ARC-Seal covers as white space
};

// The three fields of a new ARC Set, each with CRLF, to be put before `message`: ARC-Seal, ARC-Message-Signature and
// ARC-Authentication-Results.  RFC 8617 5.1.  relaxed/relaxed, SHA-256, no l= and no x=; signed is what signatures_of()
// signs, and the DKIM-Signature fields.
//
// `message`: the octets as they are sent, with our own signatures, CRLF line ends; nothing may change them behind this.
// "" when nothing is to be added: the newest seal says cv=fail (5.1 step 2), or there is a chain of unknown status.  A chain that fails
// gets one last set, which says so and covers only itself (5.1.2).  An Error: why it cannot be sealed, among others a
// status that does not fit the fields that are there, and a chain of 50 sets.
Result<std::string> seal(std::string_view message, const Sealing& sealing, const Key& key, Time now);

}  // namespace postern::signing
