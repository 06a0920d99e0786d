// Whose an address is.
#include "gateway/directory/directory.h"

#include "gateway/directory/own_hosts.h"
#include "gateway/io/loop.h"
#include "tests/support/catch.h"
#include "tests/unit/directory/accounts_store.h"

using namespace postern;
using directory::Directory;
using directory::Resolution;
using Kind = directory::Resolution::Kind;
using By = directory::Resolution::By;

namespace {

config::Config configured(const std::string& top = "", const std::string& more = "") {
  auto loaded = config::parse(top + "hostname = \"mx.corp.example\"\n[domains.\"corp.example\"]\n[domains.\"Other.example\"]\ncatch_all = \"office@corp.example\"\n" + more, "p.toml");
  for (const auto& line : loaded.mistakes) UNSCOPED_INFO(line);
  REQUIRE(loaded.ok());
  return loaded.config;
}

struct World {
  test::AccountsStore store;
  Directory directory;
  explicit World(const std::string& top = "", const std::string& more = "") : directory(configured(top, more), store) {}
  std::string taker(std::string_view address) { return directory.resolve(address).account_address; }
  Kind kind(std::string_view address) { return directory.resolve(address).kind; }
};

}  // namespace

TEST_CASE("a user is found whatever the case of his address") {
  World world;
  auto id = world.store.add("ann@corp.example");
  for (const auto* address : {"ann@corp.example", "Ann@corp.example", "ANN@CORP.EXAMPLE", "ann@corp.example.", "\"ann\"@corp.example", "\"a\\nn\"@corp.example"}) {
    INFO(address);
    auto found = world.directory.resolve(address);
    CHECK(found.kind == Kind::account);
    CHECK(found.by == By::address);
    CHECK(found.account == id);
  }
}

TEST_CASE("unknown, foreign and malformed addresses are told apart") {
  World world;
  world.store.add("ann@corp.example");
  CHECK(world.kind("bob@corp.example") == Kind::unknown_user);
  CHECK(world.kind("ann@corp.example.org") == Kind::not_ours);
  CHECK(world.kind("ann@sub.corp.example") == Kind::not_ours);
  CHECK(world.kind("ann@[127.0.0.1]") == Kind::not_ours);
  CHECK(world.kind("ann") == Kind::malformed);
  CHECK(world.kind("@corp.example") == Kind::malformed);
  CHECK(world.kind("ann@") == Kind::malformed);
  CHECK(world.kind("") == Kind::malformed);
  CHECK(world.kind("\"ann@corp.example") == Kind::malformed);
  CHECK(world.kind("\"a\"n\"@corp.example") == Kind::malformed);
  CHECK(world.kind(std::string(2000, 'a') + "@corp.example") == Kind::malformed);
  // A percent or bang route is a local part like any other, not a way through us.
  CHECK(world.kind("ann%far.example@corp.example") == Kind::unknown_user);
  CHECK(world.kind("far.example!ann@corp.example") == Kind::unknown_user);
}

TEST_CASE("a domain in Unicode and its A-label form are one") {
  World world("", "[domains.\"b\u00fccher.example\"]\n");
  world.store.add("ann@xn--bcher-kva.example");
  for (const auto* address : {"ann@b\u00fccher.example", "ann@B\u00dcCHER.example", "ann@xn--bcher-kva.example", "Ann@XN--bcher-kva.example"}) {
    INFO(address);
    CHECK(world.taker(address) == "ann@xn--bcher-kva.example");
  }
  CHECK(*world.directory.account_address("ann@b\u00fccher.example") == "ann@xn--bcher-kva.example");
  CHECK(world.directory.login_address("ann@b\u00fccher.example") == "ann@xn--bcher-kva.example");
}

TEST_CASE("a tag is cut off unless the whole is an account") {
  World world;
  world.store.add("ann@corp.example");
  auto found = world.directory.resolve("Ann+Lists+x@corp.example");
  CHECK(found.kind == Kind::account);
  CHECK(found.by == By::tag);
  CHECK(found.tag == "lists+x");
  CHECK(world.taker("ann+@corp.example") == "ann@corp.example");
  CHECK(world.kind("+ann@corp.example") == Kind::unknown_user);
  world.store.add("ann+own@corp.example");
  CHECK(world.taker("ann+own@corp.example") == "ann+own@corp.example");
}

TEST_CASE("a catch-all takes unknown users of its domain only") {
  World world;
  // Its account is missing: the mail waits at the sender instead of bouncing.
  CHECK(world.kind("who@other.example") == Kind::unavailable);
  world.store.add("office@corp.example");
  world.store.add("eve@other.example");
  auto found = world.directory.resolve("who@other.example");
  CHECK(found.by == By::catch_all);
  CHECK(found.account_address == "office@corp.example");
  CHECK(world.taker("eve@other.example") == "eve@other.example");
  CHECK(world.kind("who@corp.example") == Kind::unknown_user);
}

