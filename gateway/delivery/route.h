#pragma once

#include <compare>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config/config.h"

namespace postern::delivery {

// How mail goes on.
struct Route {
  std::string key;                    // equal for equal routes: what shares connections and back-off
  std::string domain;                 // of a route by MX
  std::vector<config::Host> hosts;    // in order of trial; empty: the mail hosts of `domain` in DNS
  std::vector<std::string> mx;        // of those only these, as config::Route; empty: all
  config::TlsUse tls = config::TlsUse::may;
  std::string login;                  // AUTH; "": none
  std::string password_file;
  config::Rate rate;                  // messages; count 0: no limit
  std::uint64_t connections = 0;      // at once; 0: the queue's limit
  bool own = false;                   // to the server of a domain of ours
  bool lists = false;                 // to no host: kListLane
  bool by_mx() const { return hosts.empty(); }
};
using RoutePtr = std::shared_ptr<const Route>;

// What decides over the route of a message.
struct Lane {
  std::string destination;   // a domain in A-label form, an address literal, or the address of a user who has hosts of his own
  std::string sender;        // the envelope's address, "": the null reverse-path; in the queue's memory only its domain
  auto operator<=>(const Lane&) const = default;
};

// The queue of our own mailing lists: what comes to one waits at "list:<its address>" until ListKeeper takes it.
inline constexpr std::string_view kListLane = "list:";

// Which mail goes where, by the configuration.  Safe from any thread.
//
// In this order: deliver of a user of ours; deliver of a domain of ours; [routes] by the destination, by the longest ".domain" above it;
// [senders] by the sender's domain; [routes."*"]; the mail hosts of the destination.
class Routes {
 public:
  explicit Routes(const config::Config& config) { configure(config); }
  void configure(const config::Config& config);   // after a reload
  // Before the first question: who knows Account::deliver of an address; "" for who has none.  Called on any thread.
  void ask_users(std::function<std::string(std::string_view)> deliver_of) { deliver_of_ = std::move(deliver_of); }

  RoutePtr find(const Lane& lane) const;
  // Of a domain or a user of ours, or of any without regard to the sender.
  RoutePtr find(std::string_view destination) const;
  // With the sender's domain where a route depends on it, else without: what the queue keeps in memory.
  Lane narrowed(Lane lane) const;
  // Of a domain of ours that goes on; nothing: it has mailboxes here, or is not ours.
  std::optional<config::Relay> relay(std::string_view domain) const;

 private:
  struct Table;
  std::shared_ptr<const Table> current() const;
  RoutePtr of_user(const Table& table, std::string_view destination) const;
  mutable std::mutex mutex_;
  std::shared_ptr<const Table> table_;
  std::function<std::string(std::string_view)> deliver_of_;
};

}  // namespace postern::delivery
