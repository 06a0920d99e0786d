#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "filters/facts.h"
#include "gateway/base/clock.h"
#include "gateway/base/ip.h"
#include "gateway/dns/resolver.h"
#include "gateway/io/task.h"

namespace postern::filters {

// Forward-confirmed reverse DNS, "iprev" of RFC 8601 3: the names of the address, of which the first
// one that leads back to it is the client's name.  At most ten names are followed, at once.
// An unknown answer counts only when no name is confirmed.  `resolver` must outlive the task.
io::Task<Reputation> look_up_reputation(dns::Resolver& resolver, IpAddress ip, Deadline deadline);

// What the name given with HELO looks like; needs no DNS.  RFC 5321 4.1.1.1, 4.1.3.
struct HeloShape {
  bool valid = false;            // a host name with a dot, or an address literal, by RFC 5321 4.1.2
  bool literal = false;          // [192.0.2.1], [IPv6:...]
  bool literal_is_client = false;
  bool bare_address = false;     // 192.0.2.1 without brackets: invalid, and common
  bool ours = false;             // claims to be us
  std::string problem;           // why not valid or not true, in words; empty when nothing is wrong
};
HeloShape inspect_helo(std::string_view helo, const IpAddress& client, const std::vector<std::string>& our_names);

// Whether a HELO name has an address or an MX at all, and whether one of its addresses is the client's.
struct HeloName {
  enum class Resolves { yes, no, temperror } resolves = Resolves::no;
  bool is_client = false;
};
io::Task<HeloName> look_up_helo(dns::Resolver& resolver, std::string helo, IpAddress client, Deadline deadline);

}  // namespace postern::filters
