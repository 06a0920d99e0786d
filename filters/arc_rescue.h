#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "filters/arc.h"

namespace postern::filters {

// Whose word about a message we take.  Each entry a domain as d= of its seals has it ("lists.example.org"), or with a dot in
// front (".example.org") that domain and all below it.
using TrustedSealers = std::vector<std::string>;
bool is_trusted(const TrustedSealers& trusted, std::string_view sealer);

// The author that fails DMARC here.
struct ArcAuthor {
  std::string domain;          // RFC5322.From, A-labels; with several authors nothing is rescued
  bool only_one = true;
  bool strict_spf = false;     // of its DMARC record
  bool strict_dkim = false;
};

// Whether a DMARC failure is excused by what a trusted sealer saw.  RFC 8617 7.2.1.
struct ArcRescue {
  bool rescued = false;
  unsigned instance = 0;       // whose Authentication-Results were read
  std::string sealer;          // its d=
  std::string evidence;        // "dmarc=pass header.from=example.org", what it saw; rescued only
  std::string reason;          // in words, either way
  // For the DMARC report, type local_policy (RFC 8617 7.2.2): "arc=pass as[2].d=b.example as[2].s=s2 as[1].d=... remote-ip[1]=...";
  // of every chain that passes.
  std::string comment;
};

// The set that is read is the oldest trusted one that can still speak for this message: each sealer behind it is trusted
// as well and every message signature on the way covers From and the whole body, or its own does and still verifies, so
// that nobody has changed what it covers.  An untrusted sealer can give any text a chain that passes, and a trusted one's
// set can be taken from another message.
//
// That set must say dmarc=pass for this author.  Where it says nothing of DMARC, an SPF or DKIM pass that is aligned with
// the author counts.  Pure; `arc` of any result.
ArcRescue rescue_by_arc(const Arc& arc, const TrustedSealers& trusted, const ArcAuthor& author);

}  // namespace postern::filters
