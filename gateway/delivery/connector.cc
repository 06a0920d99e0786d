// From a route to an open connection.
#include "gateway/delivery/connector.h"

#include <algorithm>

#include "gateway/base/random.h"
#include "gateway/io/together.h"

namespace postern::delivery {
namespace {

using namespace std::chrono_literals;
using smtp_client::Outcome;
using Kind = Outcome::Kind;

constexpr auto kLookUp = 30s;
constexpr auto kFirstSilence = 30s;
constexpr auto kLongestSilence = 10min;
constexpr std::size_t kMaxSilent = 10'000;

smtp_client::TlsPolicy policy_of(config::TlsUse use) {
  switch (use) {
    case config::TlsUse::never: return smtp_client::TlsPolicy::never;
    case config::TlsUse::may: return smtp_client::TlsPolicy::may;
    case config::TlsUse::must: return smtp_client::TlsPolicy::must;
    case config::TlsUse::verify: return smtp_client::TlsPolicy::verify;
  }
  return smtp_client::TlsPolicy::may;
}

Hop hop_of(const config::Host& host, IpAddress address) {
  Hop out;
  out.endpoint = {address, host.port};
  out.dialect = host.lmtp ? smtp_client::Dialect::lmtp : smtp_client::Dialect::smtp;
  out.host = host.name;
  return out;
}

// Nobody was there, or nobody who speaks with us; a host that refuses one message is not silent.
bool is_silence(const Outcome& failure) { return failure.step <= smtp_client::Step::hello && failure.kind != Kind::permanent; }

}  // namespace

std::string Hop::to_string() const {
  auto address = endpoint.address.to_string();
  if (host == address || host.starts_with('[')) return endpoint.to_string();
  return host + " [" + address + "]:" + std::to_string(endpoint.port);
}

io::Task<Hops> Connector::find(RoutePtr route) {
  Hops out;
  if (!route->by_mx()) {
    out = co_await find_named(*route);
    co_return out;
  }
  auto found = co_await smtp_client::find_mail_hosts(resolver_, route->domain, self_.us, random_number, in(kLookUp));
  out.failure = std::move(found.failure);
  for (const auto& host : found.hosts) {
    for (auto address : host.addresses) {
      auto& hop = out.hops.emplace_back();
      hop.endpoint = {address, 25};
      hop.host = host.name;
    }
  }
  co_return out;
}

// The hosts that the administrator named are not asked for MX: he names the machine itself.
io::Task<Hops> Connector::find_named(const Route& route) {
  Hops out;
  for (const auto& host : route.hosts) {
    if (auto address = IpAddress::parse(host.name)) {
      out.hops.push_back(hop_of(host, *address));
      continue;
    }
    std::vector<io::Task<dns::Answer>> questions;
    questions.push_back(resolver_.query(host.name, dns::Type::aaaa, in(kLookUp)));
    questions.push_back(resolver_.query(host.name, dns::Type::a, in(kLookUp)));
    auto answers = co_await io::together(std::move(questions));
    for (const auto& answer : answers) {
      for (const auto& record : answer.records) out.hops.push_back(hop_of(host, record.address));
    }
    // Also a name that does not exist is the administrator's mistake: nobody's mail is given up for it.
    if (out.hops.empty()) {
      out.failure = Outcome::ours(Kind::transient, smtp_client::Step::connect, "4.4.3",
                                  "DNS gives no address for " + host.name + ": " + std::string(dns::status_name(answers[1].status)));
    }
  }
  co_return out;
}

bool Connector::is_silent(const Hop& hop) const {
  auto found = silent_.find(hop.endpoint);
  return found != silent_.end() && std::chrono::steady_clock::now() < found->second.until;
}

void Connector::note(const Hop& hop, const Outcome* failure) {
  if (failure == nullptr || !is_silence(*failure)) {
    silent_.erase(hop.endpoint);
    return;
  }
  if (silent_.size() >= kMaxSilent) silent_.clear();
  auto& silence = silent_[hop.endpoint];
  silence.wait = std::clamp<std::chrono::steady_clock::duration>(2 * silence.wait, kFirstSilence, kLongestSilence);
  silence.until = in(silence.wait);
}

io::Task<smtp_client::Connected> Connector::connect(const Route& route, const Hop& hop) {
  smtp_client::Target target;
  target.endpoint = hop.endpoint;
  target.dialect = hop.dialect;
  target.helo = self_.hostname;
  target.tls = policy_of(route.tls);
  if (!IpAddress::parse(hop.host) && !hop.host.starts_with('[')) target.tls_name = hop.host;
  target.timeouts = self_.timeouts;
  auto connected = co_await smtp_client::Connection::connect(target, tls_);
  // RFC 7435: encryption where it can be had, mail in any case.
  if (connected.connection == nullptr && connected.failure.kind == Kind::tls_failed && route.tls == config::TlsUse::may) {
    target.tls = smtp_client::TlsPolicy::never;
    connected = co_await smtp_client::Connection::connect(std::move(target), tls_);
  }
  co_return std::move(connected);
}

io::Task<Opened> Connector::open(RoutePtr route, const std::vector<Hop>& hops, std::size_t from) {
  bool all_silent = std::all_of(hops.begin() + static_cast<std::ptrdiff_t>(from), hops.end(), [this](const Hop& hop) { return is_silent(hop); });
  Opened out;
  out.failure = Outcome::ours(Kind::lost, smtp_client::Step::connect, "4.4.1", "no host is left to be tried");
  for (std::size_t i = from; i < hops.size(); ++i) {
    if (!all_silent && is_silent(hops[i])) continue;
    auto connected = co_await connect(*route, hops[i]);
    note(hops[i], connected.connection ? nullptr : &connected.failure);
    out.at = i;
    if (connected.connection) {
      out.connection = std::move(connected.connection);
      break;
    }
    out.failure = std::move(connected.failure);
    out.failed = hops[i];
  }
  co_return std::move(out);
}

}  // namespace postern::delivery
