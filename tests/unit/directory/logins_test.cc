// Password checks: equal answers, counting, the cache.
#include "gateway/directory/logins.h"

#include "gateway/directory/passwords.h"
#include "gateway/io/loop.h"
#include "gateway/io/together.h"
#include "tests/support/catch.h"
#include "tests/unit/directory/accounts_store.h"

using namespace postern;
using directory::Attempt;
using directory::Login;
using Kind = directory::Login::Kind;
using namespace std::chrono_literals;

namespace {

const std::string& row_of_secret() {
  static const std::string row = *directory::make_password_row("secret");
  return row;
}

directory::LoginOptions without_delays() {
  directory::LoginOptions options;
  for (auto* policy : {&options.account, &options.address, &options.network}) policy->first_delay = policy->longest_delay = 0ms;
  return options;
}

io::Task<void> leave(io::Task<Login> task) {
  auto login = co_await task;
  FAIL("was not cancelled: " << login.text);
}

struct World {
  test::AccountsStore store;
  directory::Directory directory;
  io::Loop loop;
  directory::Logins logins;
  store::AccountId ann;
  explicit World(directory::LoginOptions options = without_delays())
      : directory(config::parse("hostname = \"mx.corp.example\"\n[domains.\"corp.example\"]\n", "p.toml").config, store), logins(directory, options) {
    ann = store.add("ann@corp.example", row_of_secret());
    store.add("locked@corp.example");
  }
  Login login(const std::string& name, const std::string& password, const std::string& ip = "192.0.2.1") {
    Attempt attempt(name, password, *IpAddress::parse(ip), "test");
    return loop.block_on(logins.check(std::move(attempt)));
  }
};

}  // namespace

TEST_CASE("the right password is let in, by full address or local part") {
  World world;
  auto login = world.login("Ann@corp.example", "secret");
  REQUIRE(login.ok());
  CHECK(login.account.id == world.ann);
  CHECK(world.login("ann", "secret").ok());
}

TEST_CASE("wrong password, unknown user and an account without password get the same answer") {
  World world;
  auto wrong = world.login("ann@corp.example", "Secret");
  auto unknown = world.login("nobody@corp.example", "secret");
  auto locked = world.login("locked@corp.example", "");
  auto empty = world.login("", "secret");
  for (const auto& login : {wrong, unknown, locked, empty}) {
    CHECK(login.kind == Kind::bad);
    CHECK(login.text == wrong.text);
    CHECK(login.refused_for == 0s);
  }
}

TEST_CASE("after many failures an address is refused even with the right password, until it is unbanned") {
  World world;
  for (int i = 0; i < 12; ++i) CHECK(world.login("user" + std::to_string(i), "x" + std::to_string(i)).kind == Kind::bad);
  auto refused = world.login("ann", "secret");
  CHECK(refused.kind == Kind::refused);
  CHECK(refused.refused_for > 14min);
  CHECK(refused.text.find("try again in") != std::string::npos);
  CHECK(world.login("ann", "secret", "192.0.2.2").ok());
  REQUIRE(world.logins.refused().size() == 1);
  CHECK(world.logins.refused()[0].name == "192.0.2.1");
  CHECK(world.logins.unban("192.0.2.1"));
  CHECK_FALSE(world.logins.unban("192.0.2.1"));
  CHECK(world.login("ann", "secret").ok());
}

TEST_CASE("an IPv6 host does not escape by changing its address within its /64") {
  World world;
  for (int i = 0; i < 12; ++i) world.login("u", "x" + std::to_string(i), "2001:db8::" + std::to_string(i + 1));
  CHECK(world.login("ann", "secret", "2001:db8::99").kind == Kind::refused);
  CHECK(world.login("ann", "secret", "2001:db8:0:1::99").ok());
}

TEST_CASE("an account under attack from everywhere is refused, but not to where its user comes from") {
  World world;
  CHECK(world.login("ann", "secret", "198.51.100.7").ok());
  for (int i = 0; i < 30; ++i) world.login("ann", "x" + std::to_string(i), "10.0." + std::to_string(i) + ".1");
  CHECK(world.login("ann", "secret", "203.0.113.5").kind == Kind::refused);
  CHECK(world.login("ann", "secret", "198.51.100.7").ok());
  for (int i = 0; i < 30; ++i) world.login("ann", "y" + std::to_string(i), "10.1." + std::to_string(i) + ".1");
  CHECK(world.logins.unban("ann@corp.example"));
  CHECK(world.login("ann", "secret", "203.0.113.5").ok());
}

TEST_CASE("names that do not exist are refused like those that do") {
  World world;
  for (int i = 0; i < 30; ++i) world.login("ghost", "x" + std::to_string(i), "10.0." + std::to_string(i) + ".1");
  CHECK(world.login("ghost", "x", "203.0.113.5").kind == Kind::refused);
}

TEST_CASE("a network is refused when its addresses fail in turn") {
  auto options = without_delays();
  options.network.refuse_at = 20;
  World world(options);
  for (int i = 0; i < 20; ++i) world.login("u" + std::to_string(i), "x", "192.0.2." + std::to_string(i + 1));
  CHECK(world.login("ann", "secret", "192.0.2.200").kind == Kind::refused);
  CHECK(world.login("ann", "secret", "192.0.3.1").ok());
  CHECK(world.logins.unban("192.0.2.0/24"));
  CHECK(world.login("ann", "secret", "192.0.2.200").ok());
}

TEST_CASE("the same wrong password again and again is counted once") {
  World world;
  for (int i = 0; i < 50; ++i) CHECK(world.login("ann", "old password").kind == Kind::bad);
  CHECK(world.login("ann", "secret").ok());
}

TEST_CASE("a changed password ends the old one at once, also in the cache") {
  World world;
  CHECK(world.login("ann", "secret").ok());
  CHECK(world.login("ann", "secret").ok());
  CHECK(world.login("ann", "newer").kind == Kind::bad);
  world.store.set_password(world.ann, *directory::make_password_row("newer"));
  CHECK(world.login("ann", "secret").kind == Kind::bad);
  CHECK(world.login("ann", "newer").ok());
}

TEST_CASE("many attempts at once from one address do not get more tries than one after the other") {
  auto options = without_delays();
  options.hashes_at_once = 1;
  World world(options);
  std::vector<io::Task<Login>> tasks;
  for (int i = 0; i < 40; ++i) {
    Attempt attempt("ann", "x" + std::to_string(i), *IpAddress::parse("192.0.2.1"), "test");
    tasks.push_back(world.logins.check(std::move(attempt)));
  }
  auto logins = world.loop.block_on(io::together(std::move(tasks)));
  auto refused = std::count_if(logins.begin(), logins.end(), [](const Login& login) { return login.kind == Kind::refused; });
  CHECK(refused >= 26);
}

TEST_CASE("a session that goes away while its password is hashed leaves nothing behind") {
  World world;
  {
    Attempt attempt("ann", "secret", *IpAddress::parse("192.0.2.1"), "test");
    auto id = world.loop.spawn(leave(world.logins.check(std::move(attempt))), "leave");
    world.loop.post([&world, id] { world.loop.cancel(id); });
  }
  CHECK(world.login("ann", "secret").ok());
}
