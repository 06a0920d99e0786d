// The configuration's answer to "where does this domain's mail go".
#include "gateway/delivery/route.h"

#include <map>

namespace postern::delivery {

struct Routes::Table {
  std::map<std::string, config::Relay, std::less<>> relays;
  std::map<std::string, RoutePtr, std::less<>> routes;
};

void Routes::configure(const config::Config& config) {
  auto table = std::make_shared<Table>();
  for (const auto& domain : config.domains) {
    if (domain.relay.hosts.empty()) continue;
    auto route = std::make_shared<Route>();
    for (const auto& host : domain.relay.hosts) route->key += host.to_string() + " ";
    route->key += "tls=" + std::string(config::name(domain.relay.tls));
    route->hosts = domain.relay.hosts;
    route->tls = domain.relay.tls;
    table->relays.emplace(domain.name, domain.relay);
    table->routes.emplace(domain.name, std::move(route));
  }
  std::lock_guard lock(mutex_);
  table_ = std::move(table);
}

std::shared_ptr<const Routes::Table> Routes::current() const {
  std::lock_guard lock(mutex_);
  return table_;
}

RoutePtr Routes::find(std::string_view domain) const {
  auto table = current();
  if (auto found = table->routes.find(domain); found != table->routes.end()) return found->second;
  auto route = std::make_shared<Route>();
  route->key = "mx:" + std::string(domain);
  route->domain = domain;
  return route;
}

std::optional<config::Relay> Routes::relay(std::string_view domain) const {
  auto table = current();
  auto found = table->relays.find(domain);
  return found == table->relays.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace postern::delivery
