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

Hop hop_of(const config::Host& host, IpAddress address) {
  Hop out;
  out.endpoint = {address, host.port};
  out.dialect = host.lmtp ? smtp_client::Dialect::lmtp : smtp_client::Dialect::smtp;
  out.host = host.name;
  out.implicit_tls = host.implicit_tls;
  return out;
}

bool is_wanted(const Route& route, const std::string& host) {
  if (route.mx.empty()) return true;
  return std::any_of(route.mx.begin(), route.mx.end(), [&](const std::string& pattern) { return smtp_client::matches_host(pattern, host); });
}

// Nobody was there, or nobody who speaks with us; a host that refuses one message is not silent.
bool is_silence(const Outcome& failure) { return failure.step <= smtp_client::Step::hello && failure.kind != Kind::permanent; }

}  // namespace

io::Task<Hops> Connector::find(RoutePtr route) {
  Hops out;
  if (!route->by_mx()) {
    out = co_await find_named(*route);
    co_return out;
  }
  auto found = co_await smtp_client::find_mail_hosts(resolver_, route->domain, self_.us, random_number, in(kLookUp));
  out.failure = std::move(found.failure);
  std::string passed_over;
  for (const auto& host : found.hosts) {
    if (!is_wanted(*route, host.name)) {
      passed_over += (passed_over.empty() ? "" : ", ") + host.name;
      continue;
    }
    for (auto address : host.addresses) {
      auto& hop = out.hops.emplace_back();
      hop.endpoint = {address, 25};
      hop.host = host.name;
      hop.authentic = host.authentic;
    }
  }
  if (out.hops.empty() && !passed_over.empty()) {
    out.failure = Outcome::ours(Kind::transient, smtp_client::Step::connect, "4.7.0",
                                "of the mail hosts of " + route->domain + " (" + passed_over + ") none is one that mx in [routes] names");
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
    bool authentic = std::all_of(answers.begin(), answers.end(), [](const dns::Answer& answer) { return !answer.ok() || answer.authentic; });
    for (const auto& answer : answers) {
      for (const auto& record : answer.records) {
        auto& hop = out.hops.emplace_back(hop_of(host, record.address));
        hop.authentic = authentic;
      }
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

Result<smtp_client::Target> Connector::target_of(const Route& route, const Hop& hop) const {
  smtp_client::Target out;
  out.endpoint = hop.endpoint;
  out.dialect = hop.dialect;
  out.helo = self_.hostname;
  out.implicit_tls = hop.implicit_tls;
  out.timeouts = self_.timeouts;
  if (route.login.empty()) return out;
  auto password = config::read_secret(route.password_file);
  if (!password) return password.error();
  out.login.emplace();
  out.login->user = route.login;
  out.login->password = std::move(*password);
  return out;
}

io::Task<smtp_client::Connected> Connector::connect(RoutePtr route, const Hop& hop) {
  auto policy = co_await policies_.decide(route, hop);
  auto out = co_await connect_by(policy, *route, hop);
  bool counts = self_.results != nullptr && route->by_mx() && policy.tls != smtp_client::TlsPolicy::never;
  auto failure = counts ? policy.failure_of(out, hop) : std::nullopt;
  if (counts && (failure || out.connection != nullptr)) self_.results->note(route->domain, policy.found, failure);
  if (out.connection == nullptr) out.failure = policy.explained(std::move(out.failure));
  co_return std::move(out);
}

io::Task<smtp_client::Connected> Connector::connect_by(const Policy& policy, const Route& route, const Hop& hop) {
  smtp_client::Connected out;
  if (policy.refusal) {
    out.failure = *policy.refusal;
    co_return std::move(out);
  }
  auto target = target_of(route, hop);
  if (!target) {
    out.failure = Outcome::ours(Kind::transient, smtp_client::Step::auth, "4.7.0", "no password: " + target.error().text);
    co_return std::move(out);
  }
  policy.apply(*target);
  out = co_await smtp_client::Connection::connect(*target, self_.tls);
  if (out.connection == nullptr && out.failure.kind == Kind::tls_failed && policy.allows_plaintext() && !hop.implicit_tls) {
    target->tls = smtp_client::TlsPolicy::never;
    out = co_await smtp_client::Connection::connect(*target, self_.tls);
  }
  co_return std::move(out);
}

io::Task<Opened> Connector::open(RoutePtr route, const std::vector<Hop>& hops, std::size_t from) {
  bool all_silent = std::all_of(hops.begin() + static_cast<std::ptrdiff_t>(from), hops.end(), [this](const Hop& hop) { return is_silent(hop); });
  Opened out;
  out.failure = Outcome::ours(Kind::lost, smtp_client::Step::connect, "4.4.1", "no host is left to be tried");
  for (std::size_t i = from; i < hops.size(); ++i) {
    if (!all_silent && is_silent(hops[i])) continue;
    auto connected = co_await connect(route, hops[i]);
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
