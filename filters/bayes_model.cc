// Learning of Bayes: what is added, what is taken back, what is dropped, and the rows for it.
#include "filters/bayes_model.h"

#include <algorithm>
#include <array>

#include "gateway/base/check.h"

namespace postern::filters {
namespace {

// Days without being seen after which a token of so many messages goes.
struct Age {
  std::uint32_t most;
  unsigned days;
};
constexpr Age kAges[] = {{1, 60}, {3, 180}, {10, 400}, {UINT32_MAX, 1000}};

unsigned days_for(const BayesCounts& counts, unsigned pressure) {
  for (const Age& age : kAges) {
    if (counts.spam + counts.ham <= age.most) return std::max(age.days >> pressure, 1U);
  }
  return 1000;
}

std::uint32_t& of_class(BayesCounts& counts, BayesClass as) { return as == BayesClass::spam ? counts.spam : counts.ham; }
std::uint32_t& of_class(BayesTotals& totals, BayesClass as) { return as == BayesClass::spam ? totals.spam : totals.ham; }

}  // namespace

void BayesModel::add_rows(std::span<const BayesRow> rows) {
  for (const BayesRow& row : rows) {
    if (!row.value) continue;
    if (auto user = user_of_total_row(row.key)) {
      auto totals = decode_totals(*row.value);
      if (!totals) {
        ++damaged_;
        continue;
      }
      std::lock_guard lock(mutex_);
      totals_[*user] = *totals;
      continue;
    }
    auto key = key_of_token_row(row.key);
    auto counts = decode_counts(*row.value);
    if (!key || !counts || table_.find(*key) != BayesCounts() || !table_.set(*key, *counts)) {
      ++damaged_;
      continue;
    }
    check_.add(*key, *counts);
  }
}

Status BayesModel::finish_loading(const std::optional<std::string>& check_row) {
  std::string problem;
  auto expected = check_row ? decode_check(*check_row) : BayesCheck();
  if (damaged_ > 0) {
    problem = std::to_string(damaged_) + " rows of what Bayes has learned are damaged, or are more than fit";
  } else if (!expected) {
    problem = "the row by which what Bayes has learned is checked is damaged";
  } else if (*expected != check_) {
    problem = "what Bayes has learned is not complete: " + std::to_string(check_.rows) + " tokens were read of " + std::to_string(expected->rows);
    if (expected->rows == check_.rows) problem = "what Bayes has learned does not add up: tokens have other counts than were written";
  }
  std::lock_guard lock(mutex_);
  problem_ = problem;
  if (!problem.empty()) return Error(problem);
  return {};
}

void BayesModel::reset() {
  table_.clear();
  check_ = BayesCheck();
  damaged_ = 0;
  sweep_at_ = 0;
  std::lock_guard lock(mutex_);
  totals_.clear();
  problem_.clear();
}

bool BayesModel::add_memory(std::string_view row_key, std::string_view value) {
  auto memory = decode_memory(value);
  if (!memory || !row_key.starts_with(kBayesMemoryRows) || row_key.size() != kBayesMemoryRows.size() + 24) return false;
  auto user = user_of_total_row(std::string(kBayesTotalRows) + std::string(row_key.substr(kBayesMemoryRows.size(), 8)));
  BayesChange change;
  for (BayesKey key : memory->keys) {
    BayesCounts counts = table_.find(key);
    if (of_class(counts, memory->as) == kMostBayesCount) continue;
    counts.born = counts.spam + counts.ham == 0 ? memory->day : std::min(counts.born, memory->day);
    counts.seen = std::max(counts.seen, memory->day);
    ++of_class(counts, memory->as);
    set(key, counts, change);
  }
  BayesTotals sum = totals(*user);
  ++of_class(sum, memory->as);
  set_totals(*user, sum, change);
  return true;
}

std::vector<BayesRow> BayesModel::rebuilt() {
  std::vector<BayesRow> rows;
  std::vector<BayesKey> keys;
  for (std::size_t at = table_.sweep(0, 65536, [](const BayesCounts&) { return true; }, keys); at != 0;) {
    at = table_.sweep(at, 65536, [](const BayesCounts&) { return true; }, keys);
  }
  for (BayesKey key : keys) rows.push_back({token_row(key), encode(table_.find(key))});
  std::lock_guard lock(mutex_);
  for (const auto& [user, sum] : totals_) rows.push_back({total_row(user), encode(sum)});
  rows.push_back({std::string(kBayesCheckRow), encode(check_)});
  return rows;
}

BayesTotals BayesModel::totals(std::uint64_t user) const {
  std::lock_guard lock(mutex_);
  auto found = totals_.find(user);
  return found == totals_.end() ? BayesTotals() : found->second;
}

std::string BayesModel::problem() const {
  std::lock_guard lock(mutex_);
  return problem_;
}

BayesFact BayesModel::judge(std::span<const BayesToken> tokens, std::uint64_t user) const {
  CHECK(tokens.size() <= kMostBayesTokens);
  if (auto what = problem(); !what.empty()) {
    BayesFact fact;
    fact.state = BayesFact::State::error;
    fact.problem = what;
    return fact;
  }
  std::array<BayesKey, kMostBayesTokens> keys;
  std::vector<BayesCounts> everybody(tokens.size()), own;
  auto ask = [&](std::uint64_t of, std::span<BayesCounts> out) {
    for (std::size_t i = 0; i < tokens.size(); ++i) keys[i] = bayes_key(tokens[i], of);
    table_.find({keys.data(), tokens.size()}, out);
  };
  ask(0, everybody);
  BayesTotals own_totals = user != 0 ? totals(user) : BayesTotals();
  if (own_totals.spam >= kBayesOwnEnough && own_totals.ham >= kBayesOwnEnough) {
    own.resize(tokens.size());
    ask(user, own);
  }
  return judge_bayes(tokens, everybody, totals(0), own, own_totals);
}

void BayesModel::set(BayesKey key, const BayesCounts& counts, BayesChange& change) {
  BayesCounts before = table_.find(key);
  if (!table_.set(key, counts)) return;
  change.before.push_back({key, before});
  if (before.spam + before.ham > 0) check_.subtract(key, before);
  bool there = counts.spam + counts.ham > 0;
  if (there) check_.add(key, counts);
  change.rows.push_back({token_row(key), there ? std::optional(encode(counts)) : std::nullopt});
}

void BayesModel::set_totals(std::uint64_t user, BayesTotals now, BayesChange& change) {
  std::lock_guard lock(mutex_);
  BayesTotals& place = totals_[user];
  change.totals_before.emplace_back(user, place);
  place = now;
  change.rows.push_back({total_row(user), encode(now)});
}

void BayesModel::count(std::uint64_t scope, std::uint64_t learner, BayesDigest digest, BayesClass as,
                       std::span<const BayesToken> tokens, MailPlace place, std::uint16_t day, BayesChange& change) {
  CHECK(tokens.size() <= kMostBayesTokens);
  BayesMemory memory{as, place, day, learner, {}};
  for (BayesToken token : tokens) memory.keys.push_back(bayes_key(token, scope));
  std::sort(memory.keys.begin(), memory.keys.end());
  memory.keys.erase(std::unique(memory.keys.begin(), memory.keys.end()), memory.keys.end());
  // What finds no place is not remembered either, so that taking back takes what was added.
  std::erase_if(memory.keys, [&](BayesKey key) {
    BayesCounts counts = table_.find(key);
    bool fresh = counts.spam + counts.ham == 0;
    if (fresh && table_.size() >= table_.most()) return true;
    if (fresh) counts.born = day;
    counts.seen = std::max(counts.seen, day);
    ++of_class(counts, as);
    set(key, counts, change);
    return false;
  });
  BayesTotals sum = totals(scope);
  ++of_class(sum, as);
  set_totals(scope, sum, change);
  change.rows.push_back({memory_row(scope, digest), encode(memory)});
}

void BayesModel::take_back(std::uint64_t scope, const BayesMemory& memory, BayesChange& change) {
  for (BayesKey key : memory.keys) {
    BayesCounts counts = table_.find(key);
    std::uint32_t& mine = of_class(counts, memory.as);
    // Born later: it had expired, and this message's part with it.
    if (mine == 0 || counts.born > memory.day) continue;
    --mine;
    set(key, counts, change);
  }
  BayesTotals sum = totals(scope);
  std::uint32_t& messages = of_class(sum, memory.as);
  messages -= messages > 0 ? 1 : 0;
  set_totals(scope, sum, change);
}

BayesChange::Outcome BayesModel::teach(std::uint64_t scope, std::uint64_t learner, BayesDigest digest, BayesClass as, std::span<const BayesToken> tokens,
                                       const std::optional<std::string>& row, MailPlace place, std::uint16_t day, BayesChange& change) {
  BayesTotals sum = totals(scope);
  std::optional<BayesMemory> memory;
  if (row) {
    memory = decode_memory(*row);
    if (!memory) return BayesChange::Outcome::damaged;
    if (memory->as == as) return BayesChange::Outcome::already;
  }
  if (of_class(sum, as) >= kMostBayesCount) return BayesChange::Outcome::full;
  if (memory) take_back(scope, *memory, change);
  count(scope, learner, digest, as, tokens, place, day, change);
  return memory ? BayesChange::Outcome::moved : BayesChange::Outcome::learned;
}

// One row a key, the last word of each; the check row belongs to every batch.
void BayesModel::finish(BayesChange& change) {
  if (change.rows.empty()) return;
  std::map<std::string, std::optional<std::string>> last;
  for (BayesRow& row : change.rows) last[std::move(row.key)] = std::move(row.value);
  last[std::string(kBayesCheckRow)] = encode(check_);
  change.rows.clear();
  for (auto& [key, value] : last) change.rows.push_back({key, std::move(value)});
}

BayesChange BayesModel::learn(std::uint64_t user, BayesDigest digest, BayesClass as, std::span<const BayesToken> tokens,
                              const std::optional<std::string>& own, const std::optional<std::string>& everybody, std::uint16_t day, MailPlace place) {
  using Outcome = BayesChange::Outcome;
  BayesChange change;
  if (!problem().empty()) {
    change.outcome = Outcome::damaged;
    return change;
  }
  if (user == 0) {
    change.outcome = teach(0, 0, digest, as, tokens, everybody, place, day, change);
    finish(change);
    return change;
  }
  change.outcome = teach(user, user, digest, as, tokens, own, place, day, change);
  if (change.outcome == Outcome::learned || change.outcome == Outcome::moved) {
    auto memory = everybody ? decode_memory(*everybody) : std::nullopt;
    // Somebody else spoke first: for everybody his word holds.
    if (!everybody || (memory && memory->learner == user)) static_cast<void>(teach(0, user, digest, as, tokens, everybody, place, day, change));
  }
  finish(change);
  return change;
}

BayesChange BayesModel::forget(std::uint64_t user, BayesDigest digest, const std::optional<std::string>& own,
                               const std::optional<std::string>& everybody) {
  using Outcome = BayesChange::Outcome;
  BayesChange change;
  const auto& row = user == 0 ? everybody : own;
  auto memory = row ? decode_memory(*row) : std::nullopt;
  if (!memory) {
    change.outcome = row ? Outcome::damaged : Outcome::unknown;
    return change;
  }
  if (!problem().empty()) {
    change.outcome = Outcome::damaged;
    return change;
  }
  change.outcome = Outcome::forgotten;
  take_back(user, *memory, change);
  change.rows.push_back({memory_row(user, digest), std::nullopt});
  auto shared = user != 0 && everybody ? decode_memory(*everybody) : std::nullopt;
  if (shared && shared->learner == user) {
    take_back(0, *shared, change);
    change.rows.push_back({memory_row(0, digest), std::nullopt});
  }
  finish(change);
  return change;
}

void BayesModel::revert(const BayesChange& change) {
  BayesChange ignored;
  for (auto before = change.before.rbegin(); before != change.before.rend(); ++before) set(before->key, before->counts, ignored);
  for (auto before = change.totals_before.rbegin(); before != change.totals_before.rend(); ++before) set_totals(before->first, before->second, ignored);
}

BayesChange BayesModel::expire(std::uint16_t day, std::size_t slots) {
  BayesChange change;
  change.outcome = BayesChange::Outcome::already;
  if (!problem().empty()) return change;
  // Halved for each eighth above a half of what fits: when it is nearly full, what was seen once goes after four days.
  std::size_t eighths = table_.size() * 8 / std::max<std::size_t>(table_.most(), 1);
  unsigned pressure = eighths > 4 ? static_cast<unsigned>(eighths - 4) : 0;
  std::vector<BayesKey> stale;
  auto old = [&](const BayesCounts& counts) { return day > counts.seen && day - counts.seen > static_cast<int>(days_for(counts, pressure)); };
  sweep_at_ = table_.sweep(sweep_at_, slots, old, stale);
  for (BayesKey key : stale) set(key, BayesCounts(), change);
  if (!stale.empty()) change.outcome = BayesChange::Outcome::forgotten;
  finish(change);
  return change;
}

}  // namespace postern::filters
