// What Bayes says of tokens whose counts are known.
#include "filters/bayes.h"

#include <vector>

#include "filters/bayes_collect.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::filters;

namespace {

constexpr BayesTotals kTotals{1000, 1000};

BayesToken token(BayesKind kind, std::uint64_t number) {
  return (bayes_mix(number) & ((std::uint64_t{1} << kBayesHashBits) - 1)) | static_cast<std::uint64_t>(kind) << kBayesHashBits;
}

// A message of tokens with counts.
struct Case {
  std::vector<BayesToken> tokens;
  std::vector<BayesCounts> everybody;
  std::vector<BayesCounts> own;
  Case& add(BayesKind kind, std::size_t times, std::uint32_t spam, std::uint32_t ham, BayesCounts mine = {}) {
    for (std::size_t i = 0; i < times; ++i) {
      tokens.push_back(token(kind, tokens.size() + 1));
      everybody.push_back({spam, ham, 1, 1});
      own.push_back(mine);
    }
    return *this;
  }
  BayesFact judged(BayesTotals totals = kTotals) const { return judge_bayes(tokens, everybody, totals); }
  BayesFact judged_for(BayesTotals mine) const { return judge_bayes(tokens, everybody, kTotals, own, mine); }
};

Case spammy() {
  Case c;
  c.add(BayesKind::word, 30, 100, 2).add(BayesKind::pair, 20, 40, 0).add(BayesKind::link, 5, 30, 0).add(BayesKind::subject, 5, 30, 1);
  return c;
}
Case hammy() {
  Case c;
  c.add(BayesKind::word, 30, 2, 100).add(BayesKind::pair, 20, 0, 40).add(BayesKind::author, 3, 0, 30).add(BayesKind::subject, 5, 1, 30);
  return c;
}

}  // namespace

TEST_CASE("spam is called spam, ham ham, and what is neither unsure") {
  CHECK(spammy().judged().state == BayesFact::State::spam);
  CHECK(spammy().judged().probability > 0.95);
  CHECK(spammy().judged().kinds_spam >= 3);
  CHECK(hammy().judged().state == BayesFact::State::ham);
  CHECK(hammy().judged().probability < 0.05);
  Case even;
  even.add(BayesKind::word, 50, 30, 30).add(BayesKind::word, 5, 40, 4).add(BayesKind::word, 5, 4, 40);
  CHECK(even.judged().state == BayesFact::State::unsure);
}

TEST_CASE("with too few learned messages of a class nothing is said") {
  for (BayesTotals totals : {BayesTotals{0, 0}, BayesTotals{kBayesEnough - 1, 100000}, BayesTotals{100000, kBayesEnough - 1}}) {
    BayesFact fact = spammy().judged(totals);
    CHECK(fact.state == BayesFact::State::too_few);
    CHECK(fact.probability == 0.5);
  }
  CHECK(spammy().judged({kBayesEnough, kBayesEnough}).state != BayesFact::State::too_few);
}

TEST_CASE("a message of unknown tokens is unsure") {
  Case c;
  c.add(BayesKind::word, 200, 0, 0).add(BayesKind::word, kBayesFewTokens - 1, 500, 0);
  CHECK(c.judged().state == BayesFact::State::unsure);
  CHECK(c.judged().probability == 0.5);
  CHECK(c.judged().known == kBayesFewTokens - 1);
  CHECK(Case().judged().state == BayesFact::State::unsure);
}

TEST_CASE("what a forger writes as he likes is no credit and may be a reproach") {
  double before = spammy().judged().probability;
  for (BayesKind kind : {BayesKind::claim, BayesKind::shape}) {
    CHECK(spammy().add(kind, 40, 0, 500).judged().probability == before);
    CHECK(hammy().add(kind, 40, 500, 0).judged().probability > hammy().judged().probability);
  }
}

TEST_CASE("a list of good words does not make spam ham") {
  for (std::size_t words : {60, 200, 600}) {
    CAPTURE(words);
    BayesFact fact = spammy().add(BayesKind::word, words, 0, 300).add(BayesKind::pair, words, 0, 5).judged();
    CHECK(fact.state != BayesFact::State::ham);
  }
  // More than the decisive ones change nothing at all.
  CHECK(spammy().add(BayesKind::word, 200, 0, 300).judged().probability == spammy().add(BayesKind::word, 600, 0, 300).judged().probability);
  // Words that nobody knows do not either.
  CHECK(spammy().add(BayesKind::word, 500, 0, 0).judged().probability == spammy().judged().probability);
}

TEST_CASE("a token seen once never speaks for the class it was not seen in") {
  for (BayesTotals totals : {BayesTotals{100000, 50}, BayesTotals{50, 100000}, BayesTotals{1000, 1000}}) {
    Case spam, ham;
    spam.add(BayesKind::word, 50, 1, 0);
    ham.add(BayesKind::word, 50, 0, 1);
    CHECK(spam.judged(totals).probability >= 0.5);
    CHECK(ham.judged(totals).probability <= 0.5);
  }
}

TEST_CASE("more evidence of a class never lowers its probability") {
  double last = 0;
  for (std::uint32_t spam = 1; spam <= 1000; spam *= 2) {
    Case c;
    double now = c.add(BayesKind::word, 20, spam, 5).add(BayesKind::link, 3, spam, 5).judged().probability;
    CHECK(now >= last);
    last = now;
  }
}

TEST_CASE("what the reader taught outweighs what others did, by how much he taught") {
  Case c;
  c.add(BayesKind::word, 30, 100, 2, {0, 20, 1, 1}).add(BayesKind::subject, 5, 50, 1, {0, 20, 1, 1});
  CHECK(c.judged().state == BayesFact::State::spam);
  BayesFact own = c.judged_for({40, 40});
  CHECK(own.own);
  CHECK(own.probability < 0.5);
  Case little;
  little.add(BayesKind::word, 30, 100, 2, {0, 1, 1, 1});
  CHECK(little.judged_for({40, 40}).probability > 0.5);
  // Too little of his: everybody's alone.
  CHECK(c.judged_for({kBayesOwnEnough - 1, 40}).probability == c.judged().probability);
}

TEST_CASE("a user's own learning speaks alone when there is no other") {
  Case c;
  c.add(BayesKind::word, 40, 0, 0, {60, 0, 1, 1}).add(BayesKind::pair, 40, 0, 0, {30, 0, 1, 1}).add(BayesKind::link, 6, 0, 0, {30, 0, 1, 1});
  CHECK(judge_bayes(c.tokens, c.everybody, {0, 0}, c.own, {100, 100}).state == BayesFact::State::spam);
  CHECK(judge_bayes(c.tokens, c.everybody, {0, 0}, c.own, {100, kBayesEnough - 1}).state == BayesFact::State::too_few);
}

TEST_CASE("the largest counts are finite") {
  Case c;
  c.add(BayesKind::word, 600, 16777215, 0).add(BayesKind::pair, 900, 0, 16777215);
  BayesFact fact = c.judged({16777215, 16777215});
  CHECK(fact.probability >= 0);
  CHECK(fact.probability <= 1);
}

TEST_CASE("chi-square leans to the side of the tokens") {
  Case spam = spammy(), ham = hammy();
  CHECK(bayes_chi_square(spam.tokens, spam.everybody, kTotals) > 0.99);
  CHECK(bayes_chi_square(ham.tokens, ham.everybody, kTotals) < 0.01);
  CHECK(bayes_chi_square({}, {}, kTotals) == 0.5);
}
