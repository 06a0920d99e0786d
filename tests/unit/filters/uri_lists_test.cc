// Lists of spammed domains.
#include "filters/uri_lists.h"

#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::filters;

namespace {

struct Rig {
  dns::FixedResolver resolver;
  FixedClock clock{from_unix(1'700'000'000)};
  DnsLists lists{clock, DnsLists::Config{.check_test_points = false}};
  io::Loop loop;

  explicit Rig(std::string_view zone) { REQUIRE(resolver.zone().add_text(zone)); }
  UriListed ask(std::vector<std::string> names, std::vector<UriZone> zones) {
    return loop.block_on(ask_uri_lists(lists, resolver, std::move(names), std::move(zones), in(std::chrono::seconds(5))));
  }
};

LinkSigns link(std::string_view target, const LinkPlace& place = {}) { return link_signs(target, place, {})[0]; }

}  // namespace

TEST_CASE("each registrable domain is weighed once") {
  UriNames names;
  names.add(link("https://a.evil.com/x"));
  names.add(link("https://b.evil.com/y"));
  names.add(link("https://evil.co.uk/"));
  names.add(link("http://192.0.2.1/"));
  names.add(link("http://3221225985/"));
  names.add(link("mailto:x@no.com"));
  names.add(link("http://127.0.0.1/"));
  names.add(link("http://localhost/"));
  names.add(link("http://x.nosuchtld/"));
  names.add(link("http://co.uk/"));
  CHECK(names.chosen() == std::vector<std::string>{"192.0.2.1", "evil.com", "evil.co.uk"});
}

TEST_CASE("what a reader loses by is asked about before the rest") {
  UriNames names;
  names.add("images.com", UriNames::Weight::loads);
  names.add(link("https://hidden.com/", {.shown = "", .hidden = true}));
  names.add(link("https://link.com/"));
  names.add(link("https://lie.com/", {.shown = "https://paypal.com"}));
  names.add(link("https://form.com/", {.shown = "", .form = true}));
  for (const auto& inner : link_signs("https://outer.com/?u=https://inner.com", {}, {})) names.add(inner);
  names.add(link("https://images.com/"));
  CHECK(names.chosen() == std::vector<std::string>{"lie.com", "form.com", "images.com", "outer.com", "link.com", "inner.com", "hidden.com"});
}

TEST_CASE("a flood of harmless links hides nothing at its ends") {
  UriNames names;
  names.add("first.com", UriNames::Weight::link);
  for (int i = 0; i < 500; ++i) names.add("h" + std::to_string(i) + ".com", UriNames::Weight::link);
  names.add("last.com", UriNames::Weight::link);
  auto chosen = names.chosen();
  CHECK(chosen.size() == kMaxUriNames);
  CHECK(chosen[0] == "first.com");
  CHECK(chosen[1] == "last.com");
  CHECK(chosen[2] == "h0.com");
  for (int i = 0; i < 5000; ++i) names.add("x" + std::to_string(i) + ".com", UriNames::Weight::link);
  CHECK(names.size() == kMaxUriKnown);
}

TEST_CASE("ignored domains are not asked about") {
  auto ignored = *List::parse("google.com\n.corp.com\n", "lists/x.txt");
  UriNames names(ignored.get());
  names.add("www.google.com", UriNames::Weight::link);
  names.add("mail.corp.com", UriNames::Weight::link);
  names.add("evil.com", UriNames::Weight::link);
  CHECK(names.chosen() == std::vector<std::string>{"evil.com"});
}

TEST_CASE("all zones are asked about all names, and the codes are told") {
  Rig rig("evil.com.uri.test A 127.0.0.2\nevil.com.uri.test A 127.0.0.8\n1.2.0.192.uri.test A 127.0.0.4\nevil.com.dbl.test A 127.0.1.2\n");
  auto out = rig.ask({"evil.com", "good.com", "192.0.2.1"}, {{"uri.test"}, {"dbl.test", false}});
  REQUIRE(out.entries.size() == 3);
  CHECK(out.entries[0].name == "evil.com");
  CHECK(out.entries[0].zone == "uri.test");
  CHECK(out.entries[0].codes == std::vector<std::string>{"127.0.0.2", "127.0.0.8"});
  CHECK(out.entries[1].zone == "dbl.test");
  CHECK(out.entries[2].name == "192.0.2.1");
  CHECK(out.questions == 5);
  CHECK(rig.resolver.asked().size() == 5);
  CHECK(out.complete());
}

TEST_CASE("a list that does not answer or refuses is trouble, told once, and hides no other list") {
  Rig rig("a.com.dead.test A SERVFAIL\nb.com.dead.test A TIMEOUT\nb.com.good.test A 127.0.0.2\na.com.shut.test A 127.255.255.254\n");
  auto out = rig.ask({"a.com", "b.com"}, {{"dead.test"}, {"good.test"}, {"shut.test"}});
  REQUIRE(out.entries.size() == 1);
  CHECK(out.entries[0].zone == "good.test");
  CHECK(out.troubles.size() == 2);
  CHECK_FALSE(out.complete());
}

TEST_CASE("the questions of a message are bounded, and that is said") {
  Rig rig("");
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) names.push_back("n" + std::to_string(i) + ".com");
  std::vector<UriZone> zones;
  for (int i = 0; i < 20; ++i) zones.push_back({"z" + std::to_string(i) + ".test"});
  auto out = rig.ask(names, zones);
  CHECK(out.questions == kMaxUriNames * kMaxUriZones);
  CHECK(rig.resolver.asked().size() == kMaxUriNames * kMaxUriZones);
  CHECK(out.left_out);
  CHECK(rig.ask({}, {}).complete());
}

TEST_CASE("the guard against lists that list everything holds") {
  dns::FixedResolver resolver;
  REQUIRE(resolver.zone().add_text("good.com.all.test A 127.0.0.2\ninvalid.all.test A 127.0.0.2\ntest.all.test A 127.0.0.2\n"));
  FixedClock clock{from_unix(1'700'000'000)};
  DnsLists lists{clock};
  io::Loop loop;
  auto out = loop.block_on(ask_uri_lists(lists, resolver, {"good.com"}, {{"all.test"}}, in(std::chrono::seconds(5))));
  CHECK(out.entries.empty());
  CHECK(out.troubles.size() == 1);
}
