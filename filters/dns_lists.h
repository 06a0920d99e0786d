#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/ip.h"
#include "gateway/dns/resolver.h"
#include "gateway/io/task.h"

namespace postern::filters {

// What a DNS list (DNSBL, DNSWL) says of an address or a domain.  RFC 5782.
struct Listing {
  enum class State {
    listed,
    not_listed,
    trouble,  // the list gave no answer that can be believed; never to be read as "listed"
  };
  State state = State::not_listed;
  std::vector<std::string> codes;  // when listed: "127.0.0.2", ...; sorted, each once, at most 16
  std::string problem;             // when trouble: why, in words
  bool listed() const { return state == State::listed; }
};

// Asks DNS lists and watches them.  A list that dies must not hold up mail, and one that lists
// everything (a sold domain with a wildcard) must not refuse all mail: such a list is switched off
// for a while, loudly, and tried again.  One object for all loops; safe from any thread.
class DnsLists {
 public:
  struct Config {
    // Ask for the test points that each list must and must not list (RFC 5782 5): on first use and
    // once per `recheck`.  Tests of rules, whose DNS holds only what they need, set this to false.
    bool check_test_points = true;
    std::chrono::seconds recheck{3600};
    std::chrono::seconds off_for{600};
    int failures = 5;                     // so many failed questions in a row switch the list off
    std::size_t max_lists = 256;          // beyond it questions are answered but not watched
  };

  // What `status` and metrics show of one list.
  struct State {
    std::string zone;
    bool off = false;
    std::string reason;                   // of the last trouble, in words
    Time since{};                         // when it was switched off
    std::uint64_t questions = 0;
    std::uint64_t listed = 0;
    std::uint64_t troubles = 0;
    std::uint64_t times_off = 0;
  };

  explicit DnsLists(const Clock& clock) : DnsLists(clock, Config()) {}
  DnsLists(const Clock& clock, Config config) : clock_(clock), config_(config) {}
  DnsLists(const DnsLists&) = delete;

  // `this` and `resolver` must outlive the task.  Never throws for what DNS says.
  io::Task<Listing> listed(dns::Resolver& resolver, IpAddress address, std::string zone, Deadline deadline);
  // `name`: a domain, or an address in text form.
  io::Task<Listing> listed(dns::Resolver& resolver, std::string name, std::string zone, Deadline deadline);

  std::vector<State> states() const;

 private:
  // Test points are per kind: a list of IPv4 addresses need know nothing of IPv6 or domains.
  enum class Kind { v4, v6, domain };
  struct Watched {
    State state;
    int failures_in_a_row = 0;
    Time off_until{};
    Time checked[3] = {};
  };

  io::Task<Listing> ask(dns::Resolver& resolver, std::string question, std::string zone, Kind kind, Deadline deadline);
  bool is_off(const std::string& zone, Listing& answer);
  bool needs_check(const std::string& zone, Kind kind) const;
  void note_check(const std::string& zone, Kind kind, const Listing& must, const Listing& must_not);
  void note_answer(const std::string& zone, const Listing& answer);
  void switch_off(Watched& list, std::string reason);
  Watched* watched(const std::string& zone);

  const Clock& clock_;
  Config config_;
  mutable std::mutex mutex_;
  std::map<std::string, Watched, std::less<>> lists_;
};

}  // namespace postern::filters
