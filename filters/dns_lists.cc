// DNS lists of addresses and domains, and the guard against lists that are dead or list everything.  RFC 5782.
#include "filters/dns_lists.h"

#include <algorithm>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/io/together.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxCodes = 16;

Listing trouble(std::string why) {
  Listing out;
  out.state = Listing::State::trouble;
  out.problem = std::move(why);
  return out;
}

std::string_view in_words(dns::Status status) {
  switch (status) {
    case dns::Status::timeout: return "no answer in time";
    case dns::Status::servfail: return "server failure";
    case dns::Status::bad: return "an answer that cannot be read";
    default: return "no answer";
  }
}

// Codes outside of 127.0.0.0/8 come from parked domains and lying resolvers; 127.255.255.x and 127.0.0.1
// are how lists say "you may not ask me" (RFC 5782 2.1 reserves 127/8 and keeps 127.0.0.1 out of use).
Listing read_answer(const dns::Answer& answer, const std::string& zone) {
  Listing out;
  if (answer.exists_not()) return out;
  if (!answer.ok()) return trouble(zone + ": " + std::string(in_words(answer.status)));
  for (const auto& record : answer.records) {
    if (record.type != dns::Type::a || !record.address.is_v4()) continue;
    std::string code = record.address.to_string();
    if (!code.starts_with("127.")) return trouble(zone + " answers " + code + ", which is no list code");
    if (code.starts_with("127.255.255.") || code == "127.0.0.1") {
      return trouble(zone + " refuses our questions (" + code + ")");
    }
    out.codes.push_back(std::move(code));
  }
  std::sort(out.codes.begin(), out.codes.end());
  out.codes.erase(std::unique(out.codes.begin(), out.codes.end()), out.codes.end());
  if (out.codes.size() > kMaxCodes) out.codes.resize(kMaxCodes);
  if (!out.codes.empty()) out.state = Listing::State::listed;
  return out;
}

io::Task<Listing> ask_once(dns::Resolver& resolver, std::string question, std::string zone, Deadline deadline) {
  dns::Answer answer = co_await resolver.query(question + "." + zone, dns::Type::a, deadline);
  co_return read_answer(answer, zone);
}

std::string canonical(std::string_view zone) {
  std::string out = ascii_lowered(trimmed(zone));
  while (!out.empty() && out.back() == '.') out.pop_back();
  return out;
}

// RFC 5782 5.  For IPv6 the IPv4-mapped forms of the same addresses, nibble by nibble.
constexpr std::string_view kMappedPrefix = ".0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0";

std::pair<std::string, std::string> test_points(int kind) {
  if (kind == 0) return {"2.0.0.127", "1.0.0.127"};
  if (kind == 1) {
    return {"2" + std::string(kMappedPrefix), "1" + std::string(kMappedPrefix)};
  }
  return {"test", "invalid"};
}

}  // namespace

io::Task<Listing> DnsLists::listed(dns::Resolver& resolver, IpAddress address, std::string zone, Deadline deadline) {
  Kind kind = address.is_v4() ? Kind::v4 : Kind::v6;
  Listing out = co_await ask(resolver, address.reversed(), canonical(zone), kind, deadline);
  co_return out;
}

io::Task<Listing> DnsLists::listed(dns::Resolver& resolver, std::string name, std::string zone, Deadline deadline) {
  if (auto address = IpAddress::parse(name)) {
    Kind kind = address->is_v4() ? Kind::v4 : Kind::v6;
    Listing by_address = co_await ask(resolver, address->reversed(), canonical(zone), kind, deadline);
    co_return by_address;
  }
  std::string question = canonical(name);
  if (question.empty()) co_return Listing();
  Listing out = co_await ask(resolver, std::move(question), canonical(zone), Kind::domain, deadline);
  co_return out;
}

