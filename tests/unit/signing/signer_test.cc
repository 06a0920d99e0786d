// Whose mail is signed by which key, and what becomes of what cannot be signed.
#include "gateway/signing/signer.h"

#include "gateway/io/loop.h"
#include "tests/support/catch.h"
#include "tests/support/memory_store.h"

using namespace postern;
using namespace postern::signing;

namespace {

struct World {
  io::Loop loop;
  io::WorkerPool workers{1};
  test::MemoryStore store;
  KeyRing ring;
  Signer signer{ring, workers};

  World() {
    config::Config config;
    config.hostname = "mx.corp.example";
    for (auto name : {"corp.example", "sub.corp.example", "bare.example"}) config.domains.emplace_back().name = name;
    signer.configure(config);
  }
  void add(const char* domain, const char* selector, State state, Algorithm algorithm = Algorithm::ed25519) {
    auto key = make_key(domain, selector, algorithm, from_unix(1));
    REQUIRE(key);
    key->state = state;
    REQUIRE(loop.block_on(ring.change(store, {std::move(*key)}, {})));
  }
  std::string sign(const std::string& from, const std::string& more = "") {
    return loop.block_on(signer.sign(Octets("From: " + from + "\r\n" + more + "\r\nbody\r\n"), "7Q3K2"));
  }
};

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("mail is signed by the active keys of its author's domain, RSA first") {
  World w;
  w.add("corp.example", "a-ed", State::active);
  w.add("corp.example", "b-rsa", State::active, Algorithm::rsa);
  w.add("corp.example", "c", State::waiting);
  w.add("corp.example", "d", State::retired);
  auto fields = w.sign("alice@corp.example");
  auto rsa = fields.find("s=b-rsa;");
  auto ed = fields.find("s=a-ed;");
  REQUIRE(rsa != std::string::npos);
  REQUIRE(ed != std::string::npos);
  CHECK(rsa < ed);
  CHECK_FALSE(has(fields, "s=c;"));
  CHECK_FALSE(has(fields, "s=d;"));
  CHECK(w.signer.figures().signed_ == 1);
}

TEST_CASE("d= is the author's domain, or the nearest above it that is ours and has keys") {
  World w;
  w.add("corp.example", "a", State::active);
  CHECK(has(w.sign("a@sub.corp.example"), "d=corp.example;"));
  CHECK(has(w.sign("MAILER-DAEMON@mx.corp.example"), "d=corp.example;"));
  w.add("sub.corp.example", "b", State::active);
  CHECK(has(w.sign("a@sub.corp.example"), "d=sub.corp.example;"));
  CHECK(has(w.sign("a@deep.sub.corp.example"), "d=sub.corp.example;"));
  CHECK(has(w.sign("a@corp.example"), "d=corp.example;"));
}

TEST_CASE("nobody is vouched for who is not ours, and no key of a domain that was taken out of the configuration signs") {
  World w;
  w.add("corp.example", "a", State::active);
  w.add("gone.example", "a", State::active);
  CHECK(w.sign("a@other.example") == "");
  CHECK(w.sign("a@notcorp.example") == "");
  CHECK(w.sign("a@gone.example") == "");
  CHECK(w.sign("a@corp.example, b@other.example") == "");
  CHECK(w.sign("a@corp.example", "From: b@other.example\r\n") == "");
  CHECK(w.signer.figures().no_key == 0);
}

TEST_CASE("mail of ours without an active key goes unsigned, and is counted") {
  World w;
  w.add("corp.example", "a", State::waiting);
  CHECK(w.sign("a@corp.example") == "");
  CHECK(w.sign("a@bare.example") == "");
  CHECK(w.signer.figures().no_key == 2);
}

TEST_CASE("what cannot be signed goes unsigned, and is counted") {
  World w;
  w.add("corp.example", "a", State::active);
  std::string many;
  for (int i = 0; i < 400; ++i) many += "Cc: x@y.example\r\n";
  CHECK(w.sign("a@corp.example", many) == "");
  CHECK(w.signer.figures().failed == 1);
}

TEST_CASE("our own message is signed before each entry of the queue that it makes") {
  World w;
  w.add("corp.example", "a", State::active);
  store::Delivery delivery;
  auto& item = delivery.items.emplace_back();
  item.pieces.emplace_back(std::string("From: MAILER-DAEMON@mx.corp.example\r\n"));
  item.pieces.emplace_back(std::string("\r\nbody\r\n"));
  item.onward.resize(2);
  item.onward[0].header_prefix = "X-A: b\r\n";
  w.loop.block_on(w.signer.sign(delivery));
  CHECK(item.onward[0].header_prefix.starts_with("X-A: b\r\nDKIM-Signature: "));
  CHECK(item.onward[1].header_prefix.starts_with("DKIM-Signature: "));
}

TEST_CASE("what is passed on is sealed in the name of who passes it on, by one key") {
  World w;
  const std::string mail = "From: a@other.example\r\n\r\nbody\r\n";
  auto seal = [&](const char* domain, const std::string& text, const char* payload) {
    return w.loop.block_on(w.signer.seal_as(domain, Octets(text), payload, "7Q3K2"));
  };
  CHECK(seal("corp.example", mail, "mx.corp.example; arc=none") == "");   // no key
  w.add("corp.example", "a-ed", State::active);
  w.add("corp.example", "b-rsa", State::active, Algorithm::rsa);
  auto set = seal("corp.example", mail, "mx.corp.example; arc=none");
  CHECK(set.starts_with("ARC-Seal: i=1; a=rsa-sha256;"));
  CHECK(has(set, "cv=none; d=corp.example; s=b-rsa;"));
  CHECK(has(set, "ARC-Authentication-Results: i=1; mx.corp.example; arc=none\r\n"));
  CHECK_FALSE(has(set, "a-ed"));
  CHECK(has(seal("sub.corp.example", mail, "mx.corp.example; arc=none"), "d=corp.example;"));
  CHECK(seal("other.example", mail, "mx.corp.example; arc=none") == "");
  CHECK(w.signer.figures().sealed == 2);
  CHECK(w.signer.figures().no_key == 0);

  // The second one says pass or fail as our own results do; a chain of which they say nothing is left alone.
  CHECK(has(seal("corp.example", set + mail, "mx.corp.example; arc=pass"), "ARC-Seal: i=2;"));
  CHECK(has(seal("corp.example", set + mail, "mx.corp.example; arc=fail"), "cv=fail;"));
  CHECK(seal("corp.example", set + mail, "mx.corp.example; spf=pass") == "");
  CHECK(seal("corp.example", set + mail, "mx.corp.example; arc=none") == "");
}
