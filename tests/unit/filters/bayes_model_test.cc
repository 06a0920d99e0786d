// What Bayes learns, forgets and keeps.
#include "filters/bayes_model.h"

#include <algorithm>
#include <map>
#include <random>
#include <thread>

#include "filters/bayes_collect.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::filters;
using Outcome = BayesChange::Outcome;

namespace {

// The store's part: what was written, as it would be there after any kill.
class Rows {
 public:
  void write(const BayesChange& change) {
    for (const BayesRow& row : change.rows) {
      if (row.value) rows[row.key] = *row.value;
      else rows.erase(row.key);
    }
  }
  std::optional<std::string> get(const std::string& key) const {
    auto found = rows.find(key);
    return found == rows.end() ? std::nullopt : std::optional(found->second);
  }
  Status load(BayesModel& model) const {
    std::vector<BayesRow> page;
    for (const auto& [key, value] : rows) {
      if (key.starts_with(kBayesTokenRows) || key.starts_with(kBayesTotalRows)) page.push_back({key, value});
    }
    std::span<const BayesRow> all(page);
    for (std::size_t i = 0; i < all.size(); i += 7) model.add_rows(all.subspan(i, std::min<std::size_t>(7, all.size() - i)));
    return model.finish_loading(get(std::string(kBayesCheckRow)));
  }
  // Of the counts alone.
  std::map<std::string, std::string> counted() const {
    std::map<std::string, std::string> out;
    for (const auto& [key, value] : rows) {
      if (key.starts_with(kBayesTokenRows)) out[key] = value.substr(0, 6);
      if (key.starts_with(kBayesTotalRows) && value != encode(BayesTotals())) out[key] = value;
    }
    return out;
  }
  std::map<std::string, std::string> rows;
};

struct World {
  explicit World(std::size_t most = 100'000) : model(most) {}
  BayesModel model;
  Rows store;

  BayesChange learn(std::uint64_t user, BayesDigest digest, BayesClass as, std::span<const BayesToken> tokens, std::uint16_t day = 100) {
    auto change = model.learn(user, digest, as, tokens, store.get(memory_row(user, digest)), store.get(memory_row(0, digest)), day);
    store.write(change);
    return change;
  }
  BayesChange forget(std::uint64_t user, BayesDigest digest) {
    auto change = model.forget(user, digest, store.get(memory_row(user, digest)), store.get(memory_row(0, digest)));
    store.write(change);
    return change;
  }
};

std::vector<BayesToken> tokens_from(unsigned first, unsigned count) {
  std::vector<BayesToken> out;
  for (unsigned i = first; i < first + count; ++i) out.push_back(bayes_mix(i + 1) & kBayesKeyMask);
  std::sort(out.begin(), out.end());
  return out;
}

BayesDigest digest_of(std::uint64_t number) { return {number, bayes_mix(number)}; }

}  // namespace

TEST_CASE("a message is learned once, however often it is told") {
  World world;
  auto tokens = tokens_from(0, 50);
  CHECK(world.learn(0, digest_of(1), BayesClass::spam, tokens).outcome == Outcome::learned);
  auto before = world.store.rows;
  CHECK(world.learn(0, digest_of(1), BayesClass::spam, tokens).outcome == Outcome::already);
  CHECK(world.store.rows == before);
  CHECK(world.model.totals(0) == BayesTotals{1, 0});
  CHECK(world.model.tokens() == 50);
}

TEST_CASE("what is learned as the other class moves") {
  World world;
  auto tokens = tokens_from(0, 50);
  world.learn(0, digest_of(1), BayesClass::spam, tokens);
  CHECK(world.learn(0, digest_of(1), BayesClass::ham, tokens, 101).outcome == Outcome::moved);
  World other;
  other.learn(0, digest_of(1), BayesClass::ham, tokens, 101);
  CHECK(world.store.rows == other.store.rows);
}

TEST_CASE("forgetting leaves the counts as if it had never been learned") {
  std::mt19937 random(1);
  World world, never;
  std::vector<std::uint64_t> forgotten;
  for (std::uint64_t message = 0; message < 60; ++message) {
    auto tokens = tokens_from(static_cast<unsigned>(random() % 300), 80);
    std::uint64_t user = random() % 3;
    auto as = random() % 2 == 0 ? BayesClass::spam : BayesClass::ham;
    world.learn(user, digest_of(message), as, tokens);
    if (message % 3 == 0) {
      forgotten.push_back(message);
    } else {
      never.learn(user, digest_of(message), as, tokens);
    }
    if (message % 3 == 0 && message % 2 == 0) world.learn(user, digest_of(message), as == BayesClass::spam ? BayesClass::ham : BayesClass::spam, tokens);
  }
  for (auto message : forgotten) {
    for (std::uint64_t user = 0; user < 3; ++user) static_cast<void>(world.forget(user, digest_of(message)));
  }
  CHECK(world.store.counted() == never.store.counted());
  CHECK(world.forget(0, digest_of(forgotten[0])).outcome == Outcome::unknown);
}

TEST_CASE("the first word of a user counts for everybody, the next ones for those who say them") {
  World world;
  auto tokens = tokens_from(0, 20);
  world.learn(5, digest_of(1), BayesClass::spam, tokens);
  CHECK(world.model.totals(0) == BayesTotals{1, 0});
  CHECK(world.model.totals(5) == BayesTotals{1, 0});
  world.learn(6, digest_of(1), BayesClass::ham, tokens);
  CHECK(world.model.totals(0) == BayesTotals{1, 0});
  CHECK(world.model.totals(6) == BayesTotals{0, 1});
  // User 6 takes back his own alone; user 5 what counts for everybody.
  CHECK(world.forget(6, digest_of(1)).outcome == Outcome::forgotten);
  CHECK(world.model.totals(0) == BayesTotals{1, 0});
  CHECK(world.learn(5, digest_of(1), BayesClass::ham, tokens).outcome == Outcome::moved);
  CHECK(world.model.totals(0) == BayesTotals{0, 1});
  CHECK(world.forget(5, digest_of(1)).outcome == Outcome::forgotten);
  CHECK(world.model.totals(0) == BayesTotals{0, 0});
  CHECK(world.model.tokens() == 0);
}

TEST_CASE("what was written is there after a restart, and what was not is not") {
  World world;
  for (unsigned i = 0; i < 20; ++i) world.learn(i % 2, digest_of(i), i % 3 == 0 ? BayesClass::spam : BayesClass::ham, tokens_from(i * 10, 40));
  // Learned, but killed before the batch was written.
  static_cast<void>(world.model.learn(0, digest_of(99), BayesClass::spam, tokens_from(5000, 10), std::nullopt, std::nullopt, 100));
  BayesModel again;
  REQUIRE(world.store.load(again));
  CHECK(again.tokens() == world.model.tokens() - 10);
  CHECK(again.totals(0).spam + 1 == world.model.totals(0).spam);
  CHECK(again.totals(1) == world.model.totals(1));
  BayesModel empty;
  CHECK(Rows().load(empty));
  CHECK(empty.problem().empty());
}

TEST_CASE("a write that failed is taken back") {
  World world;
  world.learn(1, digest_of(1), BayesClass::spam, tokens_from(0, 30));
  auto one = world.model.learn(1, digest_of(2), BayesClass::ham, tokens_from(10, 30), std::nullopt, std::nullopt, 101);
  auto two = world.model.learn(0, digest_of(3), BayesClass::spam, tokens_from(20, 30), std::nullopt, std::nullopt, 102);
  world.model.revert(two);
  world.model.revert(one);
  auto next = world.learn(0, digest_of(4), BayesClass::ham, tokens_from(100, 5));
  World never;
  never.learn(1, digest_of(1), BayesClass::spam, tokens_from(0, 30));
  never.learn(0, digest_of(4), BayesClass::ham, tokens_from(100, 5));
  CHECK(world.store.rows == never.store.rows);   // the check row included
}

TEST_CASE("lost, changed and damaged rows are said, never taken for nothing learned") {
  World world;
  for (unsigned i = 0; i < 120; ++i) world.learn(0, digest_of(i), i % 2 == 0 ? BayesClass::spam : BayesClass::ham, tokens_from(i * 3, 20));
  const Rows good = world.store;
  std::string row = token_row(bayes_key(tokens_from(0, 1)[0], 0));
  REQUIRE(good.rows.contains(row));
  struct Case { const char* what; std::function<void(std::map<std::string, std::string>&)> damage; const char* said; };
  const Case cases[] = {
      {"a row is gone", [&](auto& rows) { rows.erase(row); }, "not complete"},
      {"a count is another", [&](auto& rows) { rows[row][0] ^= 64; }, "does not add up"},
      {"a row is cut", [&](auto& rows) { rows[row].pop_back(); }, "damaged"},
      {"a row has counts of nothing", [&](auto& rows) { rows[row] = std::string(10, '\0'); }, "damaged"},
      {"all tokens are gone", [](auto& rows) { std::erase_if(rows, [](const auto& one) { return one.first.starts_with(kBayesTokenRows); }); }, "not complete"},
      {"the totals are damaged", [](auto& rows) { rows[total_row(0)] = "x"; }, "damaged"},
      {"the check is damaged", [](auto& rows) { rows[std::string(kBayesCheckRow)] = "x"; }, "damaged"},
      {"the check is gone", [](auto& rows) { rows.erase(std::string(kBayesCheckRow)); }, "not complete"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    Rows bad = good;
    c.damage(bad.rows);
    BayesModel model;
    auto status = bad.load(model);
    REQUIRE(!status);
    CHECK(status.error().text.find(c.said) != std::string::npos);
    BayesFact fact = model.judge(tokens_from(0, 20), 0);
    CHECK(fact.state == BayesFact::State::error);
    CHECK(fact.problem == status.error().text);
    CHECK(model.learn(0, digest_of(1000), BayesClass::spam, tokens_from(0, 5), std::nullopt, std::nullopt, 1).outcome == Outcome::damaged);
  }
}

TEST_CASE("a damaged model is built anew from what is remembered of its messages") {
  World world;
  for (unsigned i = 0; i < 40; ++i) world.learn(i % 3, digest_of(i), i % 2 == 0 ? BayesClass::spam : BayesClass::ham, tokens_from(i * 3, 20), static_cast<std::uint16_t>(100 + i));
  BayesModel model;
  model.reset();
  for (const auto& [key, value] : world.store.rows) {
    if (key.starts_with(kBayesMemoryRows)) CHECK(model.add_memory(key, value));
  }
  CHECK(!model.add_memory("bayes:mxx", "y"));
  Rows rebuilt;
  for (const auto& row : model.rebuilt()) rebuilt.rows[row.key] = *row.value;
  CHECK(rebuilt.counted() == world.store.counted());
  BayesModel again;
  CHECK(rebuilt.load(again));
}

TEST_CASE("a damaged memory row changes nothing") {
  World world;
  auto tokens = tokens_from(0, 10);
  world.learn(0, digest_of(1), BayesClass::spam, tokens);
  auto change = world.model.learn(0, digest_of(1), BayesClass::ham, tokens, std::nullopt, "rubbish", 100);
  CHECK(change.outcome == Outcome::damaged);
  CHECK(change.rows.empty());
  CHECK(world.model.forget(0, digest_of(1), std::nullopt, "rubbish").outcome == Outcome::damaged);
  CHECK(world.model.totals(0) == BayesTotals{1, 0});
}

TEST_CASE("tokens that were not seen for long go, the rarer the sooner") {
  World world;
  auto rare = tokens_from(0, 10), common = tokens_from(100, 10);
  world.learn(0, digest_of(0), BayesClass::spam, rare, 100);
  for (unsigned i = 1; i <= 20; ++i) world.learn(0, digest_of(i), BayesClass::ham, common, 100);
  auto expire = [&](std::uint16_t day) { auto change = world.model.expire(day); world.store.write(change); return change; };
  CHECK(expire(160).rows.empty());
  CHECK(expire(161).outcome == Outcome::forgotten);
  CHECK(world.model.tokens() == 10);
  CHECK(expire(1100).rows.empty());
  CHECK(!expire(1101).rows.empty());
  CHECK(world.model.tokens() == 0);
  CHECK(world.model.totals(0) == BayesTotals{1, 20});
  BayesModel again;
  CHECK(world.store.load(again));
}

TEST_CASE("of a token that expired since nothing is taken back") {
  World world;
  auto tokens = tokens_from(0, 10);
  world.learn(0, digest_of(1), BayesClass::spam, tokens, 100);
  world.store.write(world.model.expire(200));
  REQUIRE(world.model.tokens() == 0);
  world.learn(0, digest_of(2), BayesClass::spam, tokens, 201);
  world.forget(0, digest_of(1));
  World never;
  never.learn(0, digest_of(2), BayesClass::spam, tokens, 201);
  CHECK(world.store.counted() == never.store.counted());
}

TEST_CASE("there are never more tokens than the bound, and old ones make room") {
  World world(2000);
  for (unsigned i = 0; i < 100; ++i) {
    auto change = world.learn(0, digest_of(i), BayesClass::spam, tokens_from(i * 100, 100), 100);
    CHECK(change.outcome == Outcome::learned);
  }
  CHECK(world.model.tokens() == 2000);
  CHECK(world.model.totals(0).spam == 100);
  // What found no place is not taken back from others.
  world.forget(0, digest_of(99));
  CHECK(world.model.tokens() == 2000);
  world.store.write(world.model.expire(104));
  CHECK(world.model.tokens() == 0);
  CHECK(world.learn(0, digest_of(500), BayesClass::ham, tokens_from(0, 100), 104).outcome == Outcome::learned);
  CHECK(world.model.tokens() == 100);
}

TEST_CASE("the table finds what a map finds") {
  std::mt19937_64 random(3);
  BayesTable table(20'000);
  std::map<BayesKey, BayesCounts> map;
  for (int step = 0; step < 200'000; ++step) {
    BayesKey key = bayes_mix(random() % 6000) & kBayesKeyMask;
    if (key == 0) continue;
    BayesCounts counts{static_cast<std::uint32_t>(random() % 3 * 8'000'000), static_cast<std::uint32_t>(random() % 3), static_cast<std::uint16_t>(random()), 7};
    CHECK(table.set(key, counts));
    if (counts.spam + counts.ham == 0) map.erase(key);
    else map[key] = counts;
  }
  CHECK(table.size() == map.size());
  std::vector<BayesKey> keys;
  for (std::uint64_t i = 0; i < 6000; ++i) keys.push_back(std::max<BayesKey>(bayes_mix(i) & kBayesKeyMask, 1));
  std::vector<BayesCounts> found(keys.size());
  table.find(keys, found);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto expected = map.find(keys[i]);
    if (found[i] != (expected == map.end() ? BayesCounts() : expected->second)) FAIL_CHECK("key " << i);
  }
  CHECK(table.octets() <= 16 * 16384 * 2);
}

TEST_CASE("judging goes on while others learn") {
  BayesModel model;
  std::vector<BayesToken> watched = tokens_from(0, 200);
  std::thread learner([&] {
    for (unsigned i = 0; i < 400; ++i) {
      static_cast<void>(model.learn(0, digest_of(i), i % 2 == 0 ? BayesClass::spam : BayesClass::ham, tokens_from(i * 50, 200), std::nullopt, std::nullopt, 1));
    }
    static_cast<void>(model.expire(500));
  });
  for (int i = 0; i < 2000; ++i) {
    BayesFact fact = model.judge(watched, 3);
    REQUIRE(fact.known <= 200);
  }
  learner.join();
  CHECK(model.tokens() == 0);
}

TEST_CASE("rows come back as they were, and cut ones are damaged") {
  BayesCounts counts{70000, 3, 20000, 20100};
  CHECK(decode_counts(encode(counts)) == counts);
  BayesMemory memory{BayesClass::ham, MailPlace::junk, 20000, 42, {1, 2, 77777, kBayesKeyMask}};
  std::string value = encode(memory);
  CHECK(decode_memory(value) == memory);
  for (std::size_t cut = 0; cut < value.size(); ++cut) CHECK(!decode_memory(std::string_view(value).substr(0, cut)));
  CHECK(!decode_memory(value + "x"));
  CHECK(key_of_token_row(token_row(kBayesKeyMask)) == kBayesKeyMask);
  CHECK(!key_of_token_row("bayes:t12345"));
  CHECK(user_of_total_row(total_row(UINT64_MAX)) == UINT64_MAX);
  BayesMemory full;
  for (const auto& token : tokens_from(0, kMostBayesTokens)) full.keys.push_back(token);
  CHECK(encode(full).size() < 7 * kMostBayesTokens);
}

TEST_CASE("a message is the same whatever was added on its way") {
  const std::string mail = "From: a@b.example\r\nSubject: hello\r\n world\r\nMessage-ID: <1@b>\r\n\r\nline one\r\n\r\nline two\r\n";
  BayesDigest digest = bayes_digest(mail);
  CHECK(bayes_digest("Received: x\r\nX-Postern-Verdict: ham\r\n" + mail) == digest);
  CHECK(bayes_digest("From: a@b.example\nSubject: hello\n world\nMessage-ID: <1@b>\n\nline one  \n\nline two") == digest);
  CHECK(!(bayes_digest("From: a@b.example\r\nSubject: hello\r\n\r\nline one\r\n") == digest));
  CHECK(!(bayes_digest(mail + "more\r\n") == digest));
  CHECK(bayes_digest("") == bayes_digest("\r\n\r\n"));
}
