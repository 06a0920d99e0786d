#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "filters/bayes_tokens.h"

namespace postern::filters {

// A hash for tokens: quick, even in its low bits, and no protection against anybody who wants two words to meet.
constexpr std::uint64_t bayes_mix(std::uint64_t x) {
  x ^= x >> 32;
  x *= 0xe9846af9b1a615dULL;
  x ^= x >> 32;
  x *= 0xe9846af9b1a615dULL;
  return x ^ x >> 28;
}

inline std::uint64_t bayes_hash(std::string_view text, std::uint64_t seed = 0) {
  std::uint64_t hash = seed ^ (text.size() * 0x9e3779b97f4a7c15ULL);
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left >= 8; left -= 8, at += 8) {
    std::uint64_t piece = 0;
    std::memcpy(&piece, at, 8);
    hash = (hash ^ piece) * 0x9fb21c651e98df25ULL;
    hash ^= hash >> 35;
  }
  std::uint64_t rest = 0;
  std::memcpy(&rest, at, left);
  return bayes_mix(hash ^ rest ^ std::uint64_t{left} << 56);
}

// An amount in steps of powers of two: 0, 1, 2-3, 4-7, ... are 0, 1, 2, 3, ...
constexpr std::uint64_t bayes_step(std::uint64_t value) {
  std::uint64_t step = 0;
  for (; value > 0 && step < 40; value >>= 1) ++step;
  return step;
}

// The distinct tokens of one message, with so many places for each kind.
class BayesCollector {
 public:
  BayesCollector();
  // False when the kind's places are taken; a token that is there already is no new one.
  bool add(BayesKind kind, std::uint64_t hash);
  bool add(BayesKind kind, std::string_view prefix, std::string_view text) {
    return add(kind, bayes_hash(text, bayes_hash(prefix)));
  }
  // From now on so many places of the kind, counted from none.
  void set_places(BayesKind kind, std::size_t places) { places_[static_cast<std::size_t>(kind)] = places; }
  bool full(BayesKind kind) const { return used_[static_cast<std::size_t>(kind)] >= places_[static_cast<std::size_t>(kind)]; }
  std::vector<BayesToken> take();

 private:
  static constexpr std::size_t kSlots = 4096;   // a power of two, twice as many as tokens
  static_assert(kSlots >= 2 * kMostBayesTokens);
  std::array<std::uint64_t, kSlots> slots_;
  std::vector<BayesToken> tokens_;
  std::array<std::size_t, kBayesKinds> used_{};
  std::array<std::size_t, kBayesKinds> places_ = kBayesPlaces;
};

// Parts of bayes_tokens(), each in its own file.
void collect_text(std::string_view text, BayesCollector& out);
void collect_subject(std::string_view subject, BayesCollector& out);
// Words of a short text of another kind, each with the prefix; at most `limit`.
void collect_words(std::string_view text, BayesKind kind, std::string_view prefix, std::size_t limit, BayesCollector& out);
void collect_header(const BayesInput& input, BayesCollector& out);
void collect_links(std::span<const Link> links, std::string_view author_domain, BayesCollector& out);
void collect_html(std::string_view html, BayesCollector& out);

}  // namespace postern::filters
