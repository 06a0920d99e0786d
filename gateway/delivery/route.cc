// The configuration's answer to "where does this mail go".
#include "gateway/delivery/route.h"

#include <map>

namespace postern::delivery {
namespace {

using Named = std::map<std::string, config::Route, std::less<>>;

std::string key_of(const std::vector<config::Host>& hosts, config::TlsUse tls) {
  std::string out;
  for (const auto& host : hosts) out += host.to_string() + " ";
  return out + "tls=" + std::string(config::name(tls));
}

RoutePtr route_of(const config::Relay& relay) {
  auto out = std::make_shared<Route>();
  out->key = key_of(relay.hosts, relay.tls);
  out->hosts = relay.hosts;
  out->tls = relay.tls;
  out->own = true;
  return out;
}

RoutePtr route_of(const config::Route& from, std::string_view destination) {
  auto out = std::make_shared<Route>();
  out->hosts = from.hosts;
  out->mx = from.mx;
  out->tls = from.tls;
  out->login = from.login;
  out->password_file = from.password_file;
  out->rate = from.rate;
  out->connections = from.connections;
  if (from.hosts.empty()) {
    out->domain = destination;
    out->key = "mx:" + std::string(destination) + (from.tls == config::TlsUse::may ? "" : " tls=" + std::string(config::name(from.tls)));
  } else {
    out->key = key_of(from.hosts, from.tls) + (from.login.empty() ? "" : " login=" + from.login);
  }
  return out;
}

RoutePtr lists_route() {
  auto out = std::make_shared<Route>();
  out->key = kListLane;
  out->own = true;
  out->lists = true;
  out->connections = 1;   // one post at a time, so that the others do not wait with their share of the memory
  return out;
}

std::string_view domain_of(std::string_view address) {
  auto at = address.rfind('@');
  return at == std::string_view::npos ? address : address.substr(at + 1);
}

// The route of the longest ".domain" above `destination`.
const config::Route* above(const Named& routes, std::string_view destination) {
  for (auto dot = destination.find('.'); dot != std::string_view::npos; dot = destination.find('.', dot + 1)) {
    auto found = routes.find(destination.substr(dot));
    if (found != routes.end()) return &found->second;
  }
  return nullptr;
}

const config::Route* at(const Named& routes, std::string_view name) {
  auto found = routes.find(name);
  return found == routes.end() ? nullptr : &found->second;
}

}  // namespace

struct Routes::Table {
  std::map<std::string, config::Relay, std::less<>> relays;
  std::map<std::string, RoutePtr, std::less<>> own;
  Named routes;    // "example.org", ".example.org", "*"
  Named senders;

  const config::Route* named(std::string_view destination) const {
    const auto* out = at(routes, destination);
    return out != nullptr ? out : above(routes, destination);
  }
};

void Routes::configure(const config::Config& config) {
  auto table = std::make_shared<Table>();
  for (const auto& domain : config.domains) {
    if (domain.relay.hosts.empty()) continue;
    table->relays.emplace(domain.name, domain.relay);
    table->own.emplace(domain.name, route_of(domain.relay));
  }
  for (const auto& route : config.routes) table->routes.emplace(route.name, route);
  for (const auto& route : config.senders) table->senders.emplace(route.name, route);
  std::lock_guard lock(mutex_);
  table_ = std::move(table);
}

std::shared_ptr<const Routes::Table> Routes::current() const {
  std::lock_guard lock(mutex_);
  return table_;
}

// Nothing: it is no user, or he has hosts of his own no more.
RoutePtr Routes::of_user(const Table& table, std::string_view destination) const {
  auto at = destination.rfind('@');
  if (at == std::string_view::npos || !deliver_of_) return nullptr;
  auto hosts = config::parse_hosts(deliver_of_(destination));
  if (!hosts) return nullptr;
  config::Relay relay;
  relay.hosts = std::move(*hosts);
  auto domain = table.relays.find(destination.substr(at + 1));
  if (domain != table.relays.end()) relay.tls = domain->second.tls;
  return route_of(relay);
}

RoutePtr Routes::find(const Lane& lane) const {
  if (lane.destination.starts_with(kListLane)) return lists_route();
  auto table = current();
  if (auto own = of_user(*table, lane.destination)) return own;
  // What waits for hosts that a user had goes the way of his domain.
  std::string destination(domain_of(lane.destination));
  if (auto found = table->own.find(destination); found != table->own.end()) return found->second;
  const auto* named = table->named(destination);
  if (named == nullptr && !lane.sender.empty()) named = at(table->senders, domain_of(lane.sender));
  if (named == nullptr) named = at(table->routes, "*");
  const config::Route by_mx;
  return route_of(named != nullptr ? *named : by_mx, destination);
}

RoutePtr Routes::find(std::string_view destination) const { return find(Lane{std::string(destination), ""}); }

Lane Routes::narrowed(Lane lane) const {
  if (lane.destination.starts_with(kListLane)) return {std::move(lane.destination), ""};
  auto table = current();
  std::string domain(domain_of(lane.sender));
  bool matters = !domain.empty() && table->senders.contains(domain) && lane.destination.find('@') == std::string::npos && !table->own.contains(lane.destination) && table->named(lane.destination) == nullptr;
  lane.sender = matters ? domain : "";
  return lane;
}

std::optional<config::Relay> Routes::relay(std::string_view domain) const {
  auto table = current();
  auto found = table->relays.find(domain);
  return found == table->relays.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace postern::delivery
