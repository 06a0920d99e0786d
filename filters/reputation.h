#pragma once

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

}  // namespace postern::filters
