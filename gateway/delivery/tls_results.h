#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

namespace postern::delivery {

// RFC 8460 4.2: what was to hold for TLS with a domain's mail hosts.
struct TlsPolicyFound {
  enum class Type { none, sts, tlsa };
  Type type = Type::none;
  std::vector<std::string> text;       // policy-string
  std::vector<std::string> mx;         // mx-host
};
std::string_view name(TlsPolicyFound::Type type);   // "no-policy-found", "sts", "tlsa"

// RFC 8460 4.3: one attempt that TLS failed in.
struct TlsFailure {
  std::string result;      // "starttls-not-supported", "certificate-expired", ...
  std::string mx;          // "" before there was one
  std::string ip;
  std::string reason;      // ours, in words
  auto operator<=>(const TlsFailure&) const = default;
};

// Counts what came of TLS with the mail hosts of other domains, by policy domain and day (RFC 8460), for `postern
// tlsrpt`: a row of the store for each, kept two weeks.  One loop's, but for total().  Bounded: of a day's domains above
// 5,000 nothing is kept, of a domain's failures 50 kinds; total() counts all.
class TlsResults {
 public:
  explicit TlsResults(const Clock& clock = Clock::system()) : clock_(clock) {}

  void note(const std::string& domain, const TlsPolicyFound& policy, const std::optional<TlsFailure>& failure);
  // Any thread.  Sessions since the start.
  std::uint64_t total(TlsPolicyFound::Type type, bool failed) const { return totals_[static_cast<std::size_t>(type)][failed ? 1 : 0]; }

  // Reads what the store has of today, then writes what has changed every few seconds, until it is cancelled.
  io::Task<void> keep(store::Store& store);
  io::Task<void> save(store::Store& store);

 private:
  struct Counts {
    TlsPolicyFound policy;
    std::uint64_t successes = 0;
    std::uint64_t failures = 0;
    std::map<TlsFailure, std::uint64_t> details;
  };
  using Key = std::tuple<std::string, std::string, TlsPolicyFound::Type>;   // day, domain

  std::string row_of(const Key& key, const Counts& counts) const;
  void take_row(const store::Row& row);
  io::Task<void> load(store::Store& store);
  io::Task<void> erase_old(store::Store& store);
  void forget_old(const std::string& today);

  const Clock& clock_;
  std::map<Key, Counts> counts_;   // of today, and of before what is not written yet
  std::set<Key> changed_;
  std::array<std::array<std::atomic<std::uint64_t>, 2>, 3> totals_{};
};

// The reports of a day ("2026-11-30"), one for each domain, as RFC 8460 4 has them.  An Error: the rows cannot be read.
// `organization` and `contact`: who we are.
io::Task<Result<std::vector<std::string>>> tls_reports(store::Store& store, std::string day, std::string organization, std::string contact);

}  // namespace postern::delivery
