// Who a client is: reverse DNS confirmed forward, RFC 8601 3.
#include "filters/reputation.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "gateway/io/together.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxReverseNames = 10;  // as RFC 7208 5.5: more only serve to tire us

enum class Leads { back, elsewhere, unknown };

io::Task<Leads> leads_back(dns::Resolver& resolver, std::string name, IpAddress ip, Deadline deadline) {
  dns::Type type = ip.is_v4() ? dns::Type::a : dns::Type::aaaa;
  dns::Answer answer = co_await resolver.query(std::move(name), type, deadline);
  if (answer.temporary()) co_return Leads::unknown;
  for (const auto& record : answer.records) {
    if (record.address == ip) co_return Leads::back;
  }
  co_return Leads::elsewhere;
}

}  // namespace

io::Task<Reputation> look_up_reputation(dns::Resolver& resolver, IpAddress ip, Deadline deadline) {
  Reputation out;
  dns::Answer names = co_await resolver.query(ip.ptr_name(), dns::Type::ptr, deadline);
  if (names.temporary()) {
    out.reverse = Reputation::Reverse::temperror;
    co_return out;
  }
  if (names.records.empty()) co_return out;
  out.ptr = names.records.front().text;

  std::size_t count = std::min(names.records.size(), kMaxReverseNames);
  std::vector<io::Task<Leads>> questions;
  for (std::size_t i = 0; i < count; ++i) {
    questions.push_back(leads_back(resolver, names.records[i].text, ip, deadline));
  }
  std::vector<Leads> leads = co_await io::together(std::move(questions));
  bool unknown = false;
  for (std::size_t i = 0; i < count; ++i) {
    if (leads[i] == Leads::back) {
      out.name = names.records[i].text;
      out.reverse = Reputation::Reverse::confirmed;
      co_return out;
    }
    unknown = unknown || leads[i] == Leads::unknown;
  }
  out.reverse = unknown ? Reputation::Reverse::temperror : Reputation::Reverse::unconfirmed;
  co_return out;
}

}  // namespace postern::filters
