// The digest: what it lists, when it comes, and that no crash repeats or loses one.
#include "gateway/delivery/digest.h"

#include <cstdlib>
#include <ctime>

#include "gateway/base/text.h"
#include "gateway/delivery/deliverer.h"
#include "gateway/delivery/link_release.h"
#include "gateway/delivery/originals.h"
#include "gateway/delivery/schedule.h"
#include "gateway/directory/directory.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/mime.h"
#include "gateway/mail/text.h"
#include "tests/unit/store/fixture.h"

using namespace postern;
using namespace postern::delivery;
using namespace std::chrono_literals;
using store::SpecialUse;

namespace {

// Noon of a day in UTC.
const Time kNoon = from_unix(1'795'478'400 + 12 * 3600);

struct World : store::test::Fixture {
  config::Config config;
  FixedClock clock{kNoon};
  directory::LinkKeys keys{clock};
  std::unique_ptr<directory::Directory> directory;
  std::unique_ptr<Deliverer> deliverer;
  std::unique_ptr<Digests> digests;
  std::vector<Queued> queued;
  int made = 0;

  explicit World(const std::string& sections = "") {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    auto loaded = config::parse("hostname = \"mx.example.test\"\npublic_url = \"https://mx.example.test:8443\"\n[domains.\"example.test\"]\n"
                                "[domains.\"behind.example\"]\ndeliver = \"smtp://127.0.0.1:2525\"\nlanguage = \"vi\"\n"
                                "[listen]\nlinks = [\"127.0.0.1:8443\"]\n[digest]\nat = [\"07:30\", \"13:00\"]\n" + sections, "p.toml");
    for (const auto& line : loaded.mistakes) UNSCOPED_INFO(line);
    REQUIRE(loaded.ok());
    config = loaded.config;
    begin();
  }
  void begin() {
    REQUIRE(run(keys.prepare(*store)));
    directory = std::make_unique<directory::Directory>(config, *store);
    REQUIRE(run(directory->prepare()));
    deliverer = std::make_unique<Deliverer>(*store, *directory, config.hostname, 0, [this](std::vector<Queued> all) { queued.insert(queued.end(), all.begin(), all.end()); });
    digests = std::make_unique<Digests>(Digests::Parts{*store, *directory, deliverer.get(), keys, config, clock});
  }
  // As after kill -9.
  void restart() {
    digests.reset();
    deliverer.reset();
    directory.reset();
    reopen();
    begin();
  }
  store::Placed hold(const std::string& subject, const std::string& message_class = "spam", store::AccountId whose = 0) {
    auto text = "From: Eve <eve@evil.example>\r\nSubject: " + subject + "\r\n\r\nbody " + std::to_string(++made) + "\r\n";
    store::Target target;
    target.account = whose != 0 ? whose : account;
    target.use = SpecialUse::quarantine;
    target.held.emplace();
    target.held->message_class = message_class;
    target.held->reason = "looks like it";
    target.held->score = 7.25;
    target.held->sender = "bounce@evil.example";
    auto item = store::test::item_of(text, {target});
    item.id = "ID" + std::to_string(made);
    item.envelope = mail::envelope_of(text);
    return deliver(std::move(item)).placed[0][0];
  }
  std::size_t due() {
    auto sent = run(digests->send_due());
    if (!sent) FAIL(sent.error().text);
    return *sent;
  }
  void at(int hours, int minutes, int days = 0) { clock.set(kNoon - 12h + 24h * days + 1h * hours + 1min * minutes); }
  Digests::Prepared prepared(store::AccountId whose = 0) {
    auto out = run(digests->prepare(*store->account(whose != 0 ? whose : account)));
    REQUIRE(out);
    return *out;
  }
  // The text of the newest digest in INBOX.
  std::string newest() {
    auto inbox = box("INBOX").id;
    auto all = uids(inbox);
    REQUIRE_FALSE(all.empty());
    auto message = text(inbox, all.back());
    return mail::readable_text(message, mail::parse(message));
  }
  std::uint64_t inbox() { return box("INBOX").messages; }
};

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("at its times a user hears once of what is new, and of nothing when nothing is") {
  World w;
  w.hold("before anybody was told");
  CHECK(w.due() == 0);   // the first one comes at the next time
  w.at(13, 0);
  CHECK(w.due() == 1);
  CHECK(w.inbox() == 1);
  CHECK(has(w.newest(), "before anybody was told"));
  w.hold("after lunch");
  w.at(18, 0);
  CHECK(w.due() == 0);
  w.at(7, 29, 1);
  CHECK(w.due() == 0);
  w.at(7, 30, 1);
  CHECK(w.due() == 1);
  CHECK(has(w.newest(), "after lunch"));
  CHECK_FALSE(has(w.newest(), "before anybody"));
  w.at(13, 0, 1);
  CHECK(w.due() == 0);
  CHECK(w.inbox() == 2);
}

TEST_CASE("what came due while the program did not run is sent once, and a crash repeats nothing") {
  World w;
  CHECK(w.due() == 0);
  w.hold("one");
  w.at(14, 0, 3);
  w.restart();
  CHECK(w.due() == 1);
  w.restart();
  CHECK(w.due() == 0);
  CHECK(w.inbox() == 1);
  // Killed between the mail and the end of the round.
  w.hold("two");
  w.at(7, 30, 4);
  CHECK(w.due() == 1);
  REQUIRE(w.run(w.store->write({{"digest:done", std::to_string(to_unix(kNoon + 73h))}})).ok());
  w.restart();
  w.hold("three");
  CHECK(w.due() == 0);
  CHECK(w.inbox() == 2);
  w.at(13, 0, 4);
  CHECK(w.due() == 1);
  CHECK(has(w.newest(), "three"));
}

TEST_CASE("each line has what it takes to decide, a link and an address, and both release it") {
  World w;
  auto place = w.hold("cheap watches");
  auto mail = w.prepared().mail;
  REQUIRE(mail.lines.size() == 1);
  auto text = digest_text(mail);
  for (auto part : {"a@example.test", "cheap watches", "Eve <eve@evil.example>", "bounce@evil.example", "7.2 (spam)", "looks like it", "https://mx.example.test:8443/release/",
                    "release-", "@example.test\r\n"}) {
    INFO(part);
    CHECK(has(text, part));
  }
  auto local = release_local_part(mail.lines[0].token);
  REQUIRE_FALSE(local.empty());
  CHECK(local.size() <= 64);
  LinkReleases releases(*w.store, w.keys, w.clock);
  auto upper = ascii_uppered(local);   // some mailers do that
  auto token = token_in_local_part(upper);
  REQUIRE(token);
  auto read = releases.read(*token);
  REQUIRE(read.ok());
  CHECK(read.what.uid == place.uid);
  CHECK(w.run(releases.release(read.what, "mail", "192.0.2.1")).kind == LinkReleases::Done::Kind::released);
  CHECK(w.inbox() == 1);
  CHECK(w.run(releases.release(read.what, "mail", "192.0.2.1")).kind == LinkReleases::Done::Kind::gone);
  CHECK(w.inbox() == 1);
}

TEST_CASE("a token of a message that is not there any more is not one of another that got its number") {
  World w;
  w.hold("the first");
  auto tokens = w.keys.current();
  auto row = w.row(w.box("Quarantine").id, 1);
  row.id = "another";   // as in a store that was restored and went on
  auto token = release_token(*tokens, w.account, row, w.clock.now() + 1h);
  LinkReleases releases(*w.store, w.keys, w.clock);
  auto read = releases.read(token);
  REQUIRE(read.ok());
  CHECK(w.run(releases.release(read.what, "link", "192.0.2.1")).kind == LinkReleases::Done::Kind::gone);
  CHECK(w.inbox() == 0);
}

TEST_CASE("of class virus, of classes that are not wanted and of what is released already nobody is told") {
  World w("classes = [\"spam\"]\n");
  w.hold("a virus", "virus");
  w.hold("a policy", "policy");
  auto place = w.hold("copied out");
  REQUIRE(w.run(w.store->copy(place.mailbox, {place.uid}, w.box("INBOX").id)).ok());
  w.put("Quarantine", "put there by himself");
  CHECK(w.prepared().mail.lines.empty());
  w.hold("spam");
  CHECK(w.prepared().mail.lines.size() == 1);
  auto virus = w.run(w.store->messages(w.box("Quarantine").id, 1, 1, 1));
  REQUIRE(virus);
  CHECK_FALSE(may_offer(virus->front()));
}

TEST_CASE("the mail is one of our own: text and HTML that say the same, and no answering machine answers") {
  World w;
  w.hold("<img src=x> & =?utf-8?B?xJHhurdj?= http://evil.example/ www.evil.example");
  w.hold("");
  auto mail = w.prepared().mail;
  auto message = digest_message(mail);
  auto table = mail::parse(message);
  REQUIRE(table.parts.size() == 3);
  CHECK(table.parts[0].type.subtype == "alternative");
  CHECK(mail::part_text(message, table.parts[1]) == digest_text(mail));
  auto html = mail::part_text(message, table.parts[2]);
  CHECK(has(html, "&lt;img src=x&gt; &amp; \xc4\x91\xe1\xba\xb7" "c http:_//evil.example/ www_.evil.example"));
  CHECK_FALSE(has(html, "<img"));
  CHECK(has(html, "(no subject)"));
  for (const auto& line : mail.lines) {
    CHECK(has(html, "href=\"https://mx.example.test:8443/release/" + line.token + "\""));
    CHECK(has(html, "href=\"mailto:release-" + line.token + "@example.test\""));
  }
  CHECK(has(message, "Auto-Submitted: auto-generated\r\n"));
  CHECK(has(message, "From: Mail gateway <postmaster@mx.example.test>\r\n"));
  CHECK(has(message, "Subject: 2 new messages in your quarantine\r\n"));
  for (auto line : split(message, '\n')) CHECK(line.size() < 1000);
}

TEST_CASE("what a stranger wrote is cut, and has no controls and nothing that turns its direction") {
  CHECK(tamed("a\r\nb\tc\x7f") == "a  b c");
  CHECK(tamed("invoice\xe2\x80\xae" "gpj.exe\xe2\x81\xa6") == "invoicegpj.exe");
  auto cut = tamed(std::string(159, 'a') + "\xc4\x91\xc4\x91");
  CHECK(cut == std::string(159, 'a') + "...");
  CHECK(is_utf8(cut));
  CHECK(tamed("HTTPS://x") == "HTTPS:_//x");
}

TEST_CASE("without links there are addresses alone") {
  World w;
  w.config.public_url.clear();
  w.hold("one");
  auto text = digest_text(w.prepared().mail);
  CHECK_FALSE(has(text, "https://"));
  CHECK(has(text, "Release: release-"));
}

TEST_CASE("who has very many new ones is shown the newest, and told how many there are") {
  World w;
  for (int i = 0; i < 130; ++i) w.hold("number " + std::to_string(i));
  auto prepared = w.prepared();
  CHECK(prepared.mail.lines.size() == 100);
  CHECK(prepared.mail.more == 30);
  CHECK(prepared.mail.lines.back().subject == "number 129");
  CHECK(has(digest_text(prepared.mail), "30 more are new"));
  CHECK(w.run(w.digests->send_now(*w.store->account(w.account))).value() == 130);
  CHECK(w.prepared().mail.lines.empty());
}

TEST_CASE("who reads his mail on a server behind us gets it there, in his language, with addresses at our own name") {
  World w;
  auto made = w.run(quarantine_account(*w.store, "vy@behind.example"));
  w.due();
  w.hold("xin chào", "policy", made);
  w.at(13, 0);
  CHECK(w.due() == 1);
  REQUIRE(w.queued.size() == 1);
  CHECK(w.queued[0].destination == "behind.example");
  CHECK(w.queued[0].id != 0);
  w.hold("hai", "policy", made);
  auto text = digest_text(w.prepared(made).mail);
  CHECK(has(text, "Cho qua: https://"));
  CHECK(has(text, "@mx.example.test\r\n"));
  CHECK(has(digest_message(w.prepared(made).mail), "Subject: =?utf-8?B?"));
}

TEST_CASE("out of turn is out of turn: the next time of day brings what is new then") {
  World w;
  w.due();
  w.hold("one");
  auto account = *w.store->account(w.account);
  CHECK(w.run(w.digests->send_now(account)).value() == 1);
  CHECK(w.run(w.digests->send_now(account)).value() == 0);
  w.hold("two");
  w.at(13, 0);
  CHECK(w.due() == 1);
  CHECK(w.inbox() == 2);
}

TEST_CASE("a clock that was wrong for a while does not stop the digest for longer") {
  World w;
  w.clock.set(kNoon + 24h * 400);
  w.due();
  w.at(12, 0);
  w.due();
  w.hold("one");
  w.at(13, 0);
  CHECK(w.due() == 1);
}

TEST_CASE("who is in none of our domains any more hears nothing: his mail would go to whoever has the domain now") {
  World w;
  w.due();
  w.hold("one");
  w.config.domains.erase(w.config.domains.begin());
  w.directory->configure(w.config);
  w.at(13, 0);
  CHECK(w.due() == 0);
  CHECK(w.queued.empty());
}

TEST_CASE("a full disk puts the digest off and loses nothing of it") {
  World w;
  w.due();
  w.hold("one");
  w.options.low_space_octets = 1ULL << 62;
  w.restart();
  w.at(13, 0);
  for (int i = 0; i < 2; ++i) CHECK_FALSE(w.run(w.digests->send_due()));
  CHECK(w.inbox() == 0);
  w.options.low_space_octets = 0;
  w.restart();
  w.at(16, 0);
  CHECK(w.due() == 1);
  CHECK(w.due() == 0);
  CHECK(has(w.newest(), "one"));
}

TEST_CASE("what is of no class that he is told of is read once") {
  World w("classes = [\"spam\"]\n");
  w.due();
  w.hold("a policy", "policy");
  auto place = w.hold("another", "policy");
  w.at(13, 0);
  CHECK(w.due() == 0);
  CHECK(w.prepared().seen == place.uid);
  w.config.digest.classes.push_back("policy");   // from now on
  CHECK(w.prepared().mail.lines.empty());
  w.hold("a third", "policy");
  w.at(7, 30, 1);
  CHECK(w.due() == 1);
  CHECK(has(w.newest(), "a third"));
}

TEST_CASE("no time of day, no digest") {
  World w;
  w.due();
  w.config.digest.at.clear();
  w.hold("one");
  w.at(13, 0);
  CHECK(w.due() == 0);
  CHECK(w.inbox() == 0);
}

TEST_CASE("times of day are those of the wall clock, also when it is put forward and back") {
  ::setenv("TZ", "Europe/Berlin", 1);
  ::tzset();
  auto utc = [](int month, int day, int hours, int minutes) {
    std::tm then{};
    then.tm_year = 126;
    then.tm_mon = month - 1;
    then.tm_mday = day;
    then.tm_hour = hours;
    then.tm_min = minutes;
    return from_unix(::timegm(&then));
  };
  CHECK(last_due({450}, utc(1, 15, 6, 30)) == utc(1, 15, 6, 30));
  CHECK(last_due({450}, utc(1, 15, 6, 29)) == utc(1, 14, 6, 30));
  CHECK(last_due({450}, utc(7, 15, 6, 0)) == utc(7, 15, 5, 30));
  CHECK(last_due({450, 780}, utc(7, 15, 12, 0)) == utc(7, 15, 11, 0));
  CHECK(last_due({0}, utc(1, 1, 0, 0)) == utc(1, 31 - 31, 23, 0));
  CHECK_FALSE(last_due({}, utc(1, 1, 0, 0)));
  // 29 March 2026: 02:30 does not exist; it is due by 03:30 at the latest, and once.
  auto gap = last_due({150}, utc(3, 29, 2, 0));
  REQUIRE(gap);
  CHECK(*gap >= utc(3, 29, 0, 30));
  CHECK(*gap <= utc(3, 29, 1, 30));
  CHECK(last_due({150}, utc(3, 29, 20, 0)) == gap);
  ::setenv("TZ", "UTC", 1);
  ::tzset();
}
