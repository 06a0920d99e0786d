// Keys, their rows and records.
#include "gateway/signing/key.h"

#include "gateway/base/text.h"
#include "gateway/io/loop.h"
#include "gateway/signing/key_ring.h"
#include "tests/support/catch.h"
#include "tests/support/memory_store.h"

using namespace postern;
using namespace postern::signing;

namespace {

const Time kNow = from_unix(1'795'492'742);

Key made(const char* selector, Algorithm algorithm = Algorithm::ed25519) {
  auto key = make_key("corp.example", selector, algorithm, kNow);
  REQUIRE(key);
  return *key;
}

}  // namespace

TEST_CASE("a key comes back from its row, and signs as before") {
  for (auto algorithm : {Algorithm::rsa, Algorithm::ed25519}) {
    auto key = made("s1", algorithm);
    key.state = State::active;
    key.seen = key.told = from_unix(1'795'492'800);
    key.forced = true;
    key.problem = "there is no record";
    auto read = decode_key(row_name(key), encode(key));
    REQUIRE(read);
    CHECK(read->domain == "corp.example");
    CHECK(read->selector == "s1");
    CHECK(read->algorithm == algorithm);
    CHECK(read->state == State::active);
    CHECK(read->created == kNow);
    CHECK(read->seen == key.seen);
    CHECK(read->forced);
    CHECK(read->problem == key.problem);
    CHECK(read->record_text() == key.record_text());
    CHECK(read->secret->public_text() == key.public_text);
    std::string hash(32, 'h');
    // Both algorithms sign the same hash the same way each time.
    CHECK(*read->secret->sign(hash) == *key.secret->sign(hash));
  }
}

TEST_CASE("a row that is cut or not ours is damaged and no key") {
  auto key = made("s1");
  auto row = encode(key);
  for (std::size_t size = 0; size < row.size(); ++size) CHECK_FALSE(decode_key(row_name(key), row.substr(0, size)));
  CHECK_FALSE(decode_key(row_name(key), row + "x"));
  CHECK_FALSE(decode_key("dkim:no-selector", row));
  CHECK_FALSE(decode_key("other:corp.example:s1", row));
  key.secret.reset();
  CHECK_FALSE(decode_key(row_name(key), encode(key)));   // only one that has ended has no private key
  key.state = State::ended;
  CHECK(decode_key(row_name(key), encode(key)));
}

TEST_CASE("the record names the key, and a zone file takes it in strings of at most 255 octets") {
  auto key = made("s1", Algorithm::rsa);
  CHECK(key.record_name() == "s1._domainkey.corp.example");
  auto text = key.record_text();
  CHECK(text.starts_with("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"));
  auto strings = txt_strings(text);
  REQUIRE(strings.size() == 2);
  CHECK(strings[0].size() == 255);
  CHECK(join(strings, "") == text);
  CHECK(zone_line("a.b", "x\"y") == "a.b. IN TXT ( \"x\\\"y\" )");
  auto small = made("s2");
  CHECK(small.record_text().starts_with("v=DKIM1; k=ed25519; p="));
  CHECK(from_base64(small.public_text)->size() == 32);
}

TEST_CASE("a selector is made of host name labels") {
  CHECK(canonical_selector("Mail.2026-11") == "mail.2026-11");
  for (auto wrong : {"", "a b", "a..b", "-a", "a-", "a_b", "a:b", "a.b."}) {
    INFO(wrong);
    if (std::string_view(wrong) == "a.b.") continue;   // a final dot is dropped
    CHECK_FALSE(canonical_selector(wrong));
  }
  CHECK_FALSE(canonical_selector(std::string(64, 'a')));
}

TEST_CASE("keys are in force once they are durable, and there again after a start") {
  io::Loop loop;
  test::MemoryStore store;
  KeyRing ring;
  auto a = made("a");
  auto b = made("b");
  REQUIRE(loop.block_on(ring.change(store, {b, a}, {})));
  REQUIRE(ring.keys()->size() == 2);
  CHECK(ring.keys()->front().selector == "a");
  auto old = ring.keys();
  a.state = State::active;
  REQUIRE(loop.block_on(ring.change(store, {a}, {b})));
  CHECK(ring.keys()->size() == 1);
  CHECK(ring.keys()->front().state == State::active);
  CHECK(old->size() == 2);   // who signs meanwhile keeps what he has
  KeyRing again;
  REQUIRE(loop.block_on(again.load(store)));
  REQUIRE(again.keys()->size() == 1);
  CHECK(again.keys()->front().state == State::active);
}

TEST_CASE("what could not be stored is not in force") {
  io::Loop loop;
  test::MemoryStore store;
  KeyRing ring;
  store.fail_with = store::Outcome::no_space;
  CHECK_FALSE(loop.block_on(ring.change(store, {made("a")}, {})));
  CHECK(ring.keys()->empty());
}

TEST_CASE("a damaged row costs that key alone, and rows that cannot be read are an error") {
  io::Loop loop;
  test::MemoryStore store;
  KeyRing ring;
  REQUIRE(loop.block_on(ring.change(store, {made("a"), made("b")}, {})));
  store.general["dkim:corp.example:a"] = "rubbish";
  KeyRing again;
  REQUIRE(loop.block_on(again.load(store)));
  REQUIRE(again.keys()->size() == 1);
  CHECK(again.keys()->front().selector == "b");
  store.unreadable = true;
  CHECK_FALSE(loop.block_on(again.load(store)));
  CHECK(again.keys()->size() == 1);
}