TEST_CASE("postmaster is accepted for every domain of ours, for our host and alone") {
  World world;
  CHECK(world.kind("postmaster@corp.example") == Kind::unavailable);
  io::Loop loop;
  REQUIRE(loop.block_on(world.directory.prepare()));
  for (const auto* address : {"postmaster", "Postmaster", "postmaster@corp.example", "POSTMASTER@other.example", "postmaster@mx.corp.example", "postmaster+x@corp.example"}) {
    INFO(address);
    CHECK(world.taker(address) == "postmaster@corp.example");
  }
  CHECK(world.kind("postmaster@foreign.example") == Kind::not_ours);
  CHECK(world.kind("ann@mx.corp.example") == Kind::not_ours);

  auto boss = world.store.add("boss@corp.example", "", true);
  world.store.add("deputy@corp.example", "", true);
  CHECK(world.directory.resolve("postmaster@other.example").account == boss);
  world.store.add("postmaster@other.example");
  CHECK(world.taker("postmaster@other.example") == "postmaster@other.example");
}

TEST_CASE("the configured postmaster comes before the administrators") {
  World world("postmaster = \"duty@corp.example\"\n");
  world.store.add("boss@corp.example", "", true);
  CHECK(world.taker("postmaster@other.example") == "boss@corp.example");
  world.store.add("duty@corp.example");
  CHECK(world.taker("postmaster@other.example") == "duty@corp.example");
}

TEST_CASE("no account is made for postmaster when somebody takes his mail") {
  World world;
  world.store.add("boss@corp.example", "", true);
  io::Loop loop;
  REQUIRE(loop.block_on(world.directory.prepare()));
  CHECK(world.store.accounts().size() == 1);
}

TEST_CASE("a postmaster account that cannot be made is an error in words") {
  World world;
  world.store.fail_creation = true;
  io::Loop loop;
  auto prepared = loop.block_on(world.directory.prepare());
  REQUIRE_FALSE(prepared);
  CHECK(prepared.error().text == "the account postmaster@corp.example cannot be made: disk full");
}

TEST_CASE("a reload changes the domains") {
  World world;
  world.store.add("ann@corp.example");
  world.store.add("ann@third.example");
  CHECK(world.kind("ann@third.example") == Kind::not_ours);
  world.directory.configure(configured("", "[domains.\"third.example\"]\n"));
  CHECK(world.taker("ann@third.example") == "ann@third.example");
  CHECK(world.directory.domains() == std::vector<std::string>{"corp.example", "other.example", "third.example"});
  CHECK(world.directory.is_ours("THIRD.example"));
  CHECK_FALSE(world.directory.is_ours("fourth.example"));
}

TEST_CASE("an account's address is checked and brought into one form") {
  World world;
  CHECK(*world.directory.account_address("Ann.B@CORP.example") == "ann.b@corp.example");
  for (const auto* bad : {"ann", "@corp.example", "a b@corp.example", ".a@corp.example", "a..b@corp.example", "a+b@corp.example", "a@foreign.example", "a/\"b@corp.example", "a@"}) {
    INFO(bad);
    CHECK_FALSE(world.directory.account_address(bad));
  }
}

TEST_CASE("a login name without a domain means the first one") {
  World world;
  CHECK(world.directory.login_address("Ann") == "ann@corp.example");
  CHECK(world.directory.login_address(" Ann@OTHER.example ") == "ann@other.example");
  CHECK(world.directory.login_address(std::string(5000, 'x')).size() <= 400);
}

TEST_CASE("a domain whose mail goes on leaves it to its server who exists, but for the postmaster") {
  World world("postmaster = \"office@corp.example\"\n", "[domains.\"Onward.example\"]\ndeliver = \"smtp://10.0.0.5\"\n");
  auto office = world.store.add("office@corp.example");
  auto ann = world.directory.resolve("Ann+list@ONWARD.example");
  CHECK(ann.kind == Kind::onward);
  CHECK(ann.domain == "onward.example");
  CHECK(ann.account_address == "ann@onward.example");   // whose quarantine it would be
  CHECK(ann.account == 0);
  CHECK_FALSE(ann.found());
  auto postmaster = world.directory.resolve("postmaster@onward.example");
  CHECK(postmaster.kind == Kind::onward);
  CHECK(postmaster.account == office);
  CHECK(postmaster.account_address == "office@corp.example");
  CHECK(world.directory.is_ours("onward.example"));
}

TEST_CASE("a user of a domain with mailboxes may have hosts of his own") {
  World world;
  auto ann = world.store.add("ann@corp.example");
  world.store.add("bob@corp.example");
  world.store.set_deliver(ann, "smtp://10.0.0.9:25");
  for (const auto* address : {"ann@corp.example", "Ann@corp.example", "ann+tag@corp.example"}) {
    INFO(address);
    auto found = world.directory.resolve(address);
    CHECK(found.kind == Kind::onward);
    CHECK(found.has_own_hosts());
    CHECK(found.domain == "ann@corp.example");
    CHECK(found.account_address == "ann@corp.example");
    CHECK(found.account == 0);
  }
  CHECK(world.directory.resolve("ann+tag@corp.example").by == By::tag);
  CHECK(world.kind("bob@corp.example") == Kind::account);
  auto whole = *world.store.account(ann);
  CHECK(world.directory.may_send_as(whole, "ann@corp.example"));
  CHECK_FALSE(world.directory.may_send_as(whole, "bob@corp.example"));
  world.store.set_deliver(ann, "mailboxes");
  CHECK(world.kind("ann@corp.example") == Kind::account);
}

