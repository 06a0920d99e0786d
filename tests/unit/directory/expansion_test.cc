// Aliases, forwards and rewritten senders: where an address leads, and what is refused when it is made.
#include "gateway/directory/directory.h"
#include "gateway/io/loop.h"
#include "tests/support/catch.h"
#include "tests/unit/directory/accounts_store.h"

using namespace postern;
using directory::Directory;
using directory::Forward;
using directory::Resolution;
using Kind = directory::Resolution::Kind;
using Words = std::vector<std::string>;

namespace {

config::Config configured(const std::string& more) {
  auto loaded = config::parse("hostname = \"mx.corp.example\"\n[domains.\"corp.example\"]\n[domains.\"other.example\"]\ncatch_all = \"all@corp.example\"\n"
                              "[domains.\"behind.example\"]\ndeliver = \"smtp://10.0.0.5:25\"\n" + more, "p.toml");
  for (const auto& line : loaded.mistakes) UNSCOPED_INFO(line);
  REQUIRE(loaded.ok());
  return loaded.config;
}

struct World {
  io::Loop loop;
  FixedClock clock{from_unix(1'795'492'742)};
  test::AccountsStore store;
  Directory directory;

  explicit World(const std::string& more = "") : directory(configured(more), store, clock) {
    for (const char* name : {"ann", "bob", "cid"}) store.add(std::string(name) + "@corp.example");
    REQUIRE(loop.block_on(directory.prepare()));
  }
  std::string alias(const std::string& address, Words targets) {
    auto status = loop.block_on(directory.set_alias(address, std::move(targets)));
    return status ? "" : status.error().text;
  }
  std::string forward(const std::string& account, Words targets, bool keep = false) {
    Forward value{std::move(targets), keep};
    auto status = loop.block_on(directory.set_forward(account, std::move(value)));
    return status ? "" : status.error().text;
  }
  // "ann@corp.example", "far@x.org by sales@corp.example", "ann@corp.example > far@x.org (keep)"
  Words leads_to(const std::string& address) {
    Words out;
    for (const auto& target : directory.expand(directory.resolve(address), address).targets) {
      auto text = target.address + (target.sent_by.empty() ? "" : " by " + target.sent_by);
      for (const auto& to : target.forward) text += " > " + to;
      out.push_back(text + (target.keep && !target.forward.empty() ? " (keep)" : ""));
    }
    return out;
  }
  // A row as if an older program had written it: nothing is checked.
  void force(const std::string& address, Words targets) {
    std::string value("\x01\x00", 2);
    value += static_cast<char>(targets.size());
    for (const auto& target : targets) value += static_cast<char>(target.size()) + target;
    store.general["alias:" + address] = value;
    REQUIRE(loop.block_on(directory.load()));
  }
};

}  // namespace

TEST_CASE("an alias leads to its targets, each once") {
  World world;
  CHECK(world.alias("sales@corp.example", {"ann@corp.example", "bob@corp.example", "ann@corp.example"}) == "");
  CHECK(world.alias("all@corp.example", {"sales@corp.example", "bob@corp.example", "cid@corp.example", "far@x.org", "u@behind.example"}) == "");
  CHECK(world.directory.resolve("Sales@corp.example").kind == Kind::alias);
  CHECK(world.leads_to("sales@corp.example") == Words{"ann@corp.example", "bob@corp.example"});
  CHECK(world.leads_to("all@corp.example") == Words{"bob@corp.example", "cid@corp.example", "far@x.org by all@corp.example", "u@behind.example", "ann@corp.example"});
  CHECK(world.leads_to("ann@corp.example") == Words{"ann@corp.example"});
  CHECK(world.leads_to("anybody@other.example").size() == 5);   // the catch-all is an alias
}

TEST_CASE("a tag is kept for accounts, and goes no further") {
  World world;
  world.alias("sales@corp.example", {"ann@corp.example", "bob+shop@corp.example", "far@x.org"});
  CHECK(world.leads_to("sales+spring@corp.example") == Words{"ann+spring@corp.example", "bob+shop@corp.example", "far@x.org by sales@corp.example"});
  CHECK(world.directory.resolve("sales+spring@corp.example").tag == "spring");
}

TEST_CASE("an alias in a domain whose mail goes on is ours all the same") {
  World world;
  CHECK(world.alias("team@behind.example", {"u@behind.example", "ann@corp.example"}) == "");
  CHECK(world.leads_to("team@behind.example") == Words{"u@behind.example", "ann@corp.example"});
  CHECK(world.directory.resolve("u@behind.example").kind == Kind::onward);
}

TEST_CASE("a loop is refused when it is made, with its chain") {
  World world;
  world.alias("a@corp.example", {"ann@corp.example"});
  world.alias("b@corp.example", {"a@corp.example"});
  world.alias("c@corp.example", {"b@corp.example", "ann@corp.example"});
  CHECK(world.alias("a@corp.example", {"ann@corp.example", "c@corp.example"}) ==
        "that would be a loop: a@corp.example -> c@corp.example -> b@corp.example -> a@corp.example");
  CHECK(world.alias("self@corp.example", {"self@corp.example"}) == "that would be a loop: self@corp.example -> self@corp.example");
  CHECK(world.alias("all@corp.example", {"whoever@other.example"}).starts_with("that would be a loop"));   // by the catch-all
  CHECK(world.leads_to("c@corp.example") == Words{"ann@corp.example"});
  CHECK(world.forward("ann@corp.example", {"c@corp.example"}) ==
        "that would be a loop: ann@corp.example -> c@corp.example -> b@corp.example -> a@corp.example -> ann@corp.example");
  CHECK(world.directory.addresses()->forwards.empty());
  CHECK(world.directory.addresses()->aliases.at("a@corp.example") == Words{"ann@corp.example"});
}

TEST_CASE("a loop that exists does no harm") {
  World world;
  world.force("a@corp.example", {"b@corp.example", "ann@corp.example"});
  world.force("b@corp.example", {"c@corp.example"});
  world.force("c@corp.example", {"a@corp.example", "c@corp.example"});
  for (const char* address : {"a@corp.example", "b@corp.example", "c@corp.example"}) CHECK(world.leads_to(address) == Words{"ann@corp.example"});
  world.force("a@corp.example", {"b@corp.example"});
  CHECK(world.leads_to("a@corp.example").empty());
}

TEST_CASE("targets in every combination neither take for ever nor come twice") {
  World world;
  for (int level = 20; level-- > 0;) {
    for (int i = 0; i < 10; ++i) {
      Words next;
      for (int j = 0; j < 10; ++j) next.push_back(level == 19 ? "ann@corp.example" : "l" + std::to_string(level + 1) + "-" + std::to_string(j) + "@corp.example");
      world.force("l" + std::to_string(level) + "-" + std::to_string(i) + "@corp.example", next);
    }
  }
  CHECK(world.leads_to("l0-0@corp.example") == Words{"ann@corp.example"});
}

TEST_CASE("what cannot work is refused with its reason") {
  World world;
  CHECK(world.alias("sales@corp.example", {"nobody@corp.example"}) == "nobody@corp.example: no such user here, neither account nor alias");
  CHECK(world.alias("sales@corp.example", {}) == "sales@corp.example needs at least one target");
  CHECK(world.alias("ann@corp.example", {"bob@corp.example"}).starts_with("ann@corp.example is an account"));
  CHECK(world.alias("postmaster@other.example", {"bob@corp.example"}).starts_with("postmaster@other.example is taken"));
  CHECK(world.forward("sales@corp.example", {"far@x.org"}).starts_with("sales@corp.example is no account"));
  Words many;
  for (std::size_t i = 0; i <= Directory::kMostTargets; ++i) many.push_back("u" + std::to_string(i) + "@x.org");
  CHECK(world.alias("many@corp.example", many).find("more than 1000") != std::string::npos);
  CHECK(world.directory.addresses()->aliases.empty());
  Words row;
  std::string last = "ann@corp.example";
  for (int i = 0; i < 20; ++i) {
    auto next = "n" + std::to_string(i) + "@corp.example";
    REQUIRE(world.alias(next, {last}) == "");
    last = next;
  }
  CHECK(world.alias("n20@corp.example", {last}).starts_with("more than 20 aliases in a row"));
}

TEST_CASE("what an alias names cannot be removed under it") {
  World world;
  world.alias("a@corp.example", {"ann@corp.example"});
  world.alias("b@corp.example", {"a+x@corp.example"});
  auto removed = world.loop.block_on(world.directory.remove_alias("a@corp.example"));
  REQUIRE_FALSE(removed);
  CHECK(removed.error().text == "a@corp.example is a target of the alias b@corp.example; remove it there first");
  CHECK(world.directory.named_by("ann@corp.example") == Words{"alias a@corp.example"});
  CHECK(world.loop.block_on(world.directory.remove_alias("b@corp.example")));
  CHECK(world.loop.block_on(world.directory.remove_alias("a@corp.example")));
  CHECK(world.store.general.size() == 1);   // the keys
}

TEST_CASE("aliases and forwards are there after a restart, and not when they could not be written") {
  World world;
  world.alias("sales@corp.example", {"ann@corp.example", "far@x.org"});
  world.forward("bob@corp.example", {"far@x.org"}, true);
  world.store.fail_writes = true;
  CHECK(world.alias("sales@corp.example", {"bob@corp.example"}) == "sales@corp.example: disk full");
  CHECK(world.leads_to("sales@corp.example") == Words{"ann@corp.example", "far@x.org by sales@corp.example"});
  Directory again(configured(""), world.store, world.clock);
  REQUIRE(world.loop.block_on(again.load()));
  CHECK(again.addresses()->aliases == world.directory.addresses()->aliases);
  CHECK(again.addresses()->forwards == world.directory.addresses()->forwards);
  world.store.general["alias:bad@corp.example"] = "\x07rubbish";
  REQUIRE(world.loop.block_on(again.load()));
  CHECK(again.addresses()->aliases.size() == 1);
}

TEST_CASE("a forward to outside leaves the owner in place, one to inside does not") {
  World world;
  CHECK(world.forward("ann@corp.example", {"far@x.org", "near@y.org"}) == "");
  CHECK(world.leads_to("ann+t@corp.example") == Words{"ann+t@corp.example > far@x.org > near@y.org"});
  CHECK(world.forward("ann@corp.example", {"far@x.org"}, true) == "");
  CHECK(world.leads_to("ann@corp.example") == Words{"ann@corp.example > far@x.org (keep)"});
  CHECK(world.forward("ann@corp.example", {"bob@corp.example"}) == "");
  CHECK(world.leads_to("ann@corp.example") == Words{"bob@corp.example"});
  CHECK(world.forward("bob@corp.example", {"cid@corp.example", "far@x.org"}, true) == "");
  CHECK(world.leads_to("ann@corp.example") == Words{"bob@corp.example > far@x.org (keep)", "cid@corp.example"});
  world.alias("sales@corp.example", {"ann@corp.example", "bob@corp.example"});
  CHECK(world.leads_to("sales@corp.example") == Words{"bob@corp.example > far@x.org (keep)", "cid@corp.example"});
}

TEST_CASE("whose mail goes on to its own server cannot have it forwarded here") {
  World world;
  world.store.add("eve@behind.example");
  CHECK(world.forward("eve@behind.example", {"far@x.org"}).find("goes on to its own server") != std::string::npos);
  CHECK(world.directory.addresses()->forwards.empty());
  CHECK(world.alias("eve@behind.example", {"far@x.org"}).find("goes on to its own server") != std::string::npos);
  CHECK(world.alias("all@behind.example", {"far@x.org"}) == "");   // nobody's account
}

TEST_CASE("whose forwards lead only to himself keeps his mail") {
  World world;
  Forward to_bob{{"bob@corp.example"}, false};
  REQUIRE(world.loop.block_on(world.directory.set_forward("ann@corp.example", to_bob)));
  CHECK(world.forward("bob@corp.example", {"ann@corp.example"}).starts_with("that would be a loop"));
  auto value = world.store.general["forward:ann@corp.example"];
  value.replace(value.find("bob"), 3, "ann");
  world.store.general["forward:bob@corp.example"] = value;
  REQUIRE(world.loop.block_on(world.directory.load()));
  CHECK(world.leads_to("ann@corp.example") == Words{"ann@corp.example"});
  CHECK(world.leads_to("bob@corp.example") == Words{"bob@corp.example"});
}

TEST_CASE("what one of ours sends on has a sender of ours, and its bounce leads to who wrote") {
  World world;
  auto sender = world.directory.sender_of_forwarded("you@sender.example", "ann@corp.example");
  REQUIRE(sender);
  CHECK(sender->starts_with("SRS0="));
  CHECK(sender->ends_with("=sender.example=you@corp.example"));
  auto resolved = world.directory.resolve(*sender);
  CHECK(resolved.kind == Kind::returned);
  CHECK(world.leads_to(*sender) == Words{"you@sender.example by " + *sender});
  CHECK(*world.directory.sender_of_forwarded("", "ann@corp.example") == "");
  CHECK(*world.directory.sender_of_forwarded("bob@other.example", "ann@corp.example") == "bob@other.example");
  CHECK(*world.directory.sender_of_forwarded(std::string(240, 'a') + "@x.org", "ann@corp.example") == "ann@corp.example");
  auto changed = *sender;
  changed[changed.size() - 16] = 'x';   // you@ -> yxu@
  CHECK(world.directory.resolve(changed).kind == Kind::forged);
  world.clock.set(world.clock.now() + std::chrono::hours(24 * 30));
  CHECK(world.directory.resolve(*sender).kind == Kind::expired);
  // Elsewhere such a name means nothing, and is no way through us.
  CHECK(world.directory.resolve("SRS0=AAAA=AA=x.org=you@far.example").kind == Kind::not_ours);
  CHECK(world.alias("x@corp.example", {*sender}) != "");
}

TEST_CASE("the domain of rewritten senders can be another one of ours") {
  World world("[forward]\nsrs_domain = \"Other.example\"\n");
  auto sender = world.directory.sender_of_forwarded("you@sender.example", "ann@corp.example");
  CHECK(sender->ends_with("@other.example"));
  CHECK(world.directory.resolve(*sender).kind == Kind::returned);
  auto wrong = config::parse("hostname = \"mx.corp.example\"\n[domains.\"corp.example\"]\n[forward]\nsrs_domain = \"srs.example\"\n", "p.toml");
  REQUIRE(wrong.mistakes.size() == 1);
  CHECK(wrong.mistakes[0] == "p.toml:4: srs_domain \"srs.example\" in [forward] is none of our domains; add [domains.\"srs.example\"]");
}

TEST_CASE("who takes an alias's mail may send in its name, straight or through another one") {
  World world;
  CHECK(world.alias("sales@corp.example", {"ann@corp.example", "far@x.org"}).empty());
  CHECK(world.alias("shop@corp.example", {"sales@corp.example"}).empty());
  auto may = [&](const char* user, std::string_view address) { return world.directory.may_send_as(*world.store.account(user), address); };
  CHECK(may("ann@corp.example", "sales@corp.example"));
  CHECK(may("ann@corp.example", "Shop+spring@corp.example"));
  CHECK_FALSE(may("bob@corp.example", "sales@corp.example"));
  CHECK_FALSE(may("bob@corp.example", "shop@corp.example"));
  // A catch-all that is an alias makes nobody everybody.
  CHECK(world.alias("all@corp.example", {"cid@corp.example"}).empty());
  CHECK(may("cid@corp.example", "all@corp.example"));
  CHECK_FALSE(may("cid@corp.example", "whoever@other.example"));
}
