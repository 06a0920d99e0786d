#include "gateway/sender.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "gateway/directory/unsubscribe.h"

namespace postern {
namespace {

std::optional<IpAddress> address_of(const sockaddr* address) {
  if (address == nullptr) return std::nullopt;
  if (address->sa_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, address, sizeof four);
    return IpAddress::v4(ntohl(four.sin_addr.s_addr));
  }
  if (address->sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 six{};
  std::memcpy(&six, address, sizeof six);
  std::array<std::uint8_t, 16> octets{};
  std::memcpy(octets.data(), six.sin6_addr.s6_addr, octets.size());
  return IpAddress::v6(octets);
}

void add(std::vector<Network>& networks, IpAddress address) { networks.emplace_back(address, address.bits()); }

// "": there are no such pages, or the addresses are too long for a link.
std::string unsubscribe_link(const Shared& shared, const std::string& list, const std::string& member) {
  auto tokens = shared.link_keys.current();
  if (shared.config.listen.links.empty() || shared.config.public_url.empty() || !tokens) return "";
  auto expires = Clock::system().now() + directory::LinkKeys::kLongest;
  auto token = directory::unsubscribe_token(*tokens, {list, member}, expires);
  return token ? shared.config.public_url + "/unsubscribe/" + *token : "";
}

}  // namespace

smtp_client::Ourselves ourselves(const config::Config& config) {
  smtp_client::Ourselves out;
  out.names.push_back(config.hostname);
  bool everywhere = false;
  for (const auto& endpoint : config.listen.smtp) {
    auto octets = endpoint.address.octets();
    if (std::all_of(octets.begin(), octets.end(), [](char octet) { return octet == 0; })) everywhere = true;
    else if (endpoint.port == 25) add(out.addresses, endpoint.address);
  }
  ifaddrs* interfaces = nullptr;
  if (!everywhere || ::getifaddrs(&interfaces) != 0) return out;
  for (auto* each = interfaces; each != nullptr; each = each->ifa_next) {
    if (auto address = address_of(each->ifa_addr)) add(out.addresses, *address);
  }
  ::freeifaddrs(interfaces);
  return out;
}

Sender::Sender(Shared& shared)
    : store_(*shared.store),
      resolver_(loop_, admin::Judging::dns_config(shared.config), shared.judging->cache),
      sts_({loop_, resolver_, *shared.store, shared.config.tls.trust}),
      connector_(resolver_, {shared.config.hostname, ourselves(shared.config), {}, shared.outward_tls, shared.config.dns.validating, &sts_, &tls_results_}),
      queue_({loop_, *shared.store, *shared.directory, shared.routes, connector_, shared.config.hostname, &shared.signer, shared.abuse.get(),
              [&shared](const std::string& list, const std::string& member) { return unsubscribe_link(shared, list, member); }}, shared.config.queue) {}

Sender::~Sender() {
  join();
  loop_.end_tasks();
}

void Sender::start() {
  loop_.spawn(queue_.run(), "queue");
  loop_.spawn(sts_.keep(), "sts");
  loop_.spawn(tls_results_.keep(store_), "tlsrpt");
  thread_ = std::thread([this] { loop_.run(); });
}

void Sender::join() {
  loop_.stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace postern
