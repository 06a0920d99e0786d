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
    REQUIRE(loop.block_on(directory->prepare()));
    auto key = signing::make_key("example.test", "a", signing::Algorithm::ed25519, from_unix(1));
    REQUIRE(key);
    key->state = signing::State::active;
    REQUIRE(loop.block_on(ring.change(store, {std::move(*key)}, {})));
  }

  // The fields before the one copy that `sent_by` sends on to far.test; `arc`: what became of the chain of `text`.
  std::string forwarded(const std::string& sent_by, const std::string& text, const std::string& arc) {
    auto message = std::make_shared<delivery::Judged>();
    message->id = "7Q3K2";
    message->sender.address = "x@other.test";
    message->received = Octets(text);
    message->verdict.authentication_results = "Authentication-Results: mx.example.test;\r\n\tspf=pass smtp.mailfrom=x@other.test;\r\n\tarc=" + arc + "\r\n";
    auto& recipient = message->recipients.emplace_back();
    recipient.address = recipient.account = "ann@far.test";
    recipient.onward = "far.test";
    recipient.sent_by = sent_by;
    message->verdict.recipients.emplace_back().address = recipient.address;
    delivery::Deliverer deliverer(store, *directory, "mx.example.test", 1, {}, &signer);
    auto done = loop.block_on(deliverer.deliver(message, "Accepted"));
    REQUIRE(done.ok());
    auto entries = loop.block_on(store.queue(0, 100));
    REQUIRE(entries);
    REQUIRE(entries->back().destination == "far.test");
    return entries->back().header_prefix;
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

TEST_CASE("what one of ours sends on has his domain's ARC Set, over what we found and as the chain stood") {
  World w;
  const std::string text = "From: x@other.test\r\n\r\nbody\r\n";
  auto first = w.forwarded("team@example.test", text, "none");
  auto at = first.find("ARC-Seal: i=1; a=ed25519-sha256;");
  REQUIRE(at != std::string::npos);
  CHECK(first.find("cv=none; d=example.test; s=a;") != std::string::npos);
  CHECK(first.find("ARC-Authentication-Results: i=1; mx.example.test;\r\n\tspf=pass smtp.mailfrom=x@other.test;\r\n\tarc=none\r\n") != std::string::npos);
  CHECK(first.find("DKIM-Signature") == std::string::npos);   // he is not the author
  auto sealed = first.substr(at) + text;
  auto second = w.forwarded("team@example.test", sealed, "pass");
  CHECK(second.find("ARC-Seal: i=2;") != std::string::npos);
  CHECK(second.find("cv=pass;") != std::string::npos);
  CHECK(w.forwarded("team@example.test", sealed, "fail").find("cv=fail;") != std::string::npos);
  CHECK(w.forwarded("team@example.test", sealed, "temperror").find("ARC-") == std::string::npos);
  CHECK(w.signer.figures().sealed == 3);
  // A copy for the server of its own domain is that domain's mail.
  CHECK(w.prefix(smtp::Client()).find("ARC-") == std::string::npos);
}
