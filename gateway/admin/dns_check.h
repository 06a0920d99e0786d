#pragma once

#include <string>
#include <vector>

#include "gateway/admin/dns_records.h"
#include "gateway/delivery/sts_policies.h"
#include "gateway/dns/resolver.h"
#include "gateway/io/task.h"

namespace postern::admin {

// What DNS says where a record should be.
struct DnsFinding {
  enum class State { ok, missing, different, unknown };   // unknown: DNS gave no answer
  DnsRecord wanted;
  State state = State::unknown;
  std::vector<std::string> found;   // in readable text; foreign
  std::string advice;               // what is wrong and what to do, a sentence; may be there with ok
};
std::string_view name(DnsFinding::State state);

// Looks each record up, all at once.  What another says as well, such as a stricter SPF record that lets our host send,
// is ok.  The policy of MTA-STS is fetched as other servers fetch it.  `config`, `keys` and `resolver` must outlive the task.
io::Task<std::vector<DnsFinding>> check_records(dns::Resolver& resolver, const config::Config& config, const signing::Keys& keys,
                                                std::string domain, DnsWishes wishes, Deadline deadline,
                                                delivery::StsPolicies::Fetch fetch = io::get_https);

}  // namespace postern::admin
