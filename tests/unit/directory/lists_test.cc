// Mailing lists: their addresses, what is refused when they are made, and their rows.
#include "gateway/directory/lists.h"

#include "gateway/directory/directory.h"
#include "gateway/io/loop.h"
#include "tests/support/catch.h"
#include "tests/unit/directory/accounts_store.h"

using namespace postern;
using directory::Directory;
using directory::List;
using directory::ListRole;
using Kind = directory::Resolution::Kind;
using Words = std::vector<std::string>;

namespace {

config::Config configured() {
  auto loaded = config::parse("hostname = \"mx.corp.example\"\n[domains.\"corp.example\"]\n[domains.\"behind.example\"]\ndeliver = \"smtp://10.0.0.5:25\"\n", "p.toml");
  REQUIRE(loaded.ok());
  return loaded.config;
}

struct World {
  io::Loop loop;
  FixedClock clock{from_unix(1'795'492'742)};
  test::AccountsStore store;
  Directory directory{configured(), store, clock};

  World() {
    for (const char* name : {"ann", "bob", "cid"}) store.add(std::string(name) + "@corp.example");
    REQUIRE(loop.block_on(directory.prepare()));
  }
  std::string make(const std::string& address, Words members = {}) {
    List list;
    list.owners = {"ann@corp.example"};
    for (const auto& each : members) list.members[each].address = each;
    auto status = loop.block_on(directory.make_list(address, std::move(list)));
    return status ? "" : status.error().text;
  }
  std::string join(const std::string& address, const std::string& member) {
    Directory::ListEdit edit = [member](List& list) {
      list.members[member].address = member;
      return Status();
    };
    auto status = loop.block_on(directory.change_list(address, std::move(edit)));
    return status ? "" : status.error().text;
  }
  Words leads_to(const std::string& address) {
    Words out;
    for (const auto& target : directory.expand(directory.resolve(address), address).targets) out.push_back(target.address);
    return out;
  }
};

}  // namespace

TEST_CASE("each address of a list says what it is for") {
  World world;
  REQUIRE(world.make("dev-team@corp.example", {"bob@corp.example"}).empty());
  for (auto [address, role] : {std::pair{"Dev-Team@corp.example", ListRole::post}, std::pair{"dev-team+x@corp.example", ListRole::post},
                               std::pair{"dev-team-owner@corp.example", ListRole::owner}, std::pair{"dev-team-request@corp.example", ListRole::request},
                               std::pair{"dev-team-subscribe@corp.example", ListRole::subscribe},
                               std::pair{"dev-team-unsubscribe@corp.example", ListRole::unsubscribe},
                               std::pair{"dev-team-bounces@corp.example", ListRole::bounces}}) {
    INFO(address);
    auto found = world.directory.resolve(address);
    CHECK(found.kind == Kind::list);
    CHECK(found.list_role == role);
    CHECK(found.account_address == "dev-team@corp.example");
    CHECK(found.original.empty());
  }
  for (const char* address : {"dev-team-admin@corp.example", "dev@corp.example", "team-owner@corp.example", "-owner@corp.example"}) {
    INFO(address);
    CHECK(world.directory.resolve(address).kind == Kind::unknown_user);
  }
}

TEST_CASE("a list is where expansion ends, and its owner's address leads to its owners") {
  World world;
  world.make("team@corp.example", {"bob@corp.example", "far@x.org"});
  REQUIRE(world.loop.block_on(world.directory.set_alias("all@corp.example", {"team@corp.example", "cid@corp.example"})));
  CHECK(world.leads_to("all@corp.example") == Words{"team@corp.example", "cid@corp.example"});
  CHECK(world.leads_to("team-owner@corp.example") == Words{"ann@corp.example"});
  CHECK(world.leads_to("team-bounces@corp.example") == Words{"ann@corp.example"});
  CHECK(world.leads_to("team-request@corp.example") == Words{"team-request@corp.example"});
  CHECK_FALSE(world.directory.may_send_as(*world.store.account("bob@corp.example"), "team@corp.example"));
}

TEST_CASE("an address for one member names him, for three weeks, for one list and one purpose") {
  World world;
  world.make("team@corp.example", {"far@x.org"});
  world.make("other@corp.example", {"far@x.org"});
  auto address = world.directory.list_address_for("team@corp.example", ListRole::bounces, "Far@x.org");
  REQUIRE(address);
  auto found = world.directory.resolve(*address);
  CHECK(found.kind == Kind::list);
  CHECK(found.list_role == ListRole::bounces);
  CHECK(found.original == "far@x.org");
  auto changed = [&](const char* from, const char* to) {
    auto text = *address;
    return text.replace(text.find(from), std::string(from).size(), to);
  };
  CHECK(world.directory.resolve(changed("team-", "other-")).kind == Kind::forged);
  CHECK(world.directory.resolve(changed("-bounces", "-unsubscribe")).kind == Kind::forged);
  CHECK(world.directory.resolve(changed("=x.org", "=y.org")).kind == Kind::forged);
  CHECK(world.directory.resolve("team-bounces+nonsense@corp.example").kind == Kind::forged);
  // A sender that SRS made proves nothing here.
  auto srs = world.directory.sender_of_forwarded("far@x.org", "team@corp.example");
  REQUIRE(srs);
  CHECK(world.directory.resolve("team-bounces+" + srs->substr(5)).kind == Kind::forged);
  world.clock.set(world.clock.now() + std::chrono::hours(24 * 22));
  CHECK(world.directory.resolve(*address).kind == Kind::expired);
  CHECK_FALSE(world.directory.list_address_for("team@corp.example", ListRole::bounces, "x@[192.0.2.1]"));
  CHECK_FALSE(world.directory.list_address_for("team@corp.example", ListRole::bounces, std::string(230, 'x') + "@x.org"));
}

TEST_CASE("a list that would be its own member is refused with its chain, and harmless where it is one") {
  World world;
  world.make("a@corp.example", {"bob@corp.example"});
  world.make("b@corp.example", {"a@corp.example"});
  REQUIRE(world.loop.block_on(world.directory.set_alias("c@corp.example", {"b@corp.example"})));
  CHECK(world.join("a@corp.example", "a@corp.example") == "that would be a loop: a@corp.example -> a@corp.example");
  CHECK(world.join("a@corp.example", "c@corp.example") ==
        "that would be a loop: a@corp.example -> c@corp.example -> b@corp.example -> a@corp.example");
  CHECK(world.make("d@corp.example", {"d@corp.example"}).starts_with("that would be a loop"));
  CHECK(world.directory.list("d@corp.example") == nullptr);
  CHECK(world.directory.list("a@corp.example")->members.size() == 1);
  auto back = world.loop.block_on(world.directory.set_alias("bob2@corp.example", {"b@corp.example"}));
  CHECK(back);
}

TEST_CASE("what a list cannot be called, and who cannot run it or be on it") {
  World world;
  REQUIRE(world.make("team@corp.example", {"bob@corp.example"}).empty());
  REQUIRE(world.loop.block_on(world.directory.set_alias("sales-owner@corp.example", {"cid@corp.example"})));
  for (auto [address, words] : {std::pair{"team@corp.example", "mailing list"}, std::pair{"team-owner@corp.example", "an address of the list team@corp.example"},
                                std::pair{"ann@corp.example", "is an account"}, std::pair{"sales@corp.example", "sales-owner@corp.example is an alias"},
                                std::pair{"postmaster@corp.example", "postmaster"}, std::pair{"a/b@corp.example", "the name of a list"}}) {
    INFO(address);
    CHECK(world.make(address).find(words) != std::string::npos);
  }
  CHECK(world.make("x@corp.example", {"nobody@corp.example"}) == "nobody@corp.example: no such user here");
  List ownerless;
  CHECK(world.loop.block_on(world.directory.make_list("x@corp.example", ownerless)).error().text == "x@corp.example needs an owner");
  ownerless.owners = {"zoe@corp.example"};
  CHECK_FALSE(world.loop.block_on(world.directory.make_list("x@corp.example", ownerless)));
  CHECK_FALSE(world.loop.block_on(world.directory.set_alias("team@corp.example", {"ann@corp.example"})));
  CHECK(world.directory.named_by("bob@corp.example") == Words{"list team@corp.example"});
  CHECK(world.directory.named_by("ann@corp.example") == Words{"list team@corp.example"});
}

TEST_CASE("lists of the same name in two domains have mailboxes of their own") {
  World world;
  world.make("team@corp.example");
  world.make("team@behind.example");
  CHECK(world.directory.list("team@corp.example")->folder == "team");
  CHECK(world.directory.list("team@behind.example")->folder == "team@behind.example");
  CHECK(world.directory.resolve("team@behind.example").kind == Kind::list);
  CHECK(world.directory.resolve("team-owner@behind.example").kind == Kind::list);
}

TEST_CASE("whoever else is gone, a member can leave") {
  World world;
  world.make("team@corp.example", {"bob@corp.example", "cid@corp.example"});
  world.store.forget("cid@corp.example");
  world.store.forget("ann@corp.example");
  Directory::ListEdit edit = [](List& list) {
    list.members.erase("bob@corp.example");
    return Status();
  };
  CHECK(world.loop.block_on(world.directory.change_list("team@corp.example", std::move(edit))));
}

TEST_CASE("a list's row reads back, and a damaged one is left out") {
  List list;
  list.name = "The team";
  list.folder = "team";
  list.owners = {"ann@corp.example"};
  list.moderators = {"bob@corp.example"};
  list.post = List::Post::moderators;
  list.open = list.archive = true;
  list.prefix = "[team]";
  list.bounces = 3;
  auto& member = list.members["far@x.org"];
  member.address = "Far@x.org";
  member.mail = false;
  member.suspended = "why";
  member.bounces = 2;
  member.last_bounce = 20'000;
  auto row = encode(list);
  CHECK(directory::decode_list(row) == list);
  for (std::size_t cut = 0; cut < row.size(); ++cut) CHECK_FALSE(directory::decode_list(std::string_view(row).substr(0, cut)));
  CHECK_FALSE(directory::decode_list(row + "x"));

  World world;
  REQUIRE(world.make("team@corp.example", {"bob@corp.example"}).empty());
  world.store.general["list:broken@corp.example"] = "rubbish";
  Directory again(configured(), world.store, world.clock);
  REQUIRE(world.loop.block_on(again.load()));
  CHECK(again.lists()->size() == 1);
  CHECK(*again.list("team@corp.example") == *world.directory.list("team@corp.example"));
}

TEST_CASE("a change that the store does not take is undone") {
  World world;
  world.make("team@corp.example", {"bob@corp.example"});
  world.store.fail_writes = true;
  CHECK(world.join("team@corp.example", "far@x.org") == "team@corp.example: disk full");
  CHECK(world.directory.list("team@corp.example")->members.size() == 1);
  CHECK_FALSE(world.loop.block_on(world.directory.remove_list("team@corp.example")));
  CHECK(world.directory.list("team@corp.example") != nullptr);
}