TEST_CASE("who takes a domain's other mail has it at his own hosts, under his own address") {
  World world("postmaster = \"office@corp.example\"\n");
  auto office = world.store.add("office@corp.example");
  world.store.set_deliver(office, "lmtp://10.0.0.9:24");
  auto by_catch_all = world.directory.resolve("whoever@other.example");
  CHECK(by_catch_all.has_own_hosts());
  CHECK_FALSE(world.directory.may_send_as(*world.store.account(office), "whoever@other.example"));
  auto targets = world.directory.expand(by_catch_all, "whoever@other.example").targets;
  REQUIRE(targets.size() == 1);
  CHECK(targets[0].kind == Kind::onward);
  CHECK(targets[0].domain == "office@corp.example");
  CHECK(targets[0].address == "office@corp.example");
  auto postmaster = world.directory.resolve("postmaster@corp.example");
  CHECK(postmaster.has_own_hosts());
  CHECK(postmaster.account == office);   // what we write to him ourselves lies here
  CHECK(world.directory.expand(postmaster, "postmaster@corp.example").targets.at(0).address == "office@corp.example");
}

TEST_CASE("a user of a domain whose mail goes on may have a mailbox here, or other hosts") {
  World world("", "[domains.\"onward.example\"]\ndeliver = \"smtp://10.0.0.5\"\n");
  auto ann = world.store.add("ann@onward.example");
  CHECK(world.kind("ann@onward.example") == Kind::onward);
  CHECK_FALSE(world.directory.resolve("ann@onward.example").has_own_hosts());
  world.store.set_deliver(ann, "mailboxes");
  auto tagged = world.directory.resolve("ann+tag@onward.example");
  CHECK(tagged.kind == Kind::account);
  CHECK(tagged.account == ann);
  CHECK(tagged.tag == "tag");
  world.store.set_deliver(ann, "smtp://10.0.0.9:25,smtp://10.0.0.10:25");
  CHECK(world.directory.resolve("ann@onward.example").domain == "ann@onward.example");
  CHECK(world.directory.resolve("bob@onward.example").domain == "onward.example");
}

TEST_CASE("what an administrator writes for a user's delivery is kept in one form") {
  CHECK(*directory::deliver_of("domain") == "");
  CHECK(*directory::deliver_of("mailboxes") == "mailboxes");
  CHECK(*directory::deliver_of("smtp://Mail.Corp.Example, lmtp://10.0.0.5:2003") == "smtp://mail.corp.example:25,lmtp://10.0.0.5:2003");
  for (const auto* wrong : {"", "mailbox", "10.0.0.5", "smtp://", "smtp://a.example,", "smtp://10.0.0.999"}) {
    INFO(wrong);
    CHECK_FALSE(directory::deliver_of(wrong).has_value());
  }
}

TEST_CASE("an address that is not ours says in which domain it is") {
  World world;
  CHECK(world.directory.resolve("ann@Bücher.example").domain == "xn--bcher-kva.example");
  CHECK(world.directory.resolve("ann@[192.0.2.1]").domain == "[192.0.2.1]");
}

TEST_CASE("a user may send as himself, with any tag, and as whom he stands for") {
  World world("", "[domains.\"far.example\"]\ndeliver = \"smtp://10.0.0.5\"\n");
  auto ann = world.store.add("ann@corp.example");
  auto office = world.store.add("office@corp.example", {}, true);
  auto far = world.store.add("eve@far.example");
  auto may = [&](store::AccountId id, std::string_view address) { return world.directory.may_send_as(*world.store.account(id), address); };
  for (const auto* address : {"ann@corp.example", "ANN@Corp.Example", "ann+shop@corp.example", "\"ann\"@corp.example"}) {
    INFO(address);
    CHECK(may(ann, address));
    CHECK_FALSE(may(office, address));
  }
  for (const auto* address : {"", "ann", "@corp.example", "bob@corp.example", "ann@other.example", "ann@elsewhere.example", "ann@corp.example@x.example"}) {
    INFO(address);
    CHECK_FALSE(may(ann, address));
  }
  CHECK(may(office, "postmaster@corp.example"));        // an administrator, and nobody else has the address
  CHECK_FALSE(may(ann, "postmaster@corp.example"));
  CHECK_FALSE(may(office, "whoever@other.example"));    // by the catch-all
  CHECK(may(far, "eve+x@far.example"));
  CHECK_FALSE(may(far, "ann@far.example"));
}
