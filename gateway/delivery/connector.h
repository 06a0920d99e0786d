#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/delivery/policy.h"
#include "gateway/delivery/route.h"
#include "gateway/dns/resolver.h"
#include "gateway/io/task.h"
#include "gateway/smtp_client/connection.h"
#include "gateway/smtp_client/mx.h"

namespace postern::delivery {

// The hops of a route in order of trial; without any `failure` says why.
struct Hops {
  std::vector<Hop> hops;
  smtp_client::Outcome failure;
};

// An open connection and the hop that it leads to, or why there is none.
struct Opened {
  std::unique_ptr<smtp_client::Connection> connection;
  std::size_t at = 0;            // index into the hops
  smtp_client::Outcome failure;  // of the last hop that was tried
  Hop failed;                    // that hop
};

// Opens connections along routes.  One for each loop; its tasks run on that loop.
//
// A hop that did not answer is passed over for a while (half a minute, doubling up to ten minutes) as long as another
// one of the route is left; with none left all are tried.
class Connector {
 public:
  // What does not change while it lives.  `resolver` must outlive it.
  struct Self {
    std::string hostname;
    smtp_client::Ourselves us;
    smtp_client::Timeouts timeouts;
    smtp_client::TlsContexts tls = {};
    bool validating = false;           // as Policies::Parts
    StsPolicies* sts = nullptr;        // likewise
    TlsResults* results = nullptr;     // what TLS with a domain's mail hosts came to; nullptr: nobody counts
  };
  Connector(dns::Resolver& resolver, Self self)
      : resolver_(resolver), self_(std::move(self)), policies_({resolver, self_.validating, self_.sts}) {}

  io::Task<Hops> find(RoutePtr route);
  // Tries `hops` from the one numbered `from` on.
  io::Task<Opened> open(RoutePtr route, const std::vector<Hop>& hops, std::size_t from = 0);

 private:
  struct Silence {
    Deadline until{};
    std::chrono::steady_clock::duration wait{};
  };
  bool is_silent(const Hop& hop) const;
  void note(const Hop& hop, const smtp_client::Outcome* failure);
  io::Task<smtp_client::Connected> connect(RoutePtr route, const Hop& hop);
  io::Task<smtp_client::Connected> connect_by(const Policy& policy, const Route& route, const Hop& hop);
  Result<smtp_client::Target> target_of(const Route& route, const Hop& hop) const;
  io::Task<Hops> find_named(const Route& route);

  dns::Resolver& resolver_;
  Self self_;
  Policies policies_;
  std::map<Endpoint, Silence> silent_;
};

}  // namespace postern::delivery
