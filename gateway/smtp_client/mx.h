#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/ip.h"
#include "gateway/dns/resolver.h"
#include "gateway/io/task.h"
#include "gateway/smtp_client/outcome.h"

namespace postern::smtp_client {

// Of a domain so many hosts, and of a host so many addresses, are tried at most.
constexpr std::size_t kMaxHosts = 20;
constexpr std::size_t kMaxAddresses = 10;

struct MailHost {
  std::string name;                   // lower case, no final dot; the literal itself for an address literal
  std::uint16_t preference = 0;
  std::vector<IpAddress> addresses;   // never empty; IPv6 and IPv4 in turn, beginning with IPv6
  bool authentic = false;             // DNS answered so for all on the way to the addresses: MX, CNAMEs, A and AAAA
};

// Where a domain's mail goes, in order of trial; without hosts `failure` says why.
struct MailHosts {
  std::vector<MailHost> hosts;
  Outcome failure;   // transient or permanent, Step::connect, our words
};

// "mx.example.org", or "*.example.org" for exactly one label in front (RFC 8461 4.1).  Both in lower case.
bool matches_host(std::string_view pattern, std::string_view host);

// Who we are, so that mail for a domain that we are a backup of never comes back to us (RFC 5321 5.1).
struct Ourselves {
  std::vector<std::string> names;     // lower case, no final dot
  std::vector<Network> addresses;     // of our listeners, as the world sees them
};

// RFC 5321 5.1: MX by preference, hosts of one preference shuffled; without MX the domain itself; RFC 7505's null MX;
// "[192.0.2.1]".  `domain` as mail::Path has it.  `random` gives any number (random_number() but in tests).
// `resolver` and `us` must outlive the task.
io::Task<MailHosts> find_mail_hosts(dns::Resolver& resolver, std::string domain, const Ourselves& us,
                                    std::function<std::uint64_t()> random, Deadline deadline);

}  // namespace postern::smtp_client
