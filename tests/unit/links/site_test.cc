// The pages behind links: GET shows, POST acts, and nothing else is there.
#include "gateway/links/site.h"

#include "gateway/base/text.h"
#include "gateway/delivery/link_release.h"
#include "gateway/directory/invitation.h"
#include "gateway/directory/passwords.h"
#include "gateway/links/password_page.h"
#include "gateway/links/release_page.h"
#include "gateway/links/unsubscribe_page.h"
#include "gateway/mail/envelope.h"
#include "tests/unit/store/fixture.h"

using namespace postern;
using namespace std::chrono_literals;
using directory::LinkPurpose;
using store::SpecialUse;

namespace {

const IpAddress kClient = *IpAddress::parse("192.0.2.7");

struct World : store::test::Fixture {
  config::Config config = config::parse("hostname = \"mx.example.test\"\n[domains.\"example.test\"]\n", "p.toml").config;
  FixedClock clock{from_unix(1'795'492'742)};
  directory::LinkKeys keys{clock};
  std::unique_ptr<delivery::LinkReleases> releases;
  std::unique_ptr<links::Site> site;
  int wrong = 0;
  std::vector<directory::Membership> left;
  bool list_fails = false;

  World() {
    REQUIRE(run(keys.prepare(*store)));
    releases = std::make_unique<delivery::LinkReleases>(*store, keys, clock);
    site = std::make_unique<links::Site>(links::Site::Parts{keys, config, [this](const IpAddress&) { return ++wrong <= 3; }, clock});
    site->add(std::make_unique<links::ReleasePage>(*releases, config));
    site->add(std::make_unique<links::PasswordPage>(*store, workers, config));
    site->add(std::make_unique<links::UnsubscribePage>([this](directory::Membership who, IpAddress) { return leave(std::move(who)); }, config));
  }
  io::Task<Status> leave(directory::Membership who) {
    if (list_fails) co_return Error("the disk is full");
    left.push_back(std::move(who));
    co_return Status();
  }
  const directory::LinkTokens& tokens() { return *keys.current(); }
  store::MailboxId quarantine() { return box("Quarantine").id; }
  std::uint64_t in_inbox() { return box("INBOX").messages; }
  // The path of a link that releases a message held now.
  std::string held(const std::string& message_class = "spam", bool notice = false) {
    const std::string text = "From: <b>Eve</b> <eve@evil.example>\r\nSubject: win & http://evil.example\r\n\r\nbody\r\n";
    store::Target target = to("Quarantine");
    target.held.emplace();
    target.held->message_class = message_class;
    target.held->reason = "GTUBE <script>";
    target.held->score = 12.5;
    target.held->sender = "bounce@evil.example";
    target.held->notice = notice;
    auto item = store::test::item_of(text, {target});
    item.envelope = mail::envelope_of(text);
    auto placed = deliver(std::move(item)).placed[0][0];
    return "/release/" + delivery::release_token(tokens(), account, row(placed.mailbox, placed.uid), clock.now() + 24h);
  }
  http::Answer ask(std::string method, std::string path, std::string body = "", std::string language = "") {
    http::Request request;
    request.method = std::move(method);
    request.path = std::move(path);
    request.body = std::move(body);
    request.fields.emplace_back("content-type", "application/x-www-form-urlencoded");
    if (!language.empty()) request.fields.emplace_back("accept-language", language);
    return run(site->answer(std::move(request), kClient));
  }
  http::Answer get(std::string path) { return ask("GET", std::move(path)); }
  http::Answer post(std::string path, std::string body = "do=yes") { return ask("POST", std::move(path), std::move(body)); }
};

bool has(const http::Answer& answer, std::string_view text) { return answer.body.find(text) != std::string::npos; }

std::string field(const http::Answer& answer, std::string_view name) {
  for (const auto& [known, value] : answer.fields) {
    if (known == name) return value;
  }
  return "";
}

}  // namespace

TEST_CASE("looking at a link changes nothing, and pressing its button releases once") {
  World w;
  auto path = w.held();
  for (int i = 0; i < 3; ++i) {
    auto page = w.get(path);
    CHECK(page.status == 200);
    CHECK(has(page, "Release this message"));
    CHECK(has(page, "a@example.test"));
    CHECK(has(page, "12.5 (spam)"));
    CHECK(w.ask("HEAD", path).status == 200);
  }
  CHECK(w.in_inbox() == 0);
  auto done = w.post(path);
  CHECK(done.status == 200);
  CHECK(has(done, "<h1>Released</h1>"));
  CHECK(w.in_inbox() == 1);
  for (const auto& again : {w.post(path), w.get(path)}) {
    CHECK(again.status == 200);
    CHECK(has(again, "Nothing to release"));
  }
  CHECK(w.in_inbox() == 1);
  CHECK(w.store->mailbox(w.quarantine())->messages == 0);
}

TEST_CASE("what a stranger wrote is neither markup nor a link in the page") {
  World w;
  auto page = w.get(w.held());
  CHECK(has(page, "&lt;b&gt;Eve&lt;/b&gt;"));
  CHECK(has(page, "win &amp; http:_//evil.example"));
  CHECK(has(page, "GTUBE &lt;script&gt;"));
  CHECK_FALSE(has(page, "<script"));
  CHECK_FALSE(has(page, "<b>Eve"));
}

TEST_CASE("every answer forbids keeping it, framing it and telling where it came from") {
  World w;
  auto path = w.held();
  for (const auto& answer : {w.get(path), w.get("/"), w.get("/release/wrong"), w.ask("PUT", path), w.site->dressed(http::refusal(431))}) {
    CHECK(field(answer, "Cache-Control") == "no-store");
    CHECK(field(answer, "Referrer-Policy") == "no-referrer");
    auto policy = field(answer, "Content-Security-Policy");
    CHECK(policy.find("default-src 'none'") != std::string::npos);
    CHECK(policy.find("frame-ancestors 'none'") != std::string::npos);
    CHECK(field(answer, "X-Content-Type-Options") == "nosniff");
  }
}

TEST_CASE("other paths and methods find nothing") {
  World w;
  auto path = w.held();
  for (auto each : {"/", "/release", "/metrics", "/healthz", "/release2/x", "//", "/password", "/../release/x"}) {
    INFO(each);
    CHECK(w.get(each).status == 404);
  }
  CHECK(w.wrong == 0);   // nobody guessed
  for (auto method : {"PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get"}) {
    auto answer = w.ask(method, path);
    CHECK(answer.status == 405);
    CHECK(field(answer, "Allow") == "GET, HEAD, POST");
  }
  CHECK(w.in_inbox() == 0);
}

TEST_CASE("a wrong token is told apart from one that is too old, and who shows too many hears 429") {
  World w;
  auto path = w.held();
  auto changed = path;
  changed.back() = changed.back() == 'a' ? 'b' : 'a';
  CHECK(w.get(changed).status == 404);
  CHECK(w.post(changed).status == 404);
  w.clock.set(w.clock.now() + 25h);
  CHECK(w.get(path).status == 410);
  CHECK(w.post(path).status == 429);   // the fourth
  CHECK(w.in_inbox() == 0);
  CHECK(w.get(w.held()).status == 200);   // a good one is good for him as well
}

TEST_CASE("a token of one page is wrong at another") {
  World w;
  auto release = w.held();
  CHECK(w.get("/password/" + release.substr(9)).status == 404);
  CHECK(w.get("/unsubscribe/" + release.substr(9)).status == 404);
}

TEST_CASE("class virus, its notice and what is gone are never released by a link") {
  World w;
  for (const auto& path : {w.held("virus"), w.held("virus", true), w.held("spam", true)}) {
    CHECK(has(w.get(path), "Nothing to release"));
    CHECK(has(w.post(path), "Nothing to release"));
  }
  CHECK(w.in_inbox() == 0);
  CHECK(w.store->mailbox(w.quarantine())->messages == 3);
}

TEST_CASE("a post that is no answer to the page's question only shows it") {
  World w;
  auto path = w.held();
  for (auto body : {"", "do=no", "yes=do", "List-Unsubscribe=One-Click"}) {
    CHECK(has(w.post(path, body), "Release this message"));
  }
  CHECK(w.post(path, "do=%zz").status == 415);
  CHECK(w.in_inbox() == 0);
}

TEST_CASE("a page speaks the language of its user's domain, and of who has none the browser's") {
  World w;
  auto path = w.held();
  w.config.domains[0].language = config::Language::vietnamese;
  CHECK(has(w.get(path), "Cho thư này qua"));
  CHECK(has(w.get(path), "lang=\"vi\""));
  CHECK(has(w.ask("GET", "/release/x", "", "vi, en"), "không hợp lệ"));
}

TEST_CASE("who was invited sets his password once") {
  World w;
  auto path = "/password/" + directory::invitation_token(w.tokens(), *w.store->account(w.account), w.clock.now() + 24h);
  auto page = w.get(path);
  CHECK(page.status == 200);
  CHECK(has(page, "name=\"again\""));
  CHECK(w.ask("HEAD", path).status == 200);
  for (auto [body, complaint] : {std::pair("password=longenough&again=different1", "differ"), std::pair("password=short&again=short", "too short"),
                                 std::pair("", "too short"), std::pair("password=%01%01%01%01%01%01%01%01&again=%01%01%01%01%01%01%01%01", "cannot have")}) {
    auto answer = w.post(path, body);
    CHECK(answer.status == 422);
    CHECK(has(answer, complaint));
  }
  CHECK(w.store->account(w.account)->password_row.empty());
  auto done = w.post(path, "password=correct+horse&again=correct+horse");
  CHECK(done.status == 200);
  CHECK(has(done, "Your password is set"));
  CHECK(directory::verify_password(w.store->account(w.account)->password_row, "correct horse"));
  for (const auto& again : {w.get(path), w.post(path, "password=another+one&again=another+one")}) {
    CHECK(again.status == 410);
    CHECK(has(again, "This link was used"));
  }
  CHECK(directory::verify_password(w.store->account(w.account)->password_row, "correct horse"));
}

TEST_CASE("a member leaves a list by a button, or by his mail client's at once, and looking does not do it") {
  World w;
  auto path = "/unsubscribe/" + *directory::unsubscribe_token(w.tokens(), {"list@example.test", "m@example.org"}, w.clock.now() + 24h);
  CHECK(has(w.get(path), "m@example.org"));
  CHECK(w.left.empty());
  CHECK(has(w.post(path, "something=else"), "Unsubscribe"));
  CHECK(w.left.empty());
  CHECK(has(w.post(path, "List-Unsubscribe=One-Click"), "You are unsubscribed"));
  CHECK(has(w.post(path), "You are unsubscribed"));
  REQUIRE(w.left.size() == 2);
  CHECK(w.left[0].list == "list@example.test");
  CHECK(w.left[0].member == "m@example.org");
  w.list_fails = true;
  CHECK(w.post(path).status == 503);
}
