#pragma once

#include <string>

#include "filters/facts.h"
#include "gateway/smtp/judge.h"

namespace postern::filters {

// What is known when the field is written; nullptr: was not asked.
struct AuthenticationFacts {
  const Reputation* reputation = nullptr;
  const Spf* spf = nullptr;
  const Dkim* dkim = nullptr;
  const Dmarc* dmarc = nullptr;
  const Arc* arc = nullptr;
};

// The Authentication-Results field with CRLF at its end: iprev, auth, spf, dkim for each signature (or
// dkim=none), dmarc, arc.  RFC 8601 2.7, RFC 6008 (header.b), RFC 7489 11.1, RFC 8617 10.2.
std::string authentication_results(const std::string& hostname, const smtp::Client& client, const smtp::Sender& sender,
                                   const AuthenticationFacts& facts);

}  // namespace postern::filters
