// The structure of ARC chains.
#include "gateway/mail/arc_chain.h"

#include "gateway/base/text.h"
#include "tests/support/catch.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::mail;

namespace {

std::string aar(int i) { return "ARC-Authentication-Results: i=" + std::to_string(i) + "; mx.example; spf=pass\r\n"; }
std::string ams(int i) { return "ARC-Message-Signature: i=" + std::to_string(i) + "; a=rsa-sha256; b=QQ==\r\n"; }
std::string as(int i, std::string_view cv = "") {
  std::string status(cv.empty() ? (i == 1 ? "none" : "pass") : cv);
  return "ARC-Seal: i=" + std::to_string(i) + "; cv=" + status + "; b=QQ==\r\n";
}
std::string set(int i, std::string_view cv = "") { return as(i, cv) + ams(i) + aar(i); }
const std::string kEnd = "From: a@b\r\n\r\nbody\r\n";

std::string sets(int n) {
  std::string out;
  for (int i = n; i > 0; --i) out += set(i);
  return out + kEnd;
}

}  // namespace

TEST_CASE("a right structure is read whatever the order of the fields") {
  for (int n : {1, 2, 10, 50}) {
    auto text = sets(n);
    auto chain = read_arc_chain(text);
    CAPTURE(n, chain.problem);
    CHECK(chain.problem.empty());
    CHECK(chain.sets.size() == static_cast<std::size_t>(n));
    CHECK(chain.highest == static_cast<unsigned>(n));
    CHECK_FALSE(chain.ended);
  }
  auto mixed = aar(2) + "Subject: x\r\n" + as(1) + ams(2) + aar(1) + as(2) + "arc-MESSAGE-signature : i = 1 ; b=QQ==\r\n" + kEnd;
  CHECK(read_arc_chain(mixed).problem.empty());
  CHECK(read_arc_chain(kEnd).empty());
  CHECK(read_arc_chain("").empty());
  // In the body there is no chain.
  CHECK(read_arc_chain("From: a\r\n\r\n" + set(1)).empty());
}