io::Task<Listing> DnsLists::ask(dns::Resolver& resolver, std::string question, std::string zone, Kind kind,
                                Deadline deadline) {
  Listing off;
  if (is_off(zone, off)) co_return off;

  std::vector<io::Task<Listing>> questions;
  questions.push_back(ask_once(resolver, std::move(question), zone, deadline));
  // Who comes while a list is unproven asks for the test points too (the resolver joins equal
  // questions), so that nobody is refused on the word of a list that lists everything.
  bool check = needs_check(zone, kind);
  if (check) {
    auto points = test_points(static_cast<int>(kind));
    questions.push_back(ask_once(resolver, std::move(points.first), zone, deadline));
    questions.push_back(ask_once(resolver, std::move(points.second), zone, deadline));
  }
  std::vector<Listing> results = co_await io::together(std::move(questions));
  if (check) note_check(zone, kind, results[1], results[2]);
  note_answer(zone, results[0]);
  if (results[0].listed() && is_off(zone, off)) co_return off;
  co_return results[0];
}

DnsLists::Watched* DnsLists::watched(const std::string& zone) {
  auto found = lists_.find(zone);
  if (found != lists_.end()) return &found->second;
  if (lists_.size() >= config_.max_lists) return nullptr;
  Watched& list = lists_[zone];
  list.state.zone = zone;
  return &list;
}

bool DnsLists::is_off(const std::string& zone, Listing& answer) {
  std::lock_guard lock(mutex_);
  auto found = lists_.find(zone);
  if (found == lists_.end() || !found->second.state.off) return false;
  Watched& list = found->second;
  if (clock_.now() >= list.off_until) {  // its time is served: the next question decides
    list.state.off = false;
    list.failures_in_a_row = config_.failures - 1;
    for (Time& checked : list.checked) checked = Time{};
    log::info("dnslist.retry", {{"list", zone}});
    return false;
  }
  ++list.state.questions;
  ++list.state.troubles;
  answer = trouble(zone + " is switched off: " + list.state.reason);
  return true;
}

bool DnsLists::needs_check(const std::string& zone, Kind kind) const {
  if (!config_.check_test_points) return false;
  std::lock_guard lock(mutex_);
  auto found = lists_.find(zone);
  if (found == lists_.end()) return lists_.size() < config_.max_lists;
  Time last = found->second.checked[static_cast<int>(kind)];
  return last == Time{} || clock_.now() >= last + config_.recheck;
}

void DnsLists::note_check(const std::string& zone, Kind kind, const Listing& must, const Listing& must_not) {
  std::lock_guard lock(mutex_);
  Watched* list = watched(zone);
  if (list == nullptr || list->state.off) return;
  bool failed = must.state == Listing::State::trouble || must_not.state == Listing::State::trouble;
  if (must_not.listed()) return switch_off(*list, "it lists everything (also what RFC 5782 5 forbids)");
  if (failed) return;  // asked again with the next question; the question itself is counted
  // Many lists know no IPv6 or no domains; a list without entries then simply says nothing.
  if (!must.listed() && kind == Kind::v4) {
    return switch_off(*list, "it does not list the test address 127.0.0.2 (RFC 5782 5)");
  }
  list->checked[static_cast<int>(kind)] = clock_.now();
}

void DnsLists::note_answer(const std::string& zone, const Listing& answer) {
  std::lock_guard lock(mutex_);
  Watched* list = watched(zone);
  if (list == nullptr) return;
  ++list->state.questions;
  if (answer.listed()) ++list->state.listed;
  if (answer.state != Listing::State::trouble) {
    list->failures_in_a_row = 0;
    return;
  }
  ++list->state.troubles;
  list->state.reason = answer.problem;
  if (++list->failures_in_a_row >= config_.failures && !list->state.off) switch_off(*list, answer.problem);
}

void DnsLists::switch_off(Watched& list, std::string reason) {
  list.state.off = true;
  list.state.reason = std::move(reason);
  list.state.since = clock_.now();
  list.off_until = clock_.now() + config_.off_for;
  ++list.state.times_off;
  log::warning("dnslist.off", {{"list", list.state.zone},
                               {"why", list.state.reason},
                               {"seconds", std::to_string(config_.off_for.count())}});
}

std::vector<DnsLists::State> DnsLists::states() const {
  std::lock_guard lock(mutex_);
  std::vector<State> out;
  for (const auto& [zone, list] : lists_) out.push_back(list.state);
  return out;
}

}  // namespace postern::filters
