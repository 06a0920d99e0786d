// Tokens of links: what they carry, who can make them, how long they and their keys are good.
#include "gateway/directory/link_tokens.h"

#include "gateway/base/base32.h"
#include "gateway/base/text.h"
#include "gateway/directory/invitation.h"
#include "gateway/directory/link_keys.h"
#include "gateway/directory/unsubscribe.h"
#include "gateway/io/loop.h"
#include "tests/support/catch.h"
#include "tests/support/memory_store.h"

using namespace postern;
using namespace std::chrono_literals;
using directory::LinkPurpose;
using directory::LinkTokens;
using Kind = LinkTokens::Read::Kind;

namespace {

const Time kNow = from_unix(1'795'492'742);
Time days(int count) { return kNow + std::chrono::hours(24 * count); }

LinkTokens tokens() { return LinkTokens({{7, std::string(32, 'k')}}); }

}  // namespace

TEST_CASE("a token gives back its body for its purpose until its time is over") {
  auto all = tokens();
  for (std::string body : {std::string(), std::string("x"), std::string("\0\xff octets", 9), std::string(LinkTokens::kMostBody, 'b')}) {
    auto token = all.make(LinkPurpose::release, body, days(14));
    CHECK(token.size() >= LinkTokens::kLeastText);
    CHECK(token.size() <= LinkTokens::kMostText);
    for (const auto& text : {token, ascii_uppered(token)}) {
      auto read = all.read(LinkPurpose::release, text, days(13));
      CHECK(read.ok());
      CHECK(read.body == body);
    }
    auto late = all.read(LinkPurpose::release, token, days(15));
    CHECK(late.kind == Kind::expired);
    CHECK(late.body.empty());
  }
  CHECK(all.make(LinkPurpose::release, "", days(1)).size() == LinkTokens::kLeastText);
}

TEST_CASE("the minute of the expiry is rounded up, never down") {
  auto all = tokens();
  auto token = all.make(LinkPurpose::release, "b", kNow);   // 1'795'492'742 is 2 s behind a minute
  CHECK(all.read(LinkPurpose::release, token, kNow + 57s).ok());
  CHECK(all.read(LinkPurpose::release, token, kNow + 58s).kind == Kind::expired);
}

TEST_CASE("a token with one bit changed anywhere is forged") {
  auto all = tokens();
  auto octets = *from_base32(all.make(LinkPurpose::release, "the body", days(14)));
  for (std::size_t i = 0; i < octets.size() * 8; ++i) {
    auto changed = octets;
    changed[i / 8] = static_cast<char>(changed[i / 8] ^ (1 << i % 8));
    INFO("bit " << i);
    CHECK(all.read(LinkPurpose::release, base32(changed), kNow).kind == Kind::forged);
  }
}

TEST_CASE("a token of another purpose, cut, longer or no token at all is forged") {
  auto all = tokens();
  auto token = all.make(LinkPurpose::release, "the body", days(14));
  CHECK(all.read(LinkPurpose::password, token, kNow).kind == Kind::forged);
  CHECK(all.read(LinkPurpose::unsubscribe, token, kNow).kind == Kind::forged);
  for (std::size_t length = 0; length < token.size(); ++length) CHECK(all.read(LinkPurpose::release, token.substr(0, length), kNow).kind == Kind::forged);
  for (auto text : {token + "a", token + token, "a" + token, token + "=", std::string("../../etc/passwd"), std::string(5000, 'a')}) {
    INFO(text.substr(0, 100));
    CHECK(all.read(LinkPurpose::release, text, kNow).kind == Kind::forged);
  }
}

TEST_CASE("another key of the same number makes other tokens") {
  LinkTokens mine({{7, std::string(32, 'k')}}), theirs({{7, std::string(32, 'l')}}), none({{8, std::string(32, 'k')}});
  auto token = theirs.make(LinkPurpose::release, "b", days(14));
  CHECK(mine.read(LinkPurpose::release, token, kNow).kind == Kind::forged);
  CHECK(none.read(LinkPurpose::release, mine.make(LinkPurpose::release, "b", days(14)), kNow).kind == Kind::forged);
}

TEST_CASE("numbers of a body come back, and one that is cut is none") {
  std::string body;
  for (std::uint64_t number : {0ULL, 127ULL, 128ULL, 300ULL, 0xffffffffULL, ~0ULL}) directory::add_number(body, number);
  std::string_view rest = body;
  std::uint64_t number = 0;
  for (std::uint64_t wanted : {0ULL, 127ULL, 128ULL, 300ULL, 0xffffffffULL, ~0ULL}) {
    CHECK(directory::take_number(rest, number));
    CHECK(number == wanted);
  }
  CHECK(rest.empty());
  CHECK_FALSE(directory::take_number(rest, number));
  rest = "\x80\x80";
  CHECK_FALSE(directory::take_number(rest, number));
}

TEST_CASE("the key of links is made once, kept, and followed by others that leave a year of tokens good") {
  io::Loop loop;
  test::MemoryStore store;
  FixedClock clock(kNow);
  directory::LinkKeys keys(clock);
  CHECK(keys.current() == nullptr);
  REQUIRE(loop.block_on(keys.prepare(store)));
  auto token = keys.current()->make(LinkPurpose::unsubscribe, "b", days(365));
  directory::LinkKeys again(clock);
  REQUIRE(loop.block_on(again.prepare(store)));
  CHECK(again.current()->read(LinkPurpose::unsubscribe, token, kNow).ok());
  CHECK(store.writes.size() == 1);
  for (int day = 1; day < 365; ++day) {
    clock.set(days(day));
    REQUIRE(loop.block_on(again.prepare(store)));
  }
  CHECK(store.writes.size() == 13);   // every thirty days
  CHECK(again.current()->read(LinkPurpose::unsubscribe, token, days(364)).ok());
  auto fresh = again.current()->make(LinkPurpose::release, "b", days(400));
  CHECK(keys.current()->read(LinkPurpose::release, fresh, days(365)).kind == Kind::forged);   // by the new key
  // The first key goes once nothing can be good any more that it made.
  for (int day = 365; day < 430; ++day) {
    clock.set(days(day));
    REQUIRE(loop.block_on(again.prepare(store)));
  }
  CHECK(split(store.general["link:keys"], '\n').size() <= 15);
  CHECK(again.current()->read(LinkPurpose::unsubscribe, token, kNow).kind == Kind::forged);
}

TEST_CASE("a damaged row of keys is replaced, and what cannot be read or written is told") {
  io::Loop loop;
  test::MemoryStore store;
  store.general["link:keys"] = "rubbish";
  directory::LinkKeys keys;
  REQUIRE(loop.block_on(keys.prepare(store)));
  CHECK(keys.current() != nullptr);
  test::MemoryStore full;
  full.fail_with = store::Outcome::no_space;
  directory::LinkKeys first;
  CHECK_FALSE(loop.block_on(first.prepare(full)));
  CHECK(first.current() == nullptr);
  full.unreadable = true;
  CHECK_FALSE(loop.block_on(first.prepare(full)));
}

TEST_CASE("an invitation is good until the password is set, and for its user alone") {
  test::MemoryStore store;
  io::Loop loop;
  auto all = tokens();
  store.add_account("ann@example.test");
  store.add_account("bob@example.test");
  auto ann = *store.account("ann@example.test");
  auto token = directory::invitation_token(all, ann, days(7));
  auto body = all.read(LinkPurpose::password, token, kNow).body;
  REQUIRE(directory::invited(store, body));
  CHECK(directory::invited(store, body)->address == "ann@example.test");
  auto other = body;
  other.back() = 2;   // Bob's number
  CHECK_FALSE(directory::invited(store, other));
  CHECK_FALSE(directory::invited(store, ""));
  CHECK_FALSE(directory::invited(store, body + "x"));
  CHECK_FALSE(directory::invited(store, body.substr(0, 8)));
  ann.password_row = "set";
  REQUIRE(loop.block_on(store.update_account(ann)).ok());
  CHECK_FALSE(directory::invited(store, body));
}

TEST_CASE("a token to leave a list names list and member, and no line end gets into it") {
  auto all = tokens();
  auto token = directory::unsubscribe_token(all, {"list@example.test", "member@example.org"}, days(300));
  REQUIRE(token);
  auto who = directory::membership_in(all.read(LinkPurpose::unsubscribe, *token, kNow).body);
  REQUIRE(who);
  CHECK(who->list == "list@example.test");
  CHECK(who->member == "member@example.org");
  CHECK_FALSE(directory::unsubscribe_token(all, {"list\n@example.test", "m@example.org"}, days(1)));
  CHECK_FALSE(directory::unsubscribe_token(all, {"list@example.test", "m\n@example.org"}, days(1)));
  CHECK_FALSE(directory::unsubscribe_token(all, {std::string(400, 'l'), std::string(400, 'm')}, days(1)));
  CHECK_FALSE(directory::membership_in("nothing"));
}