TEST_CASE("what is no chain is told with the place where it breaks") {
  struct Case { const char* name; std::string text; unsigned broken; const char* word; };
  const Case cases[] = {
      {"instance 0", set(0) + kEnd, 0, "no instance"},
      {"instance 51", sets(40).insert(0, set(51)), 0, "too high"},
      {"instance of three digits", "ARC-Seal: i=001; cv=none; b=QQ==\r\n" + kEnd, 0, "no instance"},
      {"no instance", "ARC-Seal: cv=none; b=QQ==\r\n" + kEnd, 0, "no instance"},
      {"instance of letters", "ARC-Message-Signature: i=one; b=QQ==\r\n" + kEnd, 0, "no instance"},
      {"negative instance", "ARC-Message-Signature: i=-1; b=QQ==\r\n" + kEnd, 0, "no instance"},
      {"gap", set(3) + set(1) + kEnd, 2, "set 2 is missing"},
      {"begins at 2", set(2) + kEnd, 1, "set 1 is missing"},
      {"no seal", ams(1) + aar(1) + kEnd, 1, "no ARC-Seal"},
      {"no message signature", as(1) + aar(1) + kEnd, 1, "no ARC-Message-Signature"},
      {"no results", as(1) + ams(1) + kEnd, 1, "no ARC-Authentication-Results"},
      {"results of another set", as(1) + ams(1) + aar(2) + kEnd, 1, "no ARC-Authentication-Results"},
      {"seal twice", as(1) + set(1) + kEnd, 1, "ARC-Seal twice"},
      {"message signature twice", ams(2) + set(2) + set(1) + kEnd, 2, "ARC-Message-Signature twice"},
      {"results twice", aar(1) + set(1) + kEnd, 1, "ARC-Authentication-Results twice"},
      {"first passes", set(1, "pass") + kEnd, 1, "cv=none"},
      {"second none", set(2, "none") + set(1) + kEnd, 2, "cv=pass"},
      {"cv of nothing", set(1, "x") + kEnd, 1, "cv=none"},
      {"cv in capitals", set(1, "NONE") + kEnd, 1, "cv=none"},
      {"malformed seal", "ARC-Seal: i=1; i=1\r\n" + kEnd, 0, "twice"},
      {"instance behind the name", "ARC-Authentication-Results: mx.example; i=1; spf=pass\r\n" + as(1) + ams(1) + kEnd, 0, "no instance"},
      {"no semicolon", "ARC-Authentication-Results: i=1 mx.example; spf=pass\r\n" + as(1) + ams(1) + kEnd, 0, "no instance"},
      {"giant field", "ARC-Seal: i=1; cv=none; x=" + std::string(kMaxArcField, 'x') + "\r\n" + kEnd, 0, "too long"},
      {"many tags", "ARC-Seal: i=1; cv=none; " + std::string(10'000, ';') + [] { std::string t; for (int i = 0; i < 100; ++i) t += "a" + std::to_string(i) + "=;"; return t; }() + "\r\n" + kEnd, 0, "too many tags"},
      {"NUL", std::string("ARC-Seal: i=1\0; cv=none\r\n", 25) + kEnd, 0, "no instance"},
  };
  for (const auto& c : cases) {
    auto chain = read_arc_chain(c.text);
    CAPTURE(c.name, chain.problem);
    CHECK(chain.broken == c.broken);
    CHECK(chain.problem.find(c.word) != std::string::npos);
    CHECK_FALSE(chain.empty());
    CHECK_FALSE(chain.ended);
  }
}

TEST_CASE("a chain whose newest seal says cv=fail has ended, whatever else it is") {
  for (const auto& text : {set(1, "fail") + kEnd, set(2, "fail") + set(1) + kEnd, set(3, "fail") + set(1) + kEnd, as(2, "fail") + kEnd}) {
    auto chain = read_arc_chain(text);
    CHECK(chain.ended);
    CHECK_FALSE(chain.problem.empty());
  }
  auto older = set(2) + set(1, "fail") + kEnd;
  CHECK_FALSE(read_arc_chain(older).ended);
  CHECK(read_arc_chain(older).broken == 1);
}

TEST_CASE("the instance of the results may stand among comments, but first") {
  struct Case { std::string_view raw; unsigned instance; std::string_view payload; };
  const Case cases[] = {
      {" i=1; mx; none", 1, " mx; none"}, {"i=50;x", 50, "x"}, {"(c) i (c) = (c) 7 (c(d)) ;x", 7, "x"}, {"\r\n\ti=2 ;", 2, ""},
      {"", 0, ""}, {"i=1", 0, ""}, {"i=;x", 0, ""}, {"i=0;x", 0, ""}, {"i=100;x", 0, ""}, {"I=1;x", 0, ""}, {"j=1;x", 0, ""}, {"i=1x;", 0, ""}, {"(i=1;", 0, ""},
  };
  for (const auto& c : cases) {
    auto parts = split_arc_results(c.raw);
    CAPTURE(c.raw);
    CHECK(parts.has_value() == (c.instance != 0));
    if (!parts) continue;
    CHECK(parts->instance == c.instance);
    CHECK(parts->payload == c.payload);
  }
  CHECK(split_arc_results("i=51;")->instance == 51);   // too high, but one
}

TEST_CASE("ten thousand ARC fields cost little and are no chain") {
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "ARC-Seal: i=" + std::to_string(i % 50 + 1) + "; cv=pass; x=" + std::string(500, 'x') + "\r\n";
  text += kEnd;
  ArcChain chain;
  auto cost = testing::thread_time([&] { chain = read_arc_chain(text); });
  CHECK(cost < postern::testing::out_of_bounds(std::chrono::milliseconds(200)));   // of 5 MB
  CHECK(chain.fields == 10'000);
  CHECK(chain.problem.find("more than 150") != std::string::npos);
  CHECK(chain.highest > kMaxArcInstance);   // so nobody adds to it
}
