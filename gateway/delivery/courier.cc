// One message along one route.  RFC 5321 5.1.
#include "gateway/delivery/courier.h"

#include <algorithm>
#include <numeric>

namespace postern::delivery {
namespace {

using smtp_client::Envelope;
using smtp_client::Outcome;
using smtp_client::Step;
using Kind = Outcome::Kind;

constexpr std::size_t kMaxHostsAsked = 2;
constexpr std::uint64_t kMaxMessages = 500;   // over one connection

// A kept connection that the other side had given up: nothing was said about the message.
bool had_closed(const std::vector<Outcome>& outcomes) {
  return std::all_of(outcomes.begin(), outcomes.end(), [](const Outcome& outcome) {
    bool early = outcome.step == Step::rset || outcome.step == Step::mail;
    return early && !outcome.maybe_delivered && (outcome.kind == Kind::lost || outcome.kind == Kind::transient);
  });
}

class Courier {
 public:
  Courier(Connector& connector, RoutePtr route, Line& line, const Envelope& envelope, std::span<const std::string_view> body)
      : connector_(connector), route_(std::move(route)), line_(line), envelope_(envelope), body_(body), open_(envelope.recipients.size()) {
    out_.outcomes.resize(envelope.recipients.size());
    out_.hosts.resize(envelope.recipients.size());
    out_.reports.resize(envelope.recipients.size());
    std::iota(open_.begin(), open_.end(), std::size_t{0});
  }

  io::Task<void> run() {
    for (std::size_t hosts = 0; hosts < kMaxHostsAsked && !open_.empty(); ++hosts) {
      bool there = co_await get_line(hosts == 0 ? 0 : line_.at + 1);
      if (!there) co_return;
      co_await ask_host();
      if (open_.empty() || line_.at + 1 >= line_.hops.size()) co_return;
      if (hosts + 1 < kMaxHostsAsked) co_await hang_up();
    }
  }
  Attempt take() { return std::move(out_); }

 private:
  // False: no connection, and all is said.
  io::Task<bool> get_line(std::size_t from) {
    if (from == 0 && line_.usable() && line_.messages < kMaxMessages) co_return true;
    co_await hang_up();
    if (from == 0 || line_.hops.empty()) {
      auto found = co_await connector_.find(route_);
      line_.hops = std::move(found.hops);
      if (line_.hops.empty()) {
        if (found.failure.permanent()) out_.outcomes.assign(open_.size(), found.failure);
        else out_.down = std::move(found.failure);
        co_return false;
      }
    }
    auto opened = co_await connector_.open(route_, line_.hops, from);
    if (!opened.connection) {
      // With some already heard from the first host, they keep its words.
      if (from == 0) out_.down = std::move(opened.failure);
      co_return false;
    }
    line_.connection = std::move(opened.connection);
    line_.at = opened.at;
    line_.messages = 0;
    co_return true;
  }

  // As many transactions as the host's limits make necessary.
  io::Task<void> ask_host() {
    bool kept = line_.messages != 0;
    for (;;) {
      auto before = open_.size();
      bool closed = co_await transact(kept);
      if (closed) {
        auto at = line_.at;
        co_await hang_up();
        auto opened = co_await connector_.open(route_, line_.hops, at);
        if (!opened.connection) {
          out_.down = std::move(opened.failure);
          co_return;
        }
        line_.connection = std::move(opened.connection);
        line_.at = opened.at;
        line_.messages = 0;
        kept = false;
        continue;
      }
      bool more = std::any_of(open_.begin(), open_.end(), [this](std::size_t i) { return out_.outcomes[i].kind == Kind::not_tried; });
      if (!more || open_.size() == before || !line_.usable()) co_return;
      kept = false;
    }
  }

  // True: the kept connection had been closed meanwhile.
  io::Task<bool> transact(bool kept) {
    Envelope part = envelope_;
    part.recipients.clear();
    for (auto i : open_) part.recipients.push_back(envelope_.recipients[i]);
    auto outcomes = co_await line_.connection->send(part, body_);
    ++line_.messages;
    if (kept && had_closed(outcomes)) co_return true;
    std::vector<std::size_t> left;
    for (std::size_t k = 0; k < open_.size(); ++k) {
      auto i = open_[k];
      out_.outcomes[i] = std::move(outcomes[k]);
      if (out_.outcomes[i].kind != Kind::not_tried) out_.hosts[i] = line_.hops[line_.at].to_string();
      out_.reports[i] = line_.connection->extensions().dsn;
      if (out_.outcomes[i].undecided() && !out_.outcomes[i].maybe_delivered) left.push_back(i);
    }
    open_ = std::move(left);
    co_return false;
  }

  io::Task<void> hang_up() {
    auto connection = std::move(line_.connection);
    line_.connection = nullptr;
    if (connection != nullptr) co_await connection->quit();
  }

  Connector& connector_;
  RoutePtr route_;
  Line& line_;
  const Envelope& envelope_;
  std::span<const std::string_view> body_;
  std::vector<std::size_t> open_;   // recipients whose fate is open
  Attempt out_;
};

}  // namespace

io::Task<Attempt> send_along(Connector& connector, RoutePtr route, Line& line, const Envelope& envelope, std::span<const std::string_view> body) {
  Courier courier(connector, std::move(route), line, envelope, body);
  co_await courier.run();
  co_return courier.take();
}

}  // namespace postern::delivery
