#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config/config.h"

namespace postern::delivery {

// How the mail of a domain goes on.
struct Route {
  std::string key;                    // equal for equal routes: what shares connections and back-off
  std::string domain;                 // of a route by MX
  std::vector<config::Host> hosts;    // in order of trial; empty: the mail hosts of `domain` in DNS
  config::TlsUse tls = config::TlsUse::may;
  bool by_mx() const { return hosts.empty(); }
};
using RoutePtr = std::shared_ptr<const Route>;

// Which domain goes where, by the configuration.  Safe from any thread.
class Routes {
 public:
  explicit Routes(const config::Config& config) { configure(config); }
  void configure(const config::Config& config);   // after a reload

  // Of a domain in A-label form, or an address literal.
  RoutePtr find(std::string_view domain) const;
  // Of a domain of ours that goes on; nothing: it has mailboxes here, or is not ours.
  std::optional<config::Relay> relay(std::string_view domain) const;

 private:
  struct Table;
  std::shared_ptr<const Table> current() const;
  mutable std::mutex mutex_;
  std::shared_ptr<const Table> table_;
};

}  // namespace postern::delivery
