// DKIM keys over months that pass in a moment: published, in use, rotated, forgotten.
#include "gateway/admin/dkim_keeper.h"

#include "gateway/admin/dkim_sight.h"
#include "gateway/base/text.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "tests/support/catch.h"
#include "tests/support/memory_store.h"

using namespace postern;
using namespace std::chrono_literals;
using signing::Algorithm;
using signing::Key;
using signing::Sight;
using signing::State;

namespace {

// Hands what is asked to the resolver that the test holds.
class Borrowed : public dns::Resolver {
 public:
  explicit Borrowed(dns::Resolver& resolver) : resolver_(resolver) {}
  io::Task<dns::Answer> query(std::string name, dns::Type type, Deadline deadline) override { return resolver_.query(std::move(name), type, deadline); }

 private:
  dns::Resolver& resolver_;
};

struct World {
  io::Loop loop;
  io::WorkerPool workers{1};
  test::MemoryStore store;
  config::Config config;
  signing::KeyRing ring;
  dns::FixedResolver resolver;
  store::AccountId postmaster = 0;
  std::unique_ptr<directory::Directory> directory;
  std::unique_ptr<admin::DkimKeeper> keeper;
  Time now = from_unix(1'795'492'742);
  Deadline steady{};

  World() {
    config.hostname = "mx.corp.example";
    config.domains.emplace_back().name = "corp.example";
    postmaster = store.add_account("postmaster@corp.example");
    directory = std::make_unique<directory::Directory>(config, store);
    admin::DkimKeeper::Parts parts{config, store, ring, *directory, workers, [this]() -> std::unique_ptr<dns::Resolver> { return std::make_unique<Borrowed>(resolver); }};
    keeper = std::make_unique<admin::DkimKeeper>(std::move(parts));
  }
  void add(const char* selector, Algorithm algorithm = Algorithm::ed25519) {
    auto key = signing::make_key("corp.example", selector, algorithm, now);
    REQUIRE(key);
    REQUIRE(loop.block_on(ring.change(store, {std::move(*key)}, {})));
  }
  void publish(const std::string& selector) {
    const auto* key = find(*ring.keys(), "corp.example", selector);
    REQUIRE(key != nullptr);
    REQUIRE(resolver.zone().add(key->record_name(), "TXT", key->record_text()));
  }
  void pass(std::chrono::seconds time) {
    now += time;
    steady += time;
    loop.block_on(keeper->round(now, steady));
  }
  std::string state(const std::string& selector) {
    const auto* key = find(*ring.keys(), "corp.example", selector);
    return key == nullptr ? "gone" : std::string(name(key->state));
  }
  std::size_t notes() { return store.mailbox(postmaster, "INBOX")->messages; }
};

}  // namespace

TEST_CASE("a key waits until its record is there, and is looked for every few minutes") {
  World w;
  w.add("a");
  w.pass(0s);
  CHECK(w.state("a") == "waiting");
  CHECK(w.resolver.asked().size() == 1);
  w.pass(60s);
  CHECK(w.resolver.asked().size() == 1);
  w.publish("a");
  w.pass(300s);
  CHECK(w.state("a") == "active");
  w.pass(300s);   // that was settled while it waited
  auto asked = w.resolver.asked().size();
  w.pass(300s);
  CHECK(w.resolver.asked().size() == asked);   // hourly from now on
  w.pass(3600s);
  CHECK(w.resolver.asked().size() == asked + 1);
  CHECK(w.notes() == 0);
}

TEST_CASE("by the schedule a key gets a successor, which signs once its record is there; then the old one ends") {
  World w;
  w.config.dkim.rotate = 24h * 180;
  w.config.dkim.overlap = 24h * 7;
  w.add("a");
  w.publish("a");
  w.pass(0s);
  REQUIRE(w.state("a") == "active");
  w.pass(24h * 179);
  CHECK(w.ring.keys()->size() == 1);
  w.pass(24h * 1);
  REQUIRE(w.ring.keys()->size() == 2);
  CHECK(w.notes() == 1);                        // with the record
  auto next = w.ring.keys()->front().selector == "a" ? w.ring.keys()->back().selector : w.ring.keys()->front().selector;
  CHECK(w.state(next) == "waiting");
  w.pass(24h);
  CHECK(w.ring.keys()->size() == 2);            // one successor is enough
  CHECK(w.state("a") == "active");
  w.publish(next);
  w.pass(24h);
  CHECK(w.state(next) == "active");
  CHECK(w.state("a") == "retired");
  CHECK(w.notes() == 2);                        // keep the old record
  w.pass(24h * 7);
  CHECK(w.state("a") == "ended");
  CHECK(find(*w.ring.keys(), "corp.example", "a")->secret == nullptr);
  CHECK(w.notes() == 3);                        // the old record can go
  w.resolver.zone() = dns::Zone();
  w.publish(next);
  w.pass(1h);
  CHECK(w.state("a") == "gone");
  CHECK(w.state(next) == "active");
}

TEST_CASE("keys of a domain that is no longer ours are left alone") {
  World w;
  w.config.dkim.rotate = 24h * 180;
  w.add("a");
  w.publish("a");
  w.pass(0s);
  w.config.domains[0].name = "other.example";
  w.directory->configure(w.config);
  auto asked = w.resolver.asked().size();
  w.pass(24h * 400);
  CHECK(w.resolver.asked().size() == asked);
  CHECK(w.ring.keys()->size() == 1);
  CHECK(w.notes() == 0);
}

TEST_CASE("a note and the change that it tells of are one commit") {
  World w;
  w.add("a");
  w.publish("a");
  w.pass(0s);
  w.resolver.zone() = dns::Zone();
  w.store.fail_with = store::Outcome::no_space;
  w.pass(3600s);
  CHECK(w.notes() == 0);
  CHECK(find(*w.ring.keys(), "corp.example", "a")->problem.empty());
  w.store.fail_with = store::Outcome::done;
  w.pass(3600s);
  CHECK(w.notes() == 1);
  CHECK(w.state("a") == "active");
}

TEST_CASE("a record is right when receivers would use it") {
  World w;
  w.add("a");
  Key key = w.ring.keys()->front();
  auto other = signing::make_key("corp.example", "b", Algorithm::ed25519, w.now);
  auto rsa = signing::make_key("corp.example", "c", Algorithm::rsa, w.now);
  REQUIRE(other);
  REQUIRE(rsa);
  struct Case {
    std::string text;
    Sight::Kind kind;
    const char* words;
  };
  auto p = "p=" + key.public_text;
  for (const auto& c : {Case{key.record_text(), Sight::Kind::right, ""}, Case{"k=ed25519; " + p, Sight::Kind::right, ""},
                        Case{"v=DKIM1; h=sha256; s=email; t=s; k=ed25519; " + p + ";", Sight::Kind::right, ""},
                        Case{"v=DKIM1; k=ed25519; p=", Sight::Kind::different, "revokes"}, Case{other->record_text(), Sight::Kind::different, "another key"},
                        Case{rsa->record_text(), Sight::Kind::different, "another algorithm"},
                        Case{"v=DKIM1; k=ed25519; t=y; " + p, Sight::Kind::different, "testing"},
                        Case{"v=DKIM1; k=ed25519; s=other; " + p, Sight::Kind::different, "not for mail"},
                        Case{"v=DKIM1; k=ed25519; h=sha1; " + p, Sight::Kind::different, "SHA-256"},
                        Case{"v=spf1 -all", Sight::Kind::different, ""}, Case{"SERVFAIL", Sight::Kind::unknown, "servfail"},
                        Case{"NXDOMAIN", Sight::Kind::absent, ""}}) {
    INFO(c.text);
    dns::FixedResolver resolver;
    REQUIRE(resolver.zone().add(key.record_name(), "TXT", c.text));
    auto sight = w.loop.block_on(admin::look_for_key(resolver, key, in(1s)));
    CHECK(sight.kind == c.kind);
    INFO(sight.words);
    CHECK(sight.words.find(c.words) != std::string::npos);
  }
  dns::FixedResolver two;
  REQUIRE(two.zone().add(key.record_name(), "TXT", key.record_text()));
  REQUIRE(two.zone().add(key.record_name(), "TXT", other->record_text()));
  CHECK(w.loop.block_on(admin::look_for_key(two, key, in(1s))).words.find("there must be one") != std::string::npos);
}
