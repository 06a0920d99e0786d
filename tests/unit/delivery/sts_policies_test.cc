// What is asked, what is kept, and what counts when DNS or the web server say otherwise: RFC 8461 3.3 and 5.1.
#include "gateway/delivery/sts_policies.h"

#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/together.h"
#include "tests/support/catch.h"
#include "tests/support/memory_store.h"

using namespace postern;
using namespace postern::delivery;
using namespace std::chrono_literals;
using Trouble = StsPolicies::Found::Trouble;
using Mode = smtp_client::StsPolicy::Mode;

namespace {

struct Web {
  io::HttpsAnswer answer;
  std::vector<io::HttpsRequest> asked;
  io::Signal* holds = nullptr;   // until it is notified

  void says(const std::string& mode, const std::string& max_age = "604800", const std::string& mx = "mx.far.test") {
    answer.kind = io::HttpsAnswer::Kind::answered;
    answer.status = 200;
    answer.content_type = "text/plain; charset=utf-8";
    answer.body = "version: STSv1\nmode: " + mode + "\nmx: " + mx + "\nmax_age: " + max_age + "\n";
  }
  io::Task<io::HttpsAnswer> get(io::HttpsRequest request, Deadline) {
    asked.push_back(std::move(request));
    if (holds != nullptr) co_await holds->wait(in(10s));
    co_return answer;
  }
};

struct World {
  io::Loop loop;
  postern::test::MemoryStore store;
  std::unique_ptr<dns::FixedResolver> resolver = std::make_unique<dns::FixedResolver>();
  Web web;
  FixedClock clock{from_unix(1'795'492'742)};
  std::unique_ptr<StsPolicies> policies;

  World() {
    dns("v=STSv1; id=1;");
    begin();
  }
  ~World() { loop.end_tasks(); }
  void begin() {
    auto get = [this](io::HttpsRequest request, Deadline deadline) { return web.get(std::move(request), deadline); };
    policies = std::make_unique<StsPolicies>(StsPolicies::Parts{loop, *this->resolver, store, "/ca.pem", get, &clock});
  }
  void dns(const std::string& record) {
    resolver->zone() = dns::Zone();
    REQUIRE(resolver->zone().add_text("mta-sts.far.test A 192.0.2.8\nmta-sts.far.test AAAA 2001:db8::8"));
    if (!record.empty()) REQUIRE(resolver->zone().add_line("_mta-sts.far.test TXT " + record));
  }
  StsPolicies::Found find() { return loop.block_on(policies->find("far.test")); }
};

}  // namespace

TEST_CASE("a policy is fetched once, from the host that RFC 8461 names, and kept") {
  World w;
  w.web.says("enforce");
  auto found = w.find();
  REQUIRE(found.policy);
  CHECK(found.policy->mode == Mode::enforce);
  REQUIRE(w.web.asked.size() == 1);
  const auto& request = w.web.asked[0];
  CHECK(request.host == "mta-sts.far.test");
  CHECK(request.path == "/.well-known/mta-sts.txt");
  CHECK(request.trust == "/ca.pem");
  CHECK(request.addresses.size() == 2);
  w.find();
  w.begin();   // a restart
  CHECK(w.find().policy == found.policy);
  CHECK(w.web.asked.size() == 1);
}

TEST_CASE("without a record nobody asks the web server") {
  World w;
  w.web.says("enforce");
  for (const char* record : {"", "v=spf1 -all", "SERVFAIL"}) {
    w.dns(record);
    auto found = w.find();
    CHECK_FALSE(found.policy);
    CHECK(found.trouble == Trouble::none);
  }
  CHECK(w.web.asked.empty());
}

TEST_CASE("a kept policy counts while the record is gone, until its time is over") {
  World w;
  w.web.says("enforce", "3600");
  w.find();
  for (const char* record : {"", "SERVFAIL", "v=STSv1; id=;"}) {
    w.dns(record);
    CHECK(w.find().policy);
  }
  w.clock.set(w.clock.now() + 3601s);
  CHECK_FALSE(w.find().policy);
}

TEST_CASE("a new id brings the new policy, and the old one counts while that cannot be had") {
  World w;
  w.web.says("enforce");
  w.find();
  w.dns("v=STSv1; id=2;");
  auto good = w.web.answer;
  w.web.answer = {};
  w.web.answer.problem = "Connection refused";
  auto found = w.find();
  CHECK(found.policy);
  CHECK(found.trouble == Trouble::fetch);
  CHECK(found.words == "https://mta-sts.far.test/.well-known/mta-sts.txt: Connection refused");
  CHECK(w.web.asked.size() == 2);
  w.find();
  CHECK(w.web.asked.size() == 2);   // RFC 8461 3.3: not again within five minutes
  w.begin();
  w.web.says("none");
  CHECK(w.find().policy->mode == Mode::none);
  CHECK(w.find().trouble == Trouble::none);
}

TEST_CASE("a policy that is a day old is fetched anew, and nobody waits for it") {
  World w;
  w.web.says("testing");
  w.find();
  w.clock.set(w.clock.now() + 25h);
  w.web.says("enforce");
  CHECK(w.find().policy->mode == Mode::testing);
  for (int i = 0; i < 100 && w.find().policy->mode != Mode::enforce; ++i) {
  }
  CHECK(w.find().policy->mode == Mode::enforce);
  CHECK(w.web.asked.size() == 2);
}

TEST_CASE("those who ask while it is fetched wait for the same answer") {
  World w;
  w.web.says("enforce");
  io::Signal go;
  w.web.holds = &go;
  std::vector<io::Task<StsPolicies::Found>> both;
  both.push_back(w.policies->find("far.test"));
  both.push_back(w.policies->find("far.test"));
  auto release = [&w, &go] { w.loop.post([&w, &go] { w.loop.post([&go] { go.notify(); }); }); };
  w.loop.post([release, &w] { w.loop.post(release); });
  auto found = w.loop.block_on(io::together(std::move(both)));
  CHECK(found[0].policy);
  CHECK(found[1].policy);
  CHECK(w.web.asked.size() == 1);
}

TEST_CASE("what is no policy is told in words, with RFC 8460's kind of trouble") {
  io::HttpsAnswer answer;
  answer.kind = io::HttpsAnswer::Kind::not_trusted;
  CHECK(read_sts_answer("far.test", answer).trouble == Trouble::not_trusted);
  answer.kind = io::HttpsAnswer::Kind::too_large;
  CHECK(read_sts_answer("far.test", answer).trouble == Trouble::invalid);
  answer.kind = io::HttpsAnswer::Kind::answered;
  answer.status = 301;
  CHECK(read_sts_answer("far.test", answer).trouble == Trouble::fetch);
  CHECK(read_sts_answer("far.test", answer).words.find("the answer is 301, and only 200 counts") != std::string::npos);
  answer.status = 200;
  answer.content_type = "text/html";
  answer.body = "version: STSv1\nmode: none\nmax_age: 1\n";
  CHECK(read_sts_answer("far.test", answer).trouble == Trouble::invalid);
  answer.content_type = "Text/Plain";
  CHECK(read_sts_answer("far.test", answer).policy);
  answer.body = "hello";
  CHECK(read_sts_answer("far.test", answer).trouble == Trouble::invalid);
}
