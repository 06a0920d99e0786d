// Rows of Bayes: short, since there are millions, and each can be told from a damaged one.
#include "filters/bayes_rows.h"

#include <algorithm>

#include "filters/bayes_collect.h"
#include "gateway/base/text.h"
#include "gateway/mail/headers.h"

namespace postern::filters {
namespace {

constexpr std::uint8_t kMemoryEdition = 1;
constexpr std::size_t kMaxDigested = 1024 * 1024;   // octets of a body

void put(std::string& out, std::uint64_t value, int octets) {
  for (int i = 0; i < octets; ++i) out += static_cast<char>(value >> (8 * i) & 0xffU);
}
void put_key(std::string& out, std::uint64_t value, int octets) {
  for (int i = octets; i-- > 0;) out += static_cast<char>(value >> (8 * i) & 0xffU);
}
std::uint64_t get(std::string_view text, std::size_t at, int octets) {
  std::uint64_t value = 0;
  for (int i = octets; i-- > 0;) value = value << 8 | static_cast<unsigned char>(text[at + static_cast<std::size_t>(i)]);
  return value;
}
std::uint64_t get_key(std::string_view text, std::size_t at, std::size_t octets) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < octets; ++i) value = value << 8 | static_cast<unsigned char>(text[at + i]);
  return value;
}

void put_number(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(0x80U | (value & 0x7fU));
  out += static_cast<char>(value);
}
bool take_number(std::string_view& text, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 63 && !text.empty(); shift += 7) {
    auto octet = static_cast<unsigned char>(text[0]);
    text.remove_prefix(1);
    value |= std::uint64_t{octet & 0x7fU} << shift;
    if ((octet & 0x80U) == 0) return true;
  }
  return false;
}

std::uint64_t sum_of(BayesKey key, const BayesCounts& counts) {
  std::uint64_t amount = std::uint64_t{counts.spam} << 32 | counts.ham;
  std::uint64_t days = std::uint64_t{counts.born} << 16 | counts.seen;
  return bayes_mix(key ^ bayes_mix(amount ^ bayes_mix(days + 1)));
}

// Two hashes at once.
class Digester {
 public:
  void add(std::string_view piece) {
    digest_.high = bayes_hash(piece, digest_.high + 0x632be59bd9b4e019ULL);
    digest_.low = bayes_hash(piece, digest_.low ^ 0xd6e8feb86659fd93ULL);
  }
  BayesDigest digest() const { return digest_; }

 private:
  BayesDigest digest_;
};

}  // namespace

BayesDigest bayes_digest(std::string_view message) {
  mail::HeaderBlock block(message);
  Digester digester;
  for (std::string_view name : {"From", "Subject", "Date", "Message-ID"}) {
    const mail::HeaderField* field = block.find(name);
    digester.add(field != nullptr ? mail::unfolded(field->raw.substr(0, mail::kMaxReadableField)) : std::string());
  }
  std::string_view body = message.substr(block.body_offset(), kMaxDigested);
  while (!body.empty()) {
    auto end = std::min(body.find('\n'), body.size());
    std::string_view line = trimmed(body.substr(0, end));
    if (!line.empty()) digester.add(line);
    body.remove_prefix(std::min(end + 1, body.size()));
  }
  return digester.digest();
}

std::string token_row(BayesKey key) {
  std::string out(kBayesTokenRows);
  put_key(out, key, 6);
  return out;
}

std::string total_row(std::uint64_t user) {
  std::string out(kBayesTotalRows);
  put_key(out, user, 8);
  return out;
}

std::string memory_row(std::uint64_t user, BayesDigest digest) {
  std::string out(kBayesMemoryRows);
  put_key(out, user, 8);
  put_key(out, digest.high, 8);
  put_key(out, digest.low, 8);
  return out;
}

std::optional<BayesKey> key_of_token_row(std::string_view row) {
  if (!row.starts_with(kBayesTokenRows) || row.size() != kBayesTokenRows.size() + 6) return std::nullopt;
  BayesKey key = get_key(row, kBayesTokenRows.size(), 6);
  if (key == 0) return std::nullopt;
  return key;
}

