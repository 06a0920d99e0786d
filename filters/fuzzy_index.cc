// The index of reported digests.  Rows are fixed binary forms of their own version; what is foreign or old is as good as absent.
#include "filters/fuzzy_index.h"

#include <algorithm>
#include <array>
#include <bit>

#include "filters/fnv.h"

namespace postern::filters {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kClasses = 3;

void put_number(std::string& out, std::uint64_t value, std::size_t octets) {
  for (std::size_t i = 0; i < octets; ++i) out += static_cast<char>(value >> 8 * i & 0xff);
}

std::uint64_t take_number(std::string_view& in, std::size_t octets) {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < octets; ++i) out |= static_cast<std::uint64_t>(static_cast<unsigned char>(in[i])) << 8 * i;
  in.remove_prefix(octets);
  return out;
}

std::string digest_key(std::uint64_t id) {
  std::string out = "d";
  put_number(out, id, 8);
  return out;
}

// Two hashes a band; of an exact digest its hash is the one band.
std::vector<std::string> band_keys(const FuzzyDigest& digest) {
  std::vector<std::string> out;
  if (digest.kind != FuzzyDigest::Kind::text) {
    std::string key = "b";
    key += static_cast<char>(0xf0 + static_cast<int>(digest.kind));
    put_number(key, digest.exact[0], 8);
    put_number(key, digest.exact[1], 8);
    out.push_back(std::move(key));
    return out;
  }
  constexpr std::size_t kRows = kFuzzyHashes / FuzzyIndex::kBands;
  static_assert(kRows * FuzzyIndex::kBands == kFuzzyHashes);
  for (std::size_t band = 0; band < FuzzyIndex::kBands; ++band) {
    std::string key = "b";
    key += static_cast<char>(band);
    for (std::size_t row = 0; row < kRows; ++row) put_number(key, digest.hashes[band * kRows + row], 4);
    out.push_back(std::move(key));
  }
  return out;
}

constexpr std::size_t kDigestOctets = 1 + kFuzzyHashes * 4 + 16;

std::string digest_octets(const FuzzyDigest& digest) {
  std::string out(1, static_cast<char>(digest.kind));
  for (std::uint32_t hash : digest.hashes) put_number(out, hash, 4);
  put_number(out, digest.exact[0], 8);
  put_number(out, digest.exact[1], 8);
  return out;
}

std::uint64_t new_id(const FuzzyDigest& digest) { return fnv(digest_octets(digest)); }

}  // namespace

struct FuzzyIndex::Entry {
  FuzzyDigest digest;
  std::array<double, kClasses> weights{};
  std::uint32_t reports = 0;
  std::int64_t last = 0;

  std::string row() const {
    std::string out(1, kVersion);
    put_number(out, static_cast<std::uint64_t>(last), 8);
    put_number(out, reports, 4);
    for (double weight : weights) put_number(out, std::bit_cast<std::uint64_t>(weight), 8);
    return out + digest_octets(digest);
  }
  static std::optional<Entry> read(std::string_view row) {
    if (row.size() != 1 + 8 + 4 + kClasses * 8 + kDigestOctets || row.front() != kVersion) return std::nullopt;
    row.remove_prefix(1);
    Entry out;
    out.last = static_cast<std::int64_t>(take_number(row, 8));
    out.reports = static_cast<std::uint32_t>(take_number(row, 4));
    for (double& weight : out.weights) {
      weight = std::bit_cast<double>(take_number(row, 8));
      if (!(weight >= 0 && weight <= kMaxWeight)) return std::nullopt;
    }
    auto kind = take_number(row, 1);
    if (kind > static_cast<std::uint64_t>(FuzzyDigest::Kind::file)) return std::nullopt;
    out.digest.kind = static_cast<FuzzyDigest::Kind>(kind);
    for (auto& hash : out.digest.hashes) hash = static_cast<std::uint32_t>(take_number(row, 4));
    out.digest.exact[0] = take_number(row, 8);
    out.digest.exact[1] = take_number(row, 8);
    return out;
  }
};

namespace {

// Seconds of the last addition, then ids.
std::vector<std::uint64_t> ids_of(std::string_view row) {
  std::vector<std::uint64_t> out;
  if (row.size() < 9 || row.front() != kVersion || (row.size() - 9) % 8 != 0) return out;
  row.remove_prefix(9);
  while (!row.empty() && out.size() < FuzzyIndex::kMaxInBand) out.push_back(take_number(row, 8));
  return out;
}

std::string band_row(const std::vector<std::uint64_t>& ids, Time now) {
  std::string out(1, kVersion);
  put_number(out, static_cast<std::uint64_t>(to_unix(now)), 8);
  for (std::uint64_t id : ids) put_number(out, id, 8);
  return out;
}

}  // namespace

std::string_view name(FuzzyClass what) {
  switch (what) {
    case FuzzyClass::ham: return "ham";
    case FuzzyClass::spam: return "spam";
    case FuzzyClass::phishing: return "phishing";
  }
  return "";
}

