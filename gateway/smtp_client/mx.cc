// From a domain to the hosts that take its mail: RFC 5321 5.1, RFC 7505.
#include "gateway/smtp_client/mx.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "gateway/base/text.h"
#include "gateway/io/together.h"

namespace postern::smtp_client {
namespace {

using Kind = Outcome::Kind;
using Random = std::function<std::uint64_t()>;

MailHosts no_hosts(Kind kind, std::string_view status, std::string text) {
  MailHosts out;
  out.failure = Outcome::ours(kind, Step::connect, status, std::move(text));
  return out;
}

MailHosts loops_back(const std::string& domain) {
  return no_hosts(Kind::permanent, "5.4.6", "mail for " + domain + " would come back to this server: it is its best mail host, or the only one");
}

MailHosts dns_trouble(const std::string& name, std::string_view types, dns::Status status) {
  return no_hosts(Kind::transient, "4.4.3", "DNS gives no answer for " + name + " " + std::string(types) + ": " + std::string(dns::status_name(status)));
}

// Fisher and Yates; the standard's shuffle differs from library to library.
template <class T>
void shuffle(std::vector<T>& values, std::size_t begin, std::size_t end, const Random& random) {
  for (std::size_t left = end - begin; left > 1; --left) std::swap(values[begin + left - 1], values[begin + random() % left]);
}

// By preference, those of one preference in any order: so load is spread.
void put_in_order(std::vector<MailHost>& hosts, const Random& random) {
  std::sort(hosts.begin(), hosts.end(), [](const MailHost& a, const MailHost& b) {
    return std::tie(a.preference, a.name) < std::tie(b.preference, b.name);
  });
  for (std::size_t begin = 0; begin < hosts.size();) {
    std::size_t end = begin;
    while (end < hosts.size() && hosts[end].preference == hosts[begin].preference) ++end;
    shuffle(hosts, begin, end, random);
    begin = end;
  }
}

std::vector<IpAddress> in_turn(const dns::Answer& six, const dns::Answer& four, const Random& random) {
  std::vector<IpAddress> v6, v4, out;
  for (const auto& record : six.records) v6.push_back(record.address);
  for (const auto& record : four.records) v4.push_back(record.address);
  shuffle(v6, 0, v6.size(), random);   // a resolver's cache repeats itself
  shuffle(v4, 0, v4.size(), random);
  for (std::size_t i = 0; i < std::max(v6.size(), v4.size()); ++i) {
    if (i < v6.size()) out.push_back(v6[i]);
    if (i < v4.size()) out.push_back(v4[i]);
  }
  out.resize(std::min(out.size(), kMaxAddresses));
  return out;
}

bool is_us(const MailHost& host, const Ourselves& us) {
  if (std::find(us.names.begin(), us.names.end(), host.name) != us.names.end()) return true;
  return std::any_of(host.addresses.begin(), host.addresses.end(), [&](const IpAddress& address) { return any_contains(us.addresses, address); });
}

// What is not better than we are would send it back to us, or round in a circle with us.  False: nothing is left.
bool cut_off(std::vector<MailHost>& hosts, const Ourselves& us) {
  auto own = std::find_if(hosts.begin(), hosts.end(), [&](const MailHost& host) { return is_us(host, us); });
  if (own == hosts.end()) return true;
  auto ours = own->preference;
  std::erase_if(hosts, [ours](const MailHost& host) { return host.preference >= ours; });
  return !hosts.empty();
}

// Fills in the addresses of all hosts at once; gives the trouble of the last host that had some.
io::Task<dns::Status> find_addresses(dns::Resolver& resolver, std::vector<MailHost>& hosts, const Random& random, Deadline deadline) {
  std::vector<io::Task<dns::Answer>> questions;
  for (const auto& host : hosts) {
    questions.push_back(resolver.query(host.name, dns::Type::aaaa, deadline));
    questions.push_back(resolver.query(host.name, dns::Type::a, deadline));
  }
  auto answers = co_await io::together(std::move(questions));
  auto trouble = dns::Status::ok;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const auto& six = answers[2 * i];
    const auto& four = answers[2 * i + 1];
    hosts[i].addresses = in_turn(six, four, random);
    hosts[i].authentic = (!six.ok() || six.authentic) && (!four.ok() || four.authentic);
    if (!hosts[i].addresses.empty()) continue;
    if (six.temporary()) trouble = six.status;
    if (four.temporary()) trouble = four.status;
  }
  co_return trouble;
}

MailHosts of_literal(const std::string& domain, const Ourselves& us) {
  auto inside = std::string_view(domain).substr(1, domain.size() - 2);
  if (istarts_with(inside, "IPv6:")) inside.remove_prefix(5);
  auto address = IpAddress::parse(inside);
  if (!address || !domain.ends_with(']')) return no_hosts(Kind::permanent, "5.1.2", domain + " is no address literal");
  MailHosts out;
  auto& host = out.hosts.emplace_back();
  host.name = domain;
  host.addresses.push_back(*address);
  if (is_us(host, us)) return loops_back(domain);
  return out;
}

MailHost host_of(const dns::Record& mx) {
  MailHost out;
  out.name = mx.text;
  out.preference = mx.preference;
  return out;
}

}  // namespace

bool matches_host(std::string_view pattern, std::string_view host) {
  if (!pattern.starts_with("*.")) return pattern == host;
  auto dot = host.find('.');
  return dot != std::string_view::npos && dot != 0 && host.substr(dot) == pattern.substr(1);
}

io::Task<MailHosts> find_mail_hosts(dns::Resolver& resolver, std::string domain, const Ourselves& us, Random random, Deadline deadline) {
  if (domain.starts_with('[')) co_return of_literal(domain, us);
  auto mx = co_await resolver.query(domain, dns::Type::mx, deadline);
  if (mx.temporary()) co_return dns_trouble(domain, "MX", mx.status);
  if (mx.status == dns::Status::nxdomain) co_return no_hosts(Kind::permanent, "5.1.2", "the domain " + domain + " does not exist");

  MailHosts out;
  for (const auto& record : mx.records) {
    if (!record.text.empty()) out.hosts.push_back(host_of(record));
  }
  // RFC 7505 3: beside others a null MX is a mistake, and means nothing.
  if (mx.ok() && out.hosts.empty()) co_return no_hosts(Kind::permanent, "5.1.10", "the domain " + domain + " takes no mail (null MX)");
  const bool implicit = !mx.ok();
  if (implicit) out.hosts.emplace_back().name = domain;
  put_in_order(out.hosts, random);
  if (!cut_off(out.hosts, us)) co_return loops_back(domain);   // by name, before we could be among those that are too many
  if (out.hosts.size() > kMaxHosts) out.hosts.resize(kMaxHosts);

  auto trouble = co_await find_addresses(resolver, out.hosts, random, deadline);
  if (!cut_off(out.hosts, us)) co_return loops_back(domain);
  std::erase_if(out.hosts, [](const MailHost& host) { return host.addresses.empty(); });
  // Without MX the host is the domain itself, which nobody has told us.
  for (auto& host : out.hosts) host.authentic = host.authentic && (implicit || mx.authentic);
  if (!out.hosts.empty()) co_return std::move(out);
  if (trouble != dns::Status::ok) co_return dns_trouble(implicit ? domain : "the mail hosts of " + domain, "A and AAAA", trouble);
  if (implicit) co_return no_hosts(Kind::permanent, "5.1.2", "the domain " + domain + " has neither a mail host nor an address");
  co_return no_hosts(Kind::permanent, "5.4.4", "none of the mail hosts of " + domain + " has an address");
}

}  // namespace postern::smtp_client
