#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "filters/bayes.h"
#include "filters/bayes_rows.h"
#include "filters/bayes_table.h"
#include "gateway/base/result.h"

namespace postern::filters {

// A change of what was learned.  The owner writes `rows` in one batch, and only then says that it was learned.
struct BayesChange {
  enum class Outcome : std::uint8_t {
    learned,     // the first time
    moved,       // from the other class
    already,     // in this class: nothing changes
    forgotten,
    unknown,     // to be forgotten, but it was never learned (or longer ago than kBayesMemoryDays): nothing changes
    damaged,     // the row about the message does not parse: nothing changes
    full,        // 16 million messages of the class: nothing changes
  };
  Outcome outcome = Outcome::unknown;
  std::vector<BayesRow> rows;        // at most about 2 * kMostBayesTokens * 2 + 4

  // What was there before, for revert().
  struct Before {
    BayesKey key = 0;
    BayesCounts counts;
  };
  std::vector<Before> before;
  std::vector<std::pair<std::uint64_t, BayesTotals>> totals_before;
};

// All that Bayes has learned, of everybody (user 0) and of each user, in memory; the store's rows are the truth, and
// are read once at start.
//
// judge() and totals() from any thread at any time.  learn(), forget(), expire() and revert() change it at once and give
// the rows for it; they are called by one thread (or task) at a time, which gives the rows to the store in that order.  Rows
// hold new values, not differences: a batch that was written is complete whatever was killed after it, and one that was
// not was never acknowledged.  When a write fails, revert() its change and those after it, the last first.
class BayesModel {
 public:
  explicit BayesModel(std::size_t most_tokens = 1'500'000) : table_(most_tokens) {}

  // --- reading at start: totals, then tokens in any pages, then the check row; false: the row does not parse, it is counted
  void add_rows(std::span<const BayesRow> rows);
  // An Error: rows are missing, changed or damaged.  The model stays as it was read, judge() answers `error` with that text
  // and nothing is learned, until reset() and rebuild().
  Status finish_loading(const std::optional<std::string>& check_row);
  // From what is remembered of learned messages: empties the model; add_memory() for every memory row; then the rows of
  // rebuilt() replace all token, total and check rows.
  void reset();
  bool add_memory(std::string_view row_key, std::string_view value);
  std::vector<BayesRow> rebuilt();

  // --- judging.  user 0: everybody's counts alone.
  BayesFact judge(std::span<const BayesToken> tokens, std::uint64_t user) const;
  BayesTotals totals(std::uint64_t user) const;
  std::size_t tokens() const { return table_.size(); }
  std::size_t octets() const { return table_.octets(); }
  std::string problem() const;

  // --- learning.  `own` and `everybody` are the values of memory_row(user, digest) and memory_row(0, digest).
  //
  // `place`: where the message stood, so that moving it back there is known as taking back (learning_of_move).
  // A user's word counts for himself, and for everybody if he is the first to say something of that message; then it is
  // his to move and take back.  The administrator's (user 0) always counts for everybody, and for nobody's own.
  BayesChange learn(std::uint64_t user, BayesDigest digest, BayesClass as, std::span<const BayesToken> tokens,
                    const std::optional<std::string>& own, const std::optional<std::string>& everybody, std::uint16_t day,
                    MailPlace place = MailPlace::elsewhere);
  // The counts are then as if it had never been learned.  Of a token that expired meanwhile nothing is taken.
  BayesChange forget(std::uint64_t user, BayesDigest digest, const std::optional<std::string>& own,
                     const std::optional<std::string>& everybody);
  void revert(const BayesChange& change);

  // Drops tokens that were not seen for long, the rarer the sooner, and sooner still as the table fills up: looks at
  // `slots` slots and goes on from there at the next call.  Learned messages stay counted in the totals.
  BayesChange expire(std::uint16_t day, std::size_t slots = 65536);

 private:
  using Totals = std::map<std::uint64_t, BayesTotals>;
  void set(BayesKey key, const BayesCounts& counts, BayesChange& change);
  void set_totals(std::uint64_t user, BayesTotals totals, BayesChange& change);
  void count(std::uint64_t scope, std::uint64_t learner, BayesDigest digest, BayesClass as, std::span<const BayesToken> tokens, MailPlace place, std::uint16_t day,
             BayesChange& change);
  void take_back(std::uint64_t scope, const BayesMemory& memory, BayesChange& change);
  BayesChange::Outcome teach(std::uint64_t scope, std::uint64_t learner, BayesDigest digest, BayesClass as, std::span<const BayesToken> tokens,
                             const std::optional<std::string>& row, MailPlace place, std::uint16_t day, BayesChange& change);
  void finish(BayesChange& change);

  BayesTable table_;
  BayesCheck check_;
  std::size_t damaged_ = 0;
  std::size_t sweep_at_ = 0;
  mutable std::mutex mutex_;   // guards totals_ and problem_
  Totals totals_;
  std::string problem_;
};

}  // namespace postern::filters
