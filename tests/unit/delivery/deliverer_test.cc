// From a judged message to the store: whose mail is signed on its way out.
#include "gateway/delivery/deliverer.h"

#include "gateway/io/loop.h"
#include "tests/support/catch.h"
#include "tests/support/memory_store.h"

using namespace postern;

namespace {

struct World {
  io::Loop loop;
  io::WorkerPool workers{1};
  postern::test::MemoryStore store;
  config::Config config;
  signing::KeyRing ring;
  signing::Signer signer{ring, workers};
  std::unique_ptr<directory::Directory> directory;

  World() {
    config.hostname = "mx.example.test";
    config.domains.emplace_back().name = "example.test";
    signer.configure(config);
    store.add_account("postmaster@example.test");
    directory = std::make_unique<directory::Directory>(config, store);
    auto key = signing::make_key("example.test", "a", signing::Algorithm::ed25519, from_unix(1));
    REQUIRE(key);
    key->state = signing::State::active;
    REQUIRE(loop.block_on(ring.change(store, {std::move(*key)}, {})));
  }

  // The fields before the one copy that goes on to corp.test.
  std::string prefix(smtp::Client client, std::string text = "From: alice@example.test\r\nX-Postern-Verdict: forged\r\n\r\nbody\r\n") {
    auto message = std::make_shared<delivery::Judged>();
    message->id = "7Q3K2";
    message->client = std::move(client);
    message->received = Octets(std::move(text));
    auto& recipient = message->recipients.emplace_back();
    recipient.address = recipient.account = "ann@corp.test";
    recipient.onward = "corp.test";
    message->verdict.recipients.emplace_back().address = recipient.address;
    delivery::Deliverer deliverer(store, *directory, "mx.example.test", 1, {}, &signer);
    auto done = loop.block_on(deliverer.deliver(message, "Accepted"));
    REQUIRE(done.ok());
    auto entries = loop.block_on(store.queue(0, 100));
    REQUIRE(entries);
    return entries->back().header_prefix;
  }
};

bool is_signed(const std::string& prefix) { return prefix.find("\r\nDKIM-Signature: v=1; a=ed25519-sha256;") != std::string::npos; }

}  // namespace

TEST_CASE("what a user or a trusted server sends is signed, what a stranger sends is not") {
  World w;
  smtp::Client stranger, user, server;
  user.login = "alice@example.test";
  server.trusted = true;
  CHECK_FALSE(is_signed(w.prefix(stranger)));
  CHECK(is_signed(w.prefix(user)));
  CHECK(is_signed(w.prefix(server)));
  CHECK_FALSE(is_signed(w.prefix(server, "From: x@other.test\r\n\r\nbody\r\n")));
  CHECK(w.signer.figures().signed_ == 2);
}
