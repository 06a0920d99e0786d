// Rewritten senders: their form, the way back, and who cannot make one.
#include "gateway/directory/srs.h"

#include "gateway/base/text.h"
#include "gateway/directory/srs_keys.h"
#include "gateway/io/loop.h"
#include "tests/support/catch.h"
#include "tests/support/memory_store.h"

using namespace postern;
using directory::Srs;
using Kind = directory::Srs::Returned::Kind;

namespace {

const Time kNow = from_unix(1'795'492'742);
Time days(int count) { return kNow + std::chrono::hours(24 * count); }

mail::Path path(const std::string& text) { return *mail::parse_address(text); }

std::string rewritten(const Srs& srs, const std::string& sender, const std::string& domain = "ours.example", Time when = kNow) {
  auto out = srs.rewritten(path(sender), domain, when);
  return out ? out->text() : "nothing";
}

std::string local_of(const std::string& address) { return path(address).local; }

}  // namespace

TEST_CASE("a rewritten sender has the form of libsrs2 and finds the way back") {
  Srs srs({std::string(32, 'k')});
  for (std::string sender : {"you@sender.example", "You@sender.example", "a=b+c-d@x.org", "\"odd one\"@x.org", "user@xn--bcher-kva.example", "=@x.org"}) {
    INFO(sender);
    auto address = rewritten(srs, sender);
    CHECK(address.find("SRS0=") <= 1);   // quoted where the sender was
    CHECK(address.ends_with("@ours.example"));
    auto back = srs.read(local_of(address), kNow);
    CHECK(back.kind == Kind::good);
    CHECK(back.to == path(sender));
  }
  auto parts = rewritten(srs, "you@sender.example");
  CHECK(parts.size() == std::string("SRS0=HHHHHHHH=TT=sender.example=you@ours.example").size());
  CHECK(srs.rewritten(mail::Path(), "ours.example", kNow)->is_null());
}

TEST_CASE("what mailers do to the case of a local part does not matter to the hash") {
  Srs srs({std::string(32, 'k')});
  auto local = local_of(rewritten(srs, "You@sender.example"));
  for (auto changed : {ascii_lowered(local), ascii_uppered(local)}) {
    auto back = srs.read(changed, kNow);
    CHECK(back.kind == Kind::good);
    CHECK(back.to.domain == "sender.example");
  }
}

TEST_CASE("a sender that another forwarder has rewritten stays short, and its bounce goes to the first one") {
  Srs first({"first key"}), second({"second key"}), third({"third key"});
  auto once = rewritten(first, "you@sender.example", "one.example");
  auto twice = rewritten(second, once, "two.example");
  CHECK(twice.starts_with("SRS1="));
  CHECK(twice.find("=one.example==") != std::string::npos);
  auto thrice = rewritten(third, twice, "three.example");
  CHECK(thrice.size() == twice.size() + 2);   // only the name of the last one is another
  CHECK(third.read(local_of(thrice), kNow).to == path(once));
  auto back = second.read(local_of(twice), kNow);
  CHECK(back.kind == Kind::good);
  CHECK(back.to == path(once));
  CHECK(first.read(back.to.local, kNow).to == path("you@sender.example"));
}

TEST_CASE("nobody else makes such an address, and none is changed unseen") {
  Srs ours({std::string(32, 'k')}), others({std::string(32, 'x')});
  CHECK(ours.read(local_of(rewritten(others, "you@sender.example")), kNow).kind == Kind::forged);
  auto local = local_of(rewritten(ours, "you@sender.example"));
  for (std::size_t i = 5; i < local.size(); ++i) {
    auto changed = local;
    changed[i] = ascii_lower(changed[i]) == 'q' ? 'r' : 'q';
    INFO(changed);
    CHECK(ours.read(changed, kNow).kind != Kind::good);
  }
  CHECK(ours.read("SRS0=AAAAAAAA=AA=sender.example=you", kNow).kind == Kind::forged);
  CHECK(ours.read("SRS1=AAAAAAAA=one.example==AAAA=AA=x.org=you", kNow).kind == Kind::forged);
}

TEST_CASE("an address is good for three weeks, also where the days begin anew") {
  Srs srs({std::string(32, 'k')});
  for (int shift : {0, 400, 1000, 1024, 1040}) {
    auto local = local_of(rewritten(srs, "you@sender.example", "ours.example", days(shift)));
    CHECK(srs.read(local, days(shift)).kind == Kind::good);
    CHECK(srs.read(local, days(shift + 21)).kind == Kind::good);
    CHECK(srs.read(local, days(shift - 1)).kind == Kind::good);
    CHECK(srs.read(local, days(shift + 22)).kind == Kind::expired);
    CHECK(srs.read(local, days(shift - 2)).kind == Kind::expired);
  }
}

TEST_CASE("other addresses are other addresses") {
  Srs srs({std::string(32, 'k')});
  for (std::string local : {"", "you", "srs", "srs0", "srs0-team", "SRS0=", "SRS0=a=b", "SRS0=a=b=c", "SRS0=a=b=c=", "SRS1=a", "SRS1=a=b=", "SRS1=a=b=c", "SRS2=a=b=c=d"}) {
    INFO(local);
    CHECK(srs.read(local, kNow).kind == Kind::other);
  }
}

TEST_CASE("what cannot be a path is not made") {
  Srs srs({std::string(32, 'k')});
  CHECK(rewritten(srs, std::string(190, 'a') + "@x.org") != "nothing");
  CHECK(rewritten(srs, std::string(240, 'a') + "@x.org") == "nothing");
  CHECK(rewritten(srs, "you@[192.0.2.1]") == "nothing");
}

TEST_CASE("the key is made once, kept, and followed by another one that leaves the old one good") {
  io::Loop loop;
  test::MemoryStore store;
  FixedClock clock(kNow);
  directory::SrsKeys keys(clock);
  CHECK(keys.current() == nullptr);
  REQUIRE(loop.block_on(keys.prepare(store)));
  auto local = local_of(rewritten(*keys.current(), "you@sender.example"));
  directory::SrsKeys again(clock);
  REQUIRE(loop.block_on(again.prepare(store)));
  CHECK(again.current()->read(local, kNow).kind == Kind::good);

  clock.set(days(91));
  auto late = local_of(rewritten(*again.current(), "you@sender.example", "ours.example", days(90)));
  REQUIRE(loop.block_on(again.prepare(store)));
  CHECK(again.current()->read(late, days(91)).kind == Kind::good);
  auto fresh = local_of(rewritten(*again.current(), "you@sender.example", "ours.example", days(91)));
  CHECK(keys.current()->read(fresh, days(91)).kind == Kind::forged);   // by the new key
  CHECK(again.current()->read(fresh, days(91)).kind == Kind::good);

  store.general["srs:keys"] = "rubbish";
  directory::SrsKeys anew(clock);
  REQUIRE(loop.block_on(anew.prepare(store)));
  CHECK(anew.current() != nullptr);
}