std::optional<FuzzyIndex::Entry> FuzzyIndex::entry(std::uint64_t id, Time now) {
  auto row = rows_.get(digest_key(id));
  if (!row) return std::nullopt;
  auto out = Entry::read(*row);
  if (!out || to_unix(now) - out->last > std::chrono::seconds(keep_).count()) return std::nullopt;
  return out;
}

std::vector<std::uint64_t> FuzzyIndex::candidates(const FuzzyDigest& digest) {
  std::vector<std::uint64_t> out;
  for (const auto& key : band_keys(digest)) {
    auto row = rows_.get(key);
    if (!row) continue;
    for (std::uint64_t id : ids_of(*row)) {
      if (out.size() < kMaxCandidates && std::find(out.begin(), out.end(), id) == out.end()) out.push_back(id);
    }
  }
  return out;
}

std::optional<std::uint64_t> FuzzyIndex::most_alike(const FuzzyDigest& digest, double least, Time now, Entry& found, double& alike) {
  std::optional<std::uint64_t> best;
  for (std::uint64_t id : candidates(digest)) {
    auto one = entry(id, now);
    if (!one) continue;
    double share = similarity(digest, one->digest);
    if (share < least || (best && share <= alike)) continue;
    best = id;
    alike = share;
    found = *one;
  }
  return best;
}

void FuzzyIndex::add_to_bands(const FuzzyDigest& digest, std::uint64_t id, Time now) {
  for (const auto& key : band_keys(digest)) {
    auto row = rows_.get(key);
    auto ids = row ? ids_of(*row) : std::vector<std::uint64_t>();
    std::erase(ids, id);
    ids.insert(ids.begin(), id);
    if (ids.size() > kMaxInBand) ids.resize(kMaxInBand);
    rows_.put(key, band_row(ids, now));
  }
}

void FuzzyIndex::learn(const FuzzyDigest& digest, FuzzyClass what, double weight, Time now) {
  Entry known;
  double alike = 0;
  auto id = most_alike(digest, kSame, now, known, alike);
  if (!id && weight <= 0) return;   // nothing to take back
  if (!id) {
    known = Entry{};
    known.digest = digest;
    id = new_id(digest);
  }
  double& sum = known.weights[static_cast<std::size_t>(what)];
  sum = std::clamp(sum + weight, 0.0, kMaxWeight);
  if (weight > 0) {
    ++known.reports;
    known.last = to_unix(now);
  } else if (known.reports > 0) {
    --known.reports;
  }
  bool nothing = std::all_of(known.weights.begin(), known.weights.end(), [](double one) { return one == 0; });
  if (nothing) {
    rows_.erase(digest_key(*id));   // its bands lead nowhere then and expire
    return;
  }
  rows_.put(digest_key(*id), known.row());
  add_to_bands(known.digest, *id, now);
}

std::optional<FuzzyMatch> FuzzyIndex::find(const FuzzyDigest& digest, Time now) {
  Entry found;
  double alike = 0;
  if (!most_alike(digest, kAlike, now, found, alike)) return std::nullopt;
  auto best = std::max_element(found.weights.begin(), found.weights.end());
  double others = 0;
  for (double weight : found.weights) others += weight;
  others -= *best;
  FuzzyMatch out;
  out.what = static_cast<FuzzyClass>(best - found.weights.begin());
  // Spam and phishing agree against ham.
  if (out.what != FuzzyClass::ham) others = found.weights[static_cast<std::size_t>(FuzzyClass::ham)];
  out.similarity = alike;
  out.weight = *best - others;
  out.reports = found.reports;
  out.last = from_unix(found.last);
  if (out.weight <= 0) return std::nullopt;
  return out;
}

std::optional<FuzzyMatch> FuzzyIndex::find_any(const std::vector<FuzzyDigest>& digests, Time now) {
  std::optional<FuzzyMatch> worst;
  for (std::size_t i = 0; i < digests.size() && i < kMaxFuzzyParts; ++i) {
    auto match = find(digests[i], now);
    if (!match) continue;
    bool bad = match->what != FuzzyClass::ham;
    bool worst_bad = worst && worst->what != FuzzyClass::ham;
    if (!worst || (bad && !worst_bad) || (bad == worst_bad && match->weight > worst->weight)) worst = match;
  }
  return worst;
}

bool FuzzyIndex::is_expired(std::string_view key, std::string_view value, Time now) const {
  std::int64_t last = 0;
  if (key.starts_with('d')) {
    auto entry = Entry::read(value);
    if (!entry) return true;
    last = entry->last;
  } else {
    if (value.size() < 9 || value.front() != kVersion) return true;
    std::string_view rest = value.substr(1);
    last = static_cast<std::int64_t>(take_number(rest, 8));
  }
  return to_unix(now) - last > std::chrono::seconds(keep_).count();
}

}  // namespace postern::filters
