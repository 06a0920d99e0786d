// What DNS should have for a domain of ours.
#include "gateway/admin/dns_records.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "gateway/base/text.h"

namespace postern::admin {
namespace {

using What = DnsRecord::What;
using signing::State;

DnsRecord record(What what, std::string name, std::string type, std::string value, std::string about, bool needed) {
  DnsRecord out;
  out.what = what;
  out.name = std::move(name);
  out.type = std::move(type);
  out.value = std::move(value);
  out.about = std::move(about);
  out.needed = needed;
  return out;
}

// FNV-1a: an id that changes when the policy does, RFC 8461 3.1.
std::string id_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (unsigned char c : text) hash = (hash ^ c) * 1099511628211ULL;
  std::string octets;
  for (int shift = 56; shift >= 0; shift -= 8) octets += static_cast<char>(hash >> shift & 0xff);
  return hex(octets);
}

// RFC 6186 and 8314: how mail programs find their servers by the address alone.
void add_services(std::vector<DnsRecord>& out, const config::Config& config, const std::string& domain) {
  struct Service {
    const char* name;
    const std::vector<Endpoint>* endpoints;
    int priority;   // the more secure way first
  };
  const auto& listen = config.listen;
  for (const auto& service : {Service{"submissions", &listen.submissions, 0}, Service{"submission", &listen.submission, 10},
                              Service{"imaps", &listen.imaps, 0}, Service{"imap", &listen.imap, 10}, Service{"pop3s", &listen.pop3s, 20},
                              Service{"pop3", &listen.pop3, 30}}) {
    if (service.endpoints->empty()) continue;
    auto port = std::to_string(service.endpoints->front().port);
    out.push_back(record(What::srv, "_" + std::string(service.name) + "._tcp." + domain, "SRV",
                         std::to_string(service.priority) + " 1 " + port + " " + config.hostname,
                         "mail programs find the server by it (RFC 6186, RFC 8314)", false));
  }
}

void add_keys(DnsWishes& out, const signing::Keys& keys, const std::string& domain, bool sends) {
  bool any = false;
  for (const auto& key : keys) {
    if (key.domain != domain || key.state == State::ended) continue;
    any = true;
    std::string about = key.state == State::waiting  ? "the key that waits for it signs as soon as it is there"
                        : key.state == State::active ? "mail is signed with this key"
                                                     : "mail under way is verified with this old key; keep it for now";
    out.records.push_back(record(What::dkim, key.record_name(), "TXT", key.record_text(), std::move(about), true));
  }
  if (!any && sends) out.advice = "Nothing is signed yet: `postern dkim new " + domain + "` makes DKIM keys, and their records belong here.";
}

bool is_public(const IpAddress& address) {
  static const std::vector<Network> kNobodys = {*Network::parse("0.0.0.0/8"), *Network::parse("100.64.0.0/10")};   // RFC 6598
  return !address.is_private() && !any_contains(kNobodys, address);
}

}  // namespace

std::string_view name(What what) {
  switch (what) {
    case What::address: return "address";
    case What::mx: return "MX";
    case What::spf: return "SPF";
    case What::dkim: return "DKIM";
    case What::dmarc: return "DMARC";
    case What::mta_sts: return "MTA-STS";
    case What::tlsrpt: return "TLSRPT";
    case What::srv: return "SRV";
    case What::ptr: return "PTR";
  }
  return "?";
}

DnsWishes wanted_records(const config::Config& config, const signing::Keys& keys, const std::string& domain,
                         const std::vector<IpAddress>& addresses) {
  DnsWishes out;
  const auto& host = config.hostname;
  bool sends = !config.smtp.trusted.empty() || !config.listen.submission.empty() || !config.listen.submissions.empty();
  for (const auto& address : addresses) {
    out.records.push_back(record(What::address, host, address.is_v4() ? "A" : "AAAA", address.to_string(), "where others reach us", true));
  }
  if (addresses.empty()) out.records.push_back(record(What::address, host, "A", "", "the address at which others reach us", true));
  out.records.push_back(record(What::mx, domain, "MX", "10 " + host, "mail for the domain comes here", true));
  out.records.push_back(record(What::spf, domain, "TXT", "v=spf1 mx -all",
                               "who may send as the domain: the hosts of its MX, and nobody else; add what else sends for you", sends));
  add_keys(out, keys, domain, sends);
  out.records.push_back(record(What::dmarc, "_dmarc." + domain, "TXT", "v=DMARC1; p=none; rua=mailto:postmaster@" + domain,
                               "what receivers do with mail that only pretends to be of the domain; p=quarantine once the reports look well", sends));
  out.mta_sts.address = "https://mta-sts." + domain + "/.well-known/mta-sts.txt";
  out.mta_sts.text = "version: STSv1\r\nmode: testing\r\nmx: " + host + "\r\nmax_age: 604800\r\n";
  out.records.push_back(record(What::mta_sts, "_mta-sts." + domain, "TXT", "v=STSv1; id=" + id_of(out.mta_sts.text) + ";",
                               "senders insist on TLS; goes with the policy file (RFC 8461)", false));
  out.records.push_back(record(What::tlsrpt, "_smtp._tls." + domain, "TXT", "v=TLSRPTv1; rua=mailto:postmaster@" + domain,
                               "senders report when TLS to us fails (RFC 8460)", false));
  const auto* own = [&]() -> const config::Domain* {
    for (const auto& each : config.domains) {
      if (each.name == domain) return &each;
    }
    return nullptr;
  }();
  if (own != nullptr && own->relay.hosts.empty()) add_services(out.records, config, domain);
  for (const auto& address : addresses) {
    out.records.push_back(record(What::ptr, address.ptr_name(), "PTR", host, "who lends you the address sets it; many refuse mail without", sends));
  }
  return out;
}

std::string zone_line(const DnsRecord& record) {
  if (record.type == "TXT") return signing::zone_line(record.name, record.value);
  bool ends_with_name = record.type == "MX" || record.type == "SRV" || record.type == "PTR" || record.type == "CNAME";
  return record.name + ". IN " + record.type + " " + record.value + (ends_with_name ? "." : "");
}

std::vector<IpAddress> public_addresses() {
  std::vector<IpAddress> out;
  ifaddrs* interfaces = nullptr;
  if (::getifaddrs(&interfaces) != 0) return out;
  for (auto* each = interfaces; each != nullptr; each = each->ifa_next) {
    std::optional<IpAddress> address;
    if (each->ifa_addr != nullptr && each->ifa_addr->sa_family == AF_INET) {
      sockaddr_in four{};
      std::memcpy(&four, each->ifa_addr, sizeof four);
      address = IpAddress::v4(ntohl(four.sin_addr.s_addr));
    } else if (each->ifa_addr != nullptr && each->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 six{};
      std::memcpy(&six, each->ifa_addr, sizeof six);
      std::array<std::uint8_t, 16> octets{};
      std::memcpy(octets.data(), six.sin6_addr.s6_addr, octets.size());
      address = IpAddress::v6(octets);
    }
    bool known = address && std::find(out.begin(), out.end(), *address) != out.end();
    if (address && !known && is_public(*address)) out.push_back(*address);
  }
  ::freeifaddrs(interfaces);
  return out;
}

}  // namespace postern::admin