std::optional<std::uint64_t> user_of_total_row(std::string_view row) {
  if (!row.starts_with(kBayesTotalRows) || row.size() != kBayesTotalRows.size() + 8) return std::nullopt;
  return get_key(row, kBayesTotalRows.size(), 8);
}

std::string encode(const BayesCounts& counts) {
  std::string out;
  put(out, counts.spam, 3);
  put(out, counts.ham, 3);
  put(out, counts.born, 2);
  put(out, counts.seen, 2);
  return out;
}

std::optional<BayesCounts> decode_counts(std::string_view value) {
  if (value.size() != 10) return std::nullopt;
  BayesCounts counts;
  counts.spam = static_cast<std::uint32_t>(get(value, 0, 3));
  counts.ham = static_cast<std::uint32_t>(get(value, 3, 3));
  counts.born = static_cast<std::uint16_t>(get(value, 6, 2));
  counts.seen = static_cast<std::uint16_t>(get(value, 8, 2));
  if (counts.spam + counts.ham == 0) return std::nullopt;
  return counts;
}

std::string encode(BayesTotals totals) {
  std::string out;
  put(out, totals.spam, 4);
  put(out, totals.ham, 4);
  return out;
}

std::optional<BayesTotals> decode_totals(std::string_view value) {
  if (value.size() != 8) return std::nullopt;
  BayesTotals totals;
  totals.spam = static_cast<std::uint32_t>(get(value, 0, 4));
  totals.ham = static_cast<std::uint32_t>(get(value, 4, 4));
  if (totals.spam > kMostBayesCount || totals.ham > kMostBayesCount) return std::nullopt;
  return totals;
}

std::string encode(const BayesMemory& memory) {
  std::string out;
  out += static_cast<char>(kMemoryEdition);
  out += static_cast<char>(static_cast<unsigned>(memory.as) | static_cast<unsigned>(memory.from) << 1);
  put(out, memory.day, 2);
  put(out, memory.learner, 8);
  put_number(out, memory.keys.size());
  BayesKey last = 0;
  for (BayesKey key : memory.keys) {
    put_number(out, key - last);
    last = key;
  }
  return out;
}

std::optional<BayesMemory> decode_memory(std::string_view value) {
  if (value.size() < 13 || static_cast<unsigned char>(value[0]) != kMemoryEdition) return std::nullopt;
  auto what = static_cast<unsigned char>(value[1]);
  if (what >> 1 > static_cast<unsigned>(MailPlace::drafts)) return std::nullopt;
  BayesMemory memory;
  memory.as = static_cast<BayesClass>(what & 1U);
  memory.from = static_cast<MailPlace>(what >> 1);
  memory.day = static_cast<std::uint16_t>(get(value, 2, 2));
  memory.learner = get(value, 4, 8);
  value.remove_prefix(12);
  std::uint64_t count = 0;
  if (!take_number(value, count) || count > kMostBayesTokens) return std::nullopt;
  memory.keys.reserve(count);
  BayesKey last = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t step = 0;
    if (!take_number(value, step) || step == 0 || step > kBayesKeyMask - last) return std::nullopt;
    last += step;
    memory.keys.push_back(last);
  }
  if (!value.empty()) return std::nullopt;
  return memory;
}

void BayesCheck::add(BayesKey key, const BayesCounts& counts) {
  ++rows;
  sum += sum_of(key, counts);
}

void BayesCheck::subtract(BayesKey key, const BayesCounts& counts) {
  --rows;
  sum -= sum_of(key, counts);
}

std::string encode(const BayesCheck& check) {
  std::string out;
  put(out, check.rows, 8);
  put(out, check.sum, 8);
  return out;
}

std::optional<BayesCheck> decode_check(std::string_view value) {
  if (value.size() != 16) return std::nullopt;
  return BayesCheck{get(value, 0, 8), get(value, 8, 8)};
}

}  // namespace postern::filters
