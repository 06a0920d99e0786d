#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "filters/facts.h"
#include "gateway/base/clock.h"

namespace postern::filters {

// One DKIM-Signature field, checked in everything that needs neither key nor message.  RFC 6376 3.5, 6.1.1.
//
// This stands between foreign octets and libopendkim, which takes more than the RFC allows and reads
// out of bounds on some of it: only fields that are well-formed here may reach it.
struct ParsedSignature {
  DkimSignature shown;          // `result` is none while nothing speaks against it
  bool well_formed = false;     // fit for libopendkim, even if we refuse it (expired, rsa-sha1)
  std::string key_name;         // "selector._domainkey.domain"
  bool ed25519 = false;
  bool relaxed_body = false;
  bool identity_below = false;  // i= is of a domain below d=
  std::optional<std::uint64_t> body_length;   // l=
  std::optional<std::uint64_t> signed_at;     // t=
};

// `value`: what stands behind the colon, folding included.
ParsedSignature parse_dkim_signature(std::string_view value, Time now);

}  // namespace postern::filters
