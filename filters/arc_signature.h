#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"

namespace postern::filters {

// The tags of an ARC-Message-Signature or ARC-Seal, checked in everything that needs neither key nor message.
// RFC 8617 4.1.2, 4.1.3; RFC 6376 3.5; RFC 8301; RFC 8463.  Keeps no views but `names`.
struct ArcSignature {
  std::string problem;              // why it can never verify, in words; ""
  std::string domain;               // d=, lower case, A-labels
  std::string selector;             // s=, likewise
  std::string key_name;             // "selector._domainkey.domain"
  std::string algorithm;            // "rsa-sha256", "ed25519-sha256"
  bool ed25519 = false;
  std::string signature;            // b=, decoded
  // Of a message signature alone:
  std::string body_hash;            // bh=, decoded
  bool relaxed_header = false;      // c=
  bool relaxed_body = false;
  std::vector<std::string_view> names;        // h=; views into the field
  bool covers_from = false;
  std::optional<std::uint64_t> body_length;   // l=
};

// `raw`: what stands behind the colon, folding included; must outlive the result.
ArcSignature parse_arc_message_signature(std::string_view raw, Time now);
ArcSignature parse_arc_seal(std::string_view raw);

}  // namespace postern::filters
