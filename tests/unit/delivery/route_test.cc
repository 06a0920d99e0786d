// Which mail goes where.
#include "gateway/delivery/route.h"

#include "tests/support/catch.h"

using namespace postern;
using namespace postern::delivery;

namespace {

config::Route named(const char* name, const char* host = nullptr) {
  config::Route out;
  out.name = name;
  if (host != nullptr) out.hosts.push_back(*config::parse_host(host));
  return out;
}

struct World {
  config::Config config;
  World() {
    auto& own = config.domains.emplace_back();
    own.name = "own.test";
    own.relay.hosts.push_back(*config::parse_host("smtp://10.0.0.1"));
    config.routes.push_back(named("partner.test", "smtps://partner-gate.test"));
    config.routes.push_back(named(".partner.test", "smtp://10.0.0.2"));
    config.routes.push_back(named(".deep.partner.test", "smtp://10.0.0.3"));
    config.routes.push_back(named("strict.test"));
    config.routes.back().tls = config::TlsUse::must;
    config.senders.push_back(named("corp.test", "smtp://10.0.0.4"));
    config.routes.push_back(named("*", "smtp://10.0.0.5:587"));
  }
  std::string to(const char* destination, const char* sender = "") const {
    auto route = Routes(config).find(Lane{destination, sender});
    return route->by_mx() ? route->key : route->hosts.front().to_string();
  }
};

}  // namespace

TEST_CASE("the nearest route decides") {
  World w;
  CHECK(w.to("own.test", "me@corp.test") == "smtp://10.0.0.1:25");
  CHECK(w.to("partner.test", "me@corp.test") == "smtps://partner-gate.test:465");
  CHECK(w.to("a.partner.test") == "smtp://10.0.0.2:25");
  CHECK(w.to("a.deep.partner.test") == "smtp://10.0.0.3:25");
  CHECK(w.to("deep.partner.test") == "smtp://10.0.0.2:25");
  CHECK(w.to("far.test", "me@corp.test") == "smtp://10.0.0.4:25");
  CHECK(w.to("far.test", "me@sub.corp.test") == "smtp://10.0.0.5:587");
  CHECK(w.to("far.test") == "smtp://10.0.0.5:587");
  CHECK(w.to("strict.test") == "mx:strict.test tls=must");
  CHECK(w.to("[192.0.2.1]") == "smtp://10.0.0.5:587");
  w.config.routes.pop_back();
  CHECK(w.to("far.test") == "mx:far.test");
}

TEST_CASE("a sender is only remembered where a route depends on him") {
  World w;
  Routes routes(w.config);
  CHECK(routes.narrowed({"far.test", "me@corp.test"}) == Lane{"far.test", "corp.test"});
  CHECK(routes.narrowed({"far.test", "me@other.test"}) == Lane{"far.test", ""});
  CHECK(routes.narrowed({"partner.test", "me@corp.test"}) == Lane{"partner.test", ""});
  CHECK(routes.narrowed({"own.test", "me@corp.test"}) == Lane{"own.test", ""});
  CHECK(routes.find(routes.narrowed({"far.test", "me@corp.test"}))->key == routes.find(Lane{"far.test", "me@corp.test"})->key);
}

TEST_CASE("a user's own hosts come first, and when he has them no more his mail goes his domain's way") {
  World w;
  w.config.domains.front().relay.tls = config::TlsUse::must;
  std::string hosts = "smtp://10.0.0.8:25,lmtp://10.0.0.9:24";
  Routes routes(w.config);
  CHECK(routes.find("ann@own.test")->hosts.front().to_string() == "smtp://10.0.0.1:25");   // nobody is asked yet
  routes.ask_users([&](std::string_view address) { return address == "ann@own.test" || address == "bob@box.test" ? hosts : std::string(); });
  auto ann = routes.find("ann@own.test");
  REQUIRE(ann->hosts.size() == 2);
  CHECK(ann->hosts[1].to_string() == "lmtp://10.0.0.9:24");
  CHECK(ann->own);
  CHECK(ann->tls == config::TlsUse::must);   // as her domain's
  CHECK(routes.find("bob@box.test")->tls == config::TlsUse::may);
  CHECK(routes.narrowed({"ann@own.test", "me@corp.test"}) == Lane{"ann@own.test", ""});
  CHECK(routes.find("eve@own.test")->hosts.front().to_string() == "smtp://10.0.0.1:25");
  CHECK_FALSE(routes.relay("ann@own.test").has_value());
  hosts.clear();
  CHECK(routes.find("ann@own.test")->hosts.front().to_string() == "smtp://10.0.0.1:25");
}

TEST_CASE("what shares connections logs in as the same user under the same policy") {
  World w;
  auto key = [&] { return Routes(w.config).find("far.test")->key; };
  auto plain = key();
  w.config.routes.back().login = "us";
  auto login = key();
  w.config.routes.back().tls = config::TlsUse::verify;
  CHECK(login != plain);
  CHECK(key() != login);
}
