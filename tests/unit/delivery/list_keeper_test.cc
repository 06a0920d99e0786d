// Who may write to a list, and what its keeper makes of the queue's entries.
#include "gateway/delivery/list_keeper.h"

#include "gateway/delivery/release.h"
#include "gateway/delivery/route.h"
#include "gateway/io/loop.h"
#include "tests/support/catch.h"
#include "tests/support/memory_store.h"

using namespace postern;
using namespace postern::delivery;
using directory::List;
using directory::ListRole;
using Words = std::vector<std::string>;

namespace {

const std::string kTeam = "team@home.test";
const std::string kMessage = "From: ann@home.test\r\nSubject: hi\r\n\r\nbody\r\n";

struct World {
  io::Loop loop;
  postern::test::MemoryStore store;
  FixedClock clock{from_unix(1'795'492'742)};
  config::Config config;
  std::unique_ptr<directory::Directory> directory;
  std::unique_ptr<ListKeeper> keeper;
  std::size_t told = 0;   // of new entries

  World() {
    config.hostname = "gate.test";
    config.domains.emplace_back().name = "home.test";
    for (const char* name : {"ann", "bob", "cid"}) store.add_account(std::string(name) + "@home.test");
    directory = std::make_unique<directory::Directory>(config, store, clock);
    REQUIRE(loop.block_on(directory->prepare()));
    keeper = std::make_unique<ListKeeper>(ListKeeper::Parts{store, *directory, nullptr, [this](const store::Delivered&) { ++told; }, "gate.test", clock});
  }
  void make(const std::string& address, const Words& members, const std::function<void(List&)>& more = {}) {
    List list;
    list.owners = {"ann@home.test"};
    for (const auto& each : members) list.members[each].address = each;
    if (more) more(list);
    REQUIRE(loop.block_on(directory->make_list(address, std::move(list))));
  }
  ListPost post(const std::string& author = "ann@home.test") {
    ListPost out;
    out.list = kTeam;
    out.author = author;
    out.known = out.ours = true;
    return out;
  }
  store::QueueEntry put(const ListPost& post, const std::string& message = kMessage, const std::string& id = "7Q3K2") {
    QueueState state;
    state.sender = post.role == ListRole::bounces ? "" : "ann@home.test";
    state.recipients.emplace_back().address = post.list;
    state.post = encode(post);
    store::Item item;
    item.id = id;
    item.pieces.emplace_back(message);
    auto& onward = item.onward.emplace_back();
    onward.destination = std::string(kListLane) + post.list;
    onward.header_prefix = "Delivered-To: " + post.list + "\r\n";
    onward.state = encode(state);
    store::Delivery delivery;
    delivery.items.push_back(std::move(item));
    auto done = loop.block_on(store.deliver(std::move(delivery)));
    return **loop.block_on(store.queue_entry(done.queued.at(0).at(0)));
  }
  ListKeeper::Done take(const store::QueueEntry& entry) {
    auto state = decode_state(entry.state);
    REQUIRE(state);
    return loop.block_on(keeper->take(entry, *state));
  }
  std::vector<store::QueueEntry> entries() { return *loop.block_on(store.queue(0, 1000)); }
  std::size_t count(store::AccountId account, const std::string& mailbox) {
    auto box = store.mailbox(account, mailbox);
    return box ? box->messages : 0;
  }
};

}  // namespace

TEST_CASE("a post is one body, a copy for each member here and an entry for each outside") {
  World world;
  world.make(kTeam, {"bob@home.test", "far@x.org", "off@x.org", "too@y.org"}, [](List& list) { list.members["off@x.org"].mail = false; });
  auto done = world.take(world.put(world.post()));
  CHECK_FALSE(done.due);
  CHECK(done.failed.empty());
  CHECK(world.store.bodies() == 1);
  CHECK(world.told == 1);
  CHECK(world.count(2, "INBOX") == 1);
  CHECK(world.count(1, "INBOX") == 0);
  std::set<std::string> senders;
  auto entries = world.entries();
  REQUIRE(entries.size() == 2);
  for (const auto& entry : entries) {
    auto state = *decode_state(entry.state);
    CHECK(state.recipients.size() == 1);
    CHECK(state.may_report);
    CHECK(state.post.empty());
    CHECK(world.directory->resolve(state.sender).original == state.recipients[0].address);
    CHECK(entry.destination == state.recipients[0].address.substr(4));
    auto record = *world.loop.block_on(world.store.record(entry));
    CHECK(record.view().starts_with("Delivered-To: team@home.test\r\nList-Id: <team.home.test>\r\n"));
    CHECK(record.view().ends_with("\r\n\r\nbody\r\n"));
  }
}

TEST_CASE("each member has a link of his own where there are links") {
  World world;
  world.make(kTeam, {"bob@home.test", "far@x.org"});
  ListKeeper keeper({world.store, *world.directory, nullptr, {}, "gate.test", world.clock,
                     [](const std::string& list, const std::string& member) { return "https://gate.test/u/" + list + "/" + member; }});
  auto entry = world.put(world.post());
  CHECK(world.loop.block_on(keeper.take(entry, *decode_state(entry.state))).failed.empty());
  auto out = world.entries().at(0);
  CHECK(out.header_prefix == "List-Unsubscribe: <https://gate.test/u/team@home.test/far@x.org>,\r\n <mailto:team-unsubscribe@home.test>\r\n"
                             "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
  auto record = *world.loop.block_on(world.store.record(out));
  CHECK(record.view().find("List-Unsubscribe") == std::string_view::npos);
  auto rows = *world.loop.block_on(world.store.messages(world.store.mailbox(2, "INBOX")->id, 1, 10, 10));
  CHECK(rows.at(0).header_prefix.find("/bob@home.test>") != std::string::npos);
  CHECK(world.store.bodies() == 1);
}

TEST_CASE("copies for members outside are signed and sealed by the list's domain, with what was found of the post") {
  World world;
  world.make(kTeam, {"bob@home.test", "far@x.org"});
  io::WorkerPool workers(1);
  signing::KeyRing ring;
  signing::Signer signer(ring, workers);
  signer.configure(world.config);
  auto key = signing::make_key("home.test", "k", signing::Algorithm::ed25519, from_unix(1));
  REQUIRE(key);
  key->state = signing::State::active;
  REQUIRE(world.loop.block_on(ring.change(world.store, {std::move(*key)}, {})));
  ListKeeper keeper({world.store, *world.directory, &signer, {}, "gate.test", world.clock,
                     [](const std::string& list, const std::string& member) { return "https://gate.test/u/" + list + "/" + member; }});
  auto entry = world.put(world.post());
  entry.header_prefix += "Authentication-Results: gate.test;\r\n\tspf=pass smtp.mailfrom=ann@home.test;\r\n\tarc=none\r\n";
  CHECK(world.loop.block_on(keeper.take(entry, *decode_state(entry.state))).failed.empty());
  auto out = world.entries().at(0);
  CHECK(out.header_prefix.starts_with("ARC-Seal: i=1; a=ed25519-sha256;"));
  CHECK(out.header_prefix.find("cv=none; d=home.test; s=k;") != std::string::npos);
  auto results = out.header_prefix.find("ARC-Authentication-Results: i=1; gate.test;\r\n\tspf=pass smtp.mailfrom=ann@home.test;\r\n\tarc=none\r\n");
  auto signature = out.header_prefix.find("\r\nDKIM-Signature:");
  auto link = out.header_prefix.find("\r\nList-Unsubscribe: ");
  REQUIRE(results != std::string::npos);
  CHECK(results < signature);
  CHECK(signature < link);
  auto rows = *world.loop.block_on(world.store.messages(world.store.mailbox(2, "INBOX")->id, 1, 10, 10));
  CHECK(rows.at(0).header_prefix.find("ARC-") == std::string::npos);
}

TEST_CASE("whom a member blocks he need not read on the list") {
  World world;
  world.make(kTeam, {"bob@home.test"});
  world.loop.block_on(world.store.set_sender(2, "ann@home.test", mail::SenderWord::block));
  world.take(world.put(world.post()));
  CHECK(world.count(2, "INBOX") == 0);
  CHECK(world.count(2, "Quarantine") == 1);
}

TEST_CASE("while the disk takes nothing a post waits, and nothing of it is done") {
  World world;
  world.make(kTeam, {"bob@home.test", "far@x.org"});
  auto entry = world.put(world.post());
  world.store.low_space = true;
  auto done = world.take(entry);
  CHECK(done.due);
  CHECK(world.entries().size() == 1);
  CHECK(world.count(2, "INBOX") == 0);
  world.store.low_space = false;
  CHECK_FALSE(world.take(entry).due);
  CHECK(world.count(2, "INBOX") == 1);
  world.take(entry);   // it is gone: nothing happens a second time
  CHECK(world.count(2, "INBOX") == 1);
}

TEST_CASE("a post to a list that was removed is given up with its reason") {
  World world;
  CHECK(world.take(world.put(world.post())).failed == "the mailing list team@home.test was removed");
  auto entry = world.put(world.post());
  auto state = *decode_state(entry.state);
  state.post = "rubbish";
  CHECK_FALSE(world.loop.block_on(world.keeper->take(entry, state)).failed.empty());
}

TEST_CASE("what a moderator may let through is sent once, whoever does it") {
  World world;
  world.make(kTeam, {"far@x.org"}, [](List& list) { list.moderators = {"bob@home.test", "cid@home.test"}; });
  auto stranger = world.post("you@z.org");
  CHECK(world.take(world.put(stranger)).failed.empty());
  CHECK(world.count(2, "Lists/team/Pending") == 1);
  CHECK(world.count(3, "Lists/team/Pending") == 1);
  CHECK(world.count(2, "INBOX") == 1);   // the notice
  CHECK(world.entries().empty());
  // As the store asks for it when the message is moved.
  auto rows = *world.loop.block_on(world.store.messages(world.store.mailbox(2, "Lists/team/Pending")->id, 1, 100, 10));
  REQUIRE(rows.at(0).held);
  Routes routes(world.config);
  ReleaseToHost release(routes, {});
  for (int time = 0; time < 2; ++time) {
    for (store::AccountId moderator : {2, 3}) {
      auto onward = release.onward(*world.store.account(moderator), rows[0].header_prefix, *rows[0].held);
      REQUIRE(onward);
      CHECK(onward->destination == "list:team@home.test");
      auto approved = *decode_post(decode_state(onward->state)->post);
      CHECK(approved.approved_by == world.store.account(moderator)->address);
      world.take(world.put(approved));
    }
  }
  CHECK(world.entries().size() == 1);
  CHECK(world.count(3, "Lists/team/Pending") == 0);
}

TEST_CASE("who runs the list no more lets nothing through") {
  World world;
  world.make(kTeam, {"far@x.org"});
  auto post = world.post("you@z.org");
  post.approved_by = "cid@home.test";
  world.take(world.put(post));
  CHECK(world.entries().empty());
  CHECK(world.count(1, "Lists/team/Pending") == 1);
}

TEST_CASE("a list that is on another gets its post once, and a circle ends") {
  World world;
  world.make(kTeam, {"bob@home.test"}, [](List& list) { list.post = List::Post::anyone; });
  world.make("outer@home.test", {kTeam});
  auto post = world.post();
  post.list = "outer@home.test";
  world.take(world.put(post));
  auto entries = world.entries();
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].destination == "list:team@home.test");
  CHECK(decode_post(decode_state(entries[0].state)->post)->list == kTeam);
  world.take(entries[0]);
  CHECK(world.count(2, "INBOX") == 1);
  // It was on the inner one before: only a moderator sees that it would reach nobody.
  world.take(world.put(post, "Delivered-To: team@home.test\r\n" + kMessage));
  CHECK(world.entries().empty());
  CHECK(world.count(1, "Lists/outer/Pending") == 1);
}

std::string report(const std::string& action) {
  return "Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nAction: " +
         action + "\r\n\r\n--b--\r\n";
}

TEST_CASE("a member whose mail comes back on several days gets nothing any more") {
  World world;
  world.make(kTeam, {"far@x.org", "bob@home.test"}, [](List& list) { list.bounces = 3; });
  ListPost bounce;
  bounce.role = ListRole::bounces;
  bounce.list = kTeam;
  bounce.member = "far@x.org";
  int number = 0;
  auto come = [&](int days, const std::string& message) {
    world.clock.set(world.clock.now() + std::chrono::hours(24) * days);
    CHECK(world.take(world.put(bounce, message, "ID" + std::to_string(++number))).failed.empty());
    return *world.directory->list(kTeam)->member("far@x.org");
  };
  CHECK(come(0, report("failed")).bounces == 1);
  CHECK(come(0, report("failed")).bounces == 1);
  CHECK(come(1, report("delayed")).bounces == 1);
  CHECK(come(0, kMessage).bounces == 1);
  CHECK(come(1, report("failed")).bounces == 2);
  CHECK(come(40, report("failed")).bounces == 1);   // he was fine for a month
  CHECK(come(1, report("failed")).gets_mail());
  CHECK(world.count(1, "INBOX") == 0);
  CHECK_FALSE(come(1, report("failed")).gets_mail());
  CHECK(world.count(1, "INBOX") == 1);              // the owner hears of it once
  come(1, report("failed"));
  CHECK(world.count(1, "INBOX") == 1);
  CHECK(world.count(1, "Lists/team/Bounces") == 9);
  CHECK(world.directory->list(kTeam)->member("bob@home.test")->bounces == 0);
}

TEST_CASE("the owners hear of who gets nothing any more, though the disk was full when it was decided") {
  World world;
  world.make(kTeam, {"far@x.org"}, [](List& list) { list.bounces = 1; });
  ListPost bounce;
  bounce.role = ListRole::bounces;
  bounce.list = kTeam;
  bounce.member = "far@x.org";
  auto entry = world.put(bounce, report("failed"), "ID1");
  world.store.low_space = true;
  CHECK(world.take(entry).due);
  REQUIRE_FALSE(world.directory->list(kTeam)->member("far@x.org")->gets_mail());
  CHECK(world.count(1, "INBOX") == 0);
  world.store.low_space = false;
  CHECK_FALSE(world.take(entry).due);
  CHECK(world.count(1, "INBOX") == 1);
  CHECK(world.directory->list(kTeam)->member("far@x.org")->bounces == 1);
  world.take(world.put(bounce, report("failed"), "ID2"));
  CHECK(world.count(1, "INBOX") == 1);
}

TEST_CASE("who may write, and who is asked about") {
  World world;
  world.make(kTeam, {"far@x.org", "bob@home.test"});
  auto why = [&](const std::string& author, bool known, List::Post post) {
    auto list = *world.directory->list(kTeam);
    list.post = post;
    auto what = world.post(author);
    what.known = known;
    return needs_approval(*world.directory, list, what);
  };
  using Post = List::Post;
  CHECK(why("far@x.org", true, Post::members).empty());
  CHECK(why("bob+tag@home.test", true, Post::members).empty());
  CHECK(why("far@x.org", false, Post::members) == "nothing shows that far@x.org wrote it: no login, no SPF, no DKIM");
  CHECK(why("you@x.org", true, Post::members) == "you@x.org is no member");
  CHECK(why("ann@home.test", true, Post::moderators).empty());
  CHECK(why("ann@home.test", false, Post::moderators) != "");
  CHECK(why("far@x.org", true, Post::moderators) == "only moderators write to this list");
  CHECK(why("you@x.org", false, Post::anyone).empty());
  CHECK(why("bob@home.test", false, Post::anyone) != "");   // somebody says that he is of ours
  CHECK(why("", true, Post::anyone) == "it names no author, or several");
}

TEST_CASE("an author is known by a login, by DMARC, SPF or DKIM, never by From alone") {
  World world;
  world.make(kTeam, {"far@x.org"});
  Judged message;
  message.received = Octets(std::string("From: Far <Far@x.org>\r\n\r\nbody\r\n"));
  message.sender.address = "bounce@lists.org";
  auto of = [&](const std::string& facts) {
    message.verdict.facts = facts;
    return list_post_of(message, world.directory->resolve(kTeam));
  };
  CHECK(of("").author == "far@x.org");
  CHECK_FALSE(of("").known);
  CHECK(of("").strict);   // nobody has asked his domain
  CHECK_FALSE(of(R"({"dmarc":{"result":"none","published":"none"}})").strict);
  auto passed = of(R"({"dmarc":{"result":"pass","published":"reject","dkim_aligned":true},"dkim":[{"domain":"x.org","selector":"a","result":"pass"},)"
                   R"({"domain":"x.org","selector":"b","result":"fail"},{"domain":"other.org","selector":"c","result":"pass"}]})");
  CHECK(passed.known);
  CHECK(passed.strict);
  CHECK(passed.seals == std::vector<mail::Seal>{{"x.org", "a"}});
  CHECK(of(R"({"dmarc":{"result":"pass","published":"reject","dkim_aligned":false},"dkim":[{"domain":"x.org","selector":"a","result":"pass"}]})").seals.empty());
  CHECK(of(R"({"dmarc":{"result":"none"},"dkim":[{"domain":"x.org","selector":"a","result":"pass"}]})").known);
  CHECK_FALSE(of(R"({"dmarc":{"result":"fail","published":"none"},"dkim":[{"domain":"mail.x.org","selector":"a","result":"pass"}]})").known);
  message.verdict.sender_proved = true;
  CHECK_FALSE(of("{}").known);
  message.sender.address = "far@x.org";
  CHECK(of("{}").known);
  message.received = Octets(std::string("From: far@x.org\r\nFrom: bob@home.test\r\n\r\nbody\r\n"));
  CHECK_FALSE(of("{}").known);
  message.received = Octets(std::string("From: far@x.org, bob@home.test\r\n\r\nbody\r\n"));
  CHECK_FALSE(of("{}").known);
}

TEST_CASE("what was on the list, and what a machine wrote, is no message of it") {
  auto unfit = [](const std::string& fields, ListRole role = ListRole::post) { return unfit_for_list(fields + kMessage, kTeam, role); };
  CHECK(unfit("").empty());
  CHECK(unfit("Auto-Submitted: no\r\nList-Id: <other.home.test>\r\nDelivered-To: ann@home.test\r\n").empty());
  for (const char* field : {"Delivered-To: TEAM@home.test\r\n", "List-Id: X\r\n <Team.home.test>\r\n"}) {
    CHECK(unfit(field).starts_with("a loop"));
    CHECK(unfit(field, ListRole::unsubscribe).empty());
  }
  for (const char* field : {"Auto-Submitted: auto-replied\r\n", "Auto-Submitted: no\r\nauto-submitted: auto-generated\r\n", "Content-Type: multipart/report\r\n"}) {
    CHECK_FALSE(unfit(field).empty());
    CHECK_FALSE(unfit(field, ListRole::subscribe).empty());
    CHECK(unfit(field, ListRole::bounces).empty());
  }
}

TEST_CASE("a post and what waits read back, and what is damaged does not") {
  ListPost post;
  post.role = ListRole::subscribe;
  post.list = kTeam;
  post.member = "a@x.org";
  post.author = "b@x.org";
  post.known = post.strict = true;
  post.seals = {{"x.org", "one"}};
  auto text = encode(post);
  auto again = decode_post(text);
  REQUIRE(again);
  CHECK(encode(*again) == text);
  CHECK(again->member == "a@x.org");
  CHECK((again->known && again->strict && !again->ours));
  for (std::size_t cut = 0; cut < text.size(); ++cut) CHECK_FALSE(decode_post(std::string_view(text).substr(0, cut)));
  CHECK_FALSE(approved("", "ann@home.test"));
  CHECK_FALSE(approved(encode(Waiting{"X: y\r\n", "rubbish"}), "ann@home.test"));
}
