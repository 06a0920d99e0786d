#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filters/bayes_table.h"

// How what Bayes has learned lies in the store, as general rows under "bayes:"; numbers little-endian, those in keys
// big-endian.
//   bayes:t<key 6>               counts of a token: spam 3, ham 3, born 2, seen 2
//   bayes:n<user 8>              totals: spam 4, ham 4
//   bayes:c                      check: number of token rows 8, sum over them 8
//   bayes:m<user 8><digest 16>   what was learned of a message
namespace postern::filters {

struct BayesRow {
  std::string key;
  std::optional<std::string> value;   // nullopt: erased
};

constexpr std::string_view kBayesRows = "bayes:";
constexpr std::string_view kBayesTokenRows = "bayes:t";
constexpr std::string_view kBayesTotalRows = "bayes:n";
constexpr std::string_view kBayesCheckRow = "bayes:c";
constexpr std::string_view kBayesMemoryRows = "bayes:m";

// Which message: 128 bits that tell mails apart; who wants two to meet can make them, and gains nothing by it.
struct BayesDigest {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  bool operator==(const BayesDigest&) const = default;
};
// Of what a message is to its reader, not of its octets: From, Subject, Date and Message-ID unfolded, and the body without
// line ends and white space at their ends.  What a gateway or a mailbox adds on its way changes nothing.
BayesDigest bayes_digest(std::string_view message);

enum class BayesClass : std::uint8_t { spam, ham };

// Where a message stands, as far as learning cares.
enum class MailPlace : std::uint8_t { elsewhere, inbox, junk, trash, quarantine, always_allow, always_block, sent, drafts };

// What is remembered of a learned message, so that it is learned once and can be undone exactly.
struct BayesMemory {
  BayesClass as = BayesClass::spam;
  MailPlace from = MailPlace::elsewhere;   // where it stood before the move that taught it
  std::uint16_t day = 0;              // when it was learned
  std::uint64_t learner = 0;          // the user; 0: the administrator
  std::vector<BayesKey> keys;         // that were counted, ascending
  bool operator==(const BayesMemory&) const = default;
};
// Rows of this age are swept away: what was learned then stays and can no longer be undone.
constexpr std::uint16_t kBayesMemoryDays = 365;

std::string token_row(BayesKey key);
std::string total_row(std::uint64_t user);
std::string memory_row(std::uint64_t user, BayesDigest digest);
std::optional<BayesKey> key_of_token_row(std::string_view row);
std::optional<std::uint64_t> user_of_total_row(std::string_view row);

std::string encode(const BayesCounts& counts);
std::string encode(BayesTotals totals);
std::string encode(const BayesMemory& memory);
// nullopt: damaged.
std::optional<BayesCounts> decode_counts(std::string_view value);
std::optional<BayesTotals> decode_totals(std::string_view value);
std::optional<BayesMemory> decode_memory(std::string_view value);

// The check row: in every batch, so that rows that got lost or changed are noticed when all are read.
struct BayesCheck {
  std::uint64_t rows = 0;
  std::uint64_t sum = 0;
  void add(BayesKey key, const BayesCounts& counts);
  void subtract(BayesKey key, const BayesCounts& counts);
  bool operator==(const BayesCheck&) const = default;
};
std::string encode(const BayesCheck& check);
std::optional<BayesCheck> decode_check(std::string_view value);

}  // namespace postern::filters
