// Counting failed logins, and tokens that expire.
#include "gateway/directory/failures.h"

#include "gateway/directory/remembered.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::directory;
using namespace std::chrono_literals;

namespace {
const Deadline kStart = Deadline{} + 1000h;
}

TEST_CASE("the first failures cost nothing, then the delay doubles, then comes refusal") {
  Failures failures(Failures::Policy{});
  for (int i = 0; i < 2; ++i) failures.add("a", kStart);
  CHECK(failures.standing("a", kStart).delay == 0ms);
  failures.add("a", kStart);
  CHECK(failures.standing("a", kStart).delay == 500ms);
  failures.add("a", kStart);
  CHECK(failures.standing("a", kStart).delay == 1000ms);
  for (int i = 0; i < 7; ++i) failures.add("a", kStart);
  CHECK(failures.standing("a", kStart).delay == 8000ms);
  CHECK(failures.standing("a", kStart).refused_for == 0s);
  failures.add("a", kStart);
  CHECK(failures.standing("a", kStart).refused_for == 15min);
  CHECK(failures.standing("a", kStart + 5min).refused_for == 10min);
  CHECK(failures.standing("a", kStart + 15min).refused_for == 0s);
  CHECK(failures.standing("b", kStart).refused_for == 0s);
  REQUIRE(failures.refused(kStart).size() == 1);
  CHECK(failures.refused(kStart)[0].name == "a");
}

TEST_CASE("failures fade") {
  Failures failures(Failures::Policy{});
  for (int i = 0; i < 4; ++i) failures.add("a", kStart);
  CHECK(failures.standing("a", kStart + 30min).delay == 0ms);
  // Somebody who mistypes once an hour is never refused.
  for (int i = 0; i < 100; ++i) failures.add("slow", kStart + i * 1h);
  CHECK(failures.standing("slow", kStart + 99h).delay == 0ms);
}

TEST_CASE("a forgotten name starts anew") {
  Failures failures(Failures::Policy{});
  for (int i = 0; i < 20; ++i) failures.add("a", kStart);
  CHECK(failures.forget("a"));
  CHECK_FALSE(failures.forget("a"));
  CHECK(failures.standing("a", kStart).refused_for == 0s);
}

TEST_CASE("the number of names is bounded and the stalest goes first") {
  Failures failures(Failures::Policy{}, 3);
  for (const auto* name : {"a", "b", "c"}) {
    for (int i = 0; i < 4; ++i) failures.add(name, kStart);
  }
  failures.add("a", kStart);
  failures.add("d", kStart);
  CHECK(failures.size() == 3);
  CHECK(failures.standing("b", kStart).delay == 0ms);
  CHECK(failures.standing("a", kStart).delay > 0ms);
}

TEST_CASE("a remembered token expires, is renewed, and makes room") {
  Remembered tokens(2, 5min);
  tokens.remember("a", kStart);
  CHECK(tokens.knows("a", kStart + 4min));
  CHECK_FALSE(tokens.knows("a", kStart + 5min));
  tokens.remember("a", kStart + 4min);
  CHECK(tokens.knows("a", kStart + 8min));
  tokens.remember("b", kStart + 5min);
  tokens.remember("c", kStart + 5min);
  CHECK(tokens.size() == 2);
  CHECK_FALSE(tokens.knows("a", kStart + 5min));
  CHECK(tokens.knows("b", kStart + 6min));
}
