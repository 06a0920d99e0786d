#pragma once

#include <string>

#include "filters/lua/scene.h"

namespace postern::filters {

// The Authentication-Results field with CRLF, from the facts that are known.  RFC 8601.
std::string authentication_results(const std::string& hostname, const lua::Scene& scene);

// The facts for trace and `explain`, design 7, and what the rules asked:
// {"spf":{"result":"pass",...},"dkim":[...],"dmarc":{...},"arc":{...},"virus":null,"asked":{...}}
std::string facts_json(const lua::Scene& scene);

// SPF passed for the envelope sender's domain, or a signature of it or of a domain above it did.
bool sender_proved(const lua::Scene& scene);

}  // namespace postern::filters
