#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filters/facts.h"
#include "gateway/base/clock.h"
#include "gateway/dns/resolver.h"
#include "gateway/io/task.h"

namespace postern::filters {

// The domains of the RFC5322.From field(s), in order, each once, as A-labels.  RFC 7489 6.6.1.
// Mostly one; `problem` when there is no From, no address in it, an invalid domain, or more of them than
// kMaxAuthorDomains.  The valid ones are there all the same: readers see them.
struct Authors {
  std::vector<std::string> domains;
  std::string problem;
};
constexpr std::size_t kMaxAuthorDomains = 5;
Authors author_domains(std::string_view message);

// A DMARC record.  RFC 7489 6.3.
struct DmarcRecord {
  DmarcPolicy policy = DmarcPolicy::none;      // p=
  std::optional<DmarcPolicy> subdomain_policy; // sp=
  bool strict_dkim = false;                    // adkim=s
  bool strict_spf = false;                     // aspf=s
  int percent = 100;                           // pct=
  std::string problem;                         // p= or sp= is invalid and there is no rua= (RFC 7489 6.6.3 6): no policy
};
// nullopt when the text does not begin with v=DMARC1.  What is malformed behind it has its default.
std::optional<DmarcRecord> parse_dmarc_record(std::string_view text);

// The organisational domain by the public suffix list (RFC 7489 3.2), lower case; a public suffix is
// its own.  Thread-safe.
std::string organizational_domain(std::string_view domain);

// Which share of pct= a message falls into: 0 to 99, the same for the same message and salt, so that a
// message that is tried again meets the same policy.
unsigned dmarc_sample(std::string_view message, std::uint64_t salt);

// What DNS says of one author's domain.  RFC 7489 6.6.3.
struct DmarcDiscovery {
  enum class State { found, none, several, temperror, permerror } state = State::none;
  std::string author;
  std::string record_domain;  // the author's domain or its organisational domain
  DmarcRecord record;         // when found
  std::string problem;
};
// Asks for the records of all authors at once; needs neither SPF nor DKIM, so it can run beside them.
// `resolver` must outlive the task.
io::Task<std::vector<DmarcDiscovery>> discover_dmarc(dns::Resolver& resolver, std::vector<std::string> domains,
                                                     Deadline deadline);

// DMARC for a message of these authors; `records`: what discover_dmarc gave for authors.domains.
// With several author domains each is evaluated and the strictest outcome counts (RFC 7489 6.6.1).  `result`:
//   pass       an aligned SPF or DKIM pass
//   fail       none; `policy` is what the domain asks for, with sp= and pct= applied (a message outside
//              of pct= gets one step less, 6.6.4)
//   none       the domain publishes no policy, or more than one record
//   temperror  the record could not be had, or an aligned SPF or DKIM result could not
//   permerror  From is at fault (authors.problem; then record_domain is empty) and no author fails, or a record
//              without a valid policy
Dmarc judge_dmarc(const Authors& authors, const std::vector<DmarcDiscovery>& records, const Spf& spf, const Dkim& dkim,
                  unsigned sample);

}  // namespace postern::filters
