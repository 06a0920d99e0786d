#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filters/fuzzy.h"
#include "gateway/base/clock.h"

namespace postern::filters {

// Rows of a key-value store, as much as the index needs.  The owner decides on threads.
class FuzzyRows {
 public:
  virtual ~FuzzyRows() = default;
  virtual std::optional<std::string> get(const std::string& key) = 0;
  virtual void put(const std::string& key, std::string value) = 0;
  virtual void erase(const std::string& key) = 0;
};

enum class FuzzyClass : std::uint8_t { ham, spam, phishing };
std::string_view name(FuzzyClass what);

struct FuzzyMatch {
  FuzzyClass what = FuzzyClass::spam;   // what most of the weight says
  double similarity = 0;                // 1: the same
  double weight = 0;                    // of that class, without what the others weigh
  std::uint32_t reports = 0;            // all
  Time last{};                          // report
};

// What was reported, found again by likeness.  A digest of a text stands in 16 bands of two hashes each, so a look-up asks 16
// rows and reads at most kMaxCandidates digests; exact ones ask one row.
// Rows: "d" + id, 8 octets -> the digest and its reports; "b" + band + value -> ids, the newest first.
class FuzzyIndex {
 public:
  static constexpr std::size_t kBands = 16;
  static constexpr std::size_t kMaxInBand = 8;          // ids that share a band; the oldest goes
  static constexpr std::size_t kMaxCandidates = 64;
  static constexpr double kAlike = 0.5;                 // tests/bench/signs shows what it finds
  static constexpr double kSame = 0.9;                  // reports of digests as alike as this are counted together
  static constexpr double kMaxWeight = 1000;

  // Reports are forgotten `keep` after the last one.
  explicit FuzzyIndex(FuzzyRows& rows, std::chrono::hours keep = std::chrono::hours(24 * 60)) : rows_(rows), keep_(keep) {}

  // A report: `weight` says how much it is trusted, 1 for a user's, more for a trap or an administrator.  Negative takes an
  // earlier one back.
  void learn(const FuzzyDigest& digest, FuzzyClass what, double weight, Time now);
  // The most alike of those with a weight above 0; nullopt: nothing alike enough is known.
  std::optional<FuzzyMatch> find(const FuzzyDigest& digest, Time now);
  // The worst of several parts: phishing and spam before ham, then by weight.
  std::optional<FuzzyMatch> find_any(const std::vector<FuzzyDigest>& digests, Time now);

  // Whether a row of ours is of no use any more, for the owner's clean-up.  What cannot be read is.
  bool is_expired(std::string_view key, std::string_view value, Time now) const;

 private:
  struct Entry;
  std::optional<Entry> entry(std::uint64_t id, Time now);
  std::vector<std::uint64_t> candidates(const FuzzyDigest& digest);
  std::optional<std::uint64_t> most_alike(const FuzzyDigest& digest, double least, Time now, Entry& found, double& alike);
  void add_to_bands(const FuzzyDigest& digest, std::uint64_t id, Time now);

  FuzzyRows& rows_;
  std::chrono::hours keep_;
};

}  // namespace postern::filters
