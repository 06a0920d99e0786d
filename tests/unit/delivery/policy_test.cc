// Who decides over TLS with a host, and what is said where it does not come about.
#include "gateway/delivery/policy.h"

#include "gateway/delivery/connector.h"
#include "gateway/dns/fixed_resolver.h"
#include "tests/support/catch.h"
#include "tests/support/memory_store.h"
#include "tests/unit/delivery/host.h"

using namespace postern;
using namespace postern::delivery;
using namespace std::chrono_literals;
using smtp_client::TlsPolicy;

namespace {

class Signed : public dns::Resolver {
 public:
  dns::FixedResolver inner;
  io::Task<dns::Answer> query(std::string name, dns::Type type, Deadline deadline) override {
    auto answer = co_await inner.query(name, type, deadline);
    answer.authentic = true;
    co_return answer;
  }
};

struct World {
  io::Loop loop;
  postern::test::MemoryStore store;
  Signed resolver;
  std::string document;   // of mta-sts.far.test
  std::unique_ptr<StsPolicies> sts;
  TlsResults results;
  std::shared_ptr<Route> route = std::make_shared<Route>();
  Hop hop;

  World() {
    auto get = [this](io::HttpsRequest, Deadline) { return serve(document); };
    sts = std::make_unique<StsPolicies>(StsPolicies::Parts{loop, resolver, store, "", get});
    route->domain = "far.test";
    route->key = "mx:far.test";
    hop.host = "mx.far.test";
    hop.endpoint = *Endpoint::parse("192.0.2.1:25");
    hop.authentic = true;
    zone("mta-sts.far.test A 192.0.2.8");
  }
  ~World() { loop.end_tasks(); }
  void zone(const std::string& lines) { REQUIRE(resolver.inner.zone().add_text(lines)); }
  void says(const std::string& mode, const std::string& mx = "mx.far.test") {
    zone("_mta-sts.far.test TXT v=STSv1; id=1;");
    document = "version: STSv1\nmode: " + mode + "\nmx: " + mx + "\nmax_age: 86400\n";
  }
  Policy decide(bool validating = true) {
    Policies policies({resolver, validating, sts.get()});
    return loop.block_on(policies.decide(route, hop));
  }

 private:
  static io::Task<io::HttpsAnswer> serve(std::string document) {
    io::HttpsAnswer out;
    out.kind = io::HttpsAnswer::Kind::answered;
    out.status = document.empty() ? 404 : 200;
    out.content_type = "text/plain";
    out.body = document;
    co_return out;
  }
};

const std::string kTlsa = "_25._tcp.mx.far.test TLSA 3 1 1 " + std::string(64, 'a');

}  // namespace

TEST_CASE("without any policy the configuration decides") {
  World w;
  CHECK(w.decide().tls == TlsPolicy::may);
  CHECK(w.decide().tls_name == "mx.far.test");
  CHECK(w.decide().allows_plaintext());
  w.route->tls = config::TlsUse::must;
  CHECK(w.decide().tls == TlsPolicy::must);
  CHECK_FALSE(w.decide().allows_plaintext());
}

TEST_CASE("TLSA records decide where DNSSEC vouches for the host and the resolver is to be believed") {
  World w;
  w.zone(kTlsa);
  auto policy = w.decide();
  CHECK(policy.tls == TlsPolicy::dane);
  CHECK(policy.tlsa.size() == 1);
  CHECK(policy.also_named == std::vector<std::string>{"far.test"});
  CHECK(policy.found.type == TlsPolicyFound::Type::tlsa);
  CHECK(policy.found.text == std::vector<std::string>{"3 1 1 " + std::string(64, 'a')});
  CHECK(w.decide(false).tls == TlsPolicy::may);
  w.hop.authentic = false;
  CHECK(w.decide().tls == TlsPolicy::may);
}

TEST_CASE("never means never") {
  World w;
  w.zone(kTlsa);
  w.says("enforce");
  w.route->tls = config::TlsUse::never;
  CHECK(w.decide().tls == TlsPolicy::never);
  CHECK(w.resolver.inner.asked().empty());
}

TEST_CASE("records that cannot be had close the host, and ones that cannot be used want TLS") {
  World w;
  w.zone("_25._tcp.mx.far.test TLSA SERVFAIL");
  auto policy = w.decide();
  REQUIRE(policy.refusal);
  CHECK(policy.refusal->sentence() == "DNS gives no answer for _25._tcp.mx.far.test TLSA: servfail: without it no mail goes to mx.far.test");
  CHECK_FALSE(policy.refusal->permanent());
  World unusable;
  unusable.zone("_25._tcp.mx.far.test TLSA 1 1 1 " + std::string(64, 'a'));
  CHECK(unusable.decide().tls == TlsPolicy::must);
}

TEST_CASE("an enforced policy wants a certificate for the host, and hosts that it lists") {
  World w;
  w.says("enforce");
  auto policy = w.decide();
  CHECK(policy.tls == TlsPolicy::verify);
  CHECK(policy.words == "the MTA-STS policy of far.test");
  CHECK_FALSE(policy.refusal);
  w.hop.host = "mx.evil.test";
  policy = w.decide();
  REQUIRE(policy.refusal);
  CHECK(policy.refusal->sentence() == "the MTA-STS policy of far.test does not list mx.evil.test");
  CHECK_FALSE(policy.refusal->permanent());
}

TEST_CASE("a policy in testing stops nothing, and what would have failed is known") {
  World w;
  w.says("testing", "other.far.test");
  auto policy = w.decide();
  CHECK(policy.tls == TlsPolicy::may);
  CHECK(policy.observe);
  CHECK_FALSE(policy.refusal);
  CHECK(policy.trouble == "validation-failure");
  w.route->tls = config::TlsUse::must;
  CHECK(w.decide().tls == TlsPolicy::must);
}

TEST_CASE("mode none, a missing document and a route of our own choice want nothing") {
  World none;
  none.says("none");
  CHECK(none.decide().tls == TlsPolicy::may);
  World missing;
  missing.says("enforce");
  missing.document.clear();
  auto policy = missing.decide();
  CHECK(policy.tls == TlsPolicy::may);
  CHECK(policy.trouble == "sts-policy-fetch-error");
  World named;
  named.says("enforce");
  named.route->hosts.push_back(*config::parse_host("smtp://mx.far.test"));
  CHECK(named.decide().tls == TlsPolicy::may);
}

TEST_CASE("DANE wins over MTA-STS") {
  World w;
  w.zone(kTlsa);
  w.says("enforce", "other.far.test");
  CHECK(w.decide().tls == TlsPolicy::dane);
  CHECK_FALSE(w.decide().refusal);
}

TEST_CASE("a host without TLS is not used where a policy is in force, in words, and is counted") {
  delivery::test::Host host;
  World w;
  w.says("enforce");
  Connector::Self self{"gate.test", {}, {}};
  self.sts = w.sts.get();
  self.results = &w.results;
  Connector connector(w.resolver, self);
  w.loop.spawn(host.serve(w.loop), "host");
  w.hop.endpoint = host.endpoint;
  auto opened = w.loop.block_on(connector.open(w.route, {w.hop}));
  CHECK(opened.connection == nullptr);
  CHECK(opened.failure.sentence() == "the MTA-STS policy of far.test is not met: STARTTLS is not offered, and mail goes there over TLS only");
  CHECK(w.results.total(TlsPolicyFound::Type::sts, true) == 1);
  CHECK(host.got.empty());
}

TEST_CASE("a host without TLS gets its mail while the policy is in testing, and is counted") {
  delivery::test::Host host;
  World w;
  w.says("testing");
  Connector::Self self{"gate.test", {}, {}};
  self.sts = w.sts.get();
  self.results = &w.results;
  Connector connector(w.resolver, self);
  w.loop.spawn(host.serve(w.loop), "host");
  w.hop.endpoint = host.endpoint;
  auto opened = w.loop.block_on(connector.open(w.route, {w.hop}));
  CHECK(opened.connection != nullptr);
  CHECK(w.results.total(TlsPolicyFound::Type::sts, true) == 1);
  CHECK(w.results.total(TlsPolicyFound::Type::sts, false) == 0);
}

TEST_CASE("a password that cannot be read closes the route, in words") {
  World w;
  w.route->hosts.push_back(*config::parse_host("smtp://mx.far.test"));
  w.route->login = "us";
  w.route->password_file = "/nonexistent/password";
  Connector connector(w.resolver, Connector::Self{"gate.test", {}, {}});
  auto opened = w.loop.block_on(connector.open(w.route, {w.hop}));
  CHECK(opened.failure.step == smtp_client::Step::auth);
  CHECK(opened.failure.kind == smtp_client::Outcome::Kind::transient);
  CHECK(opened.failure.sentence() == "no password: /nonexistent/password: cannot be read: No such file or directory");
}

TEST_CASE("only the mail hosts that the configuration names are spoken with") {
  World w;
  w.zone("far.test MX 10 mx.far.test\nmx.far.test A 192.0.2.1\nfar.test MX 5 mx.evil.test\nmx.evil.test A 192.0.2.66");
  Connector connector(w.resolver, Connector::Self{"gate.test", {}, {}});
  w.route->mx = {"*.far.test"};
  auto found = w.loop.block_on(connector.find(w.route));
  REQUIRE(found.hops.size() == 1);
  CHECK(found.hops[0].host == "mx.far.test");
  CHECK(found.hops[0].authentic);
  w.route->mx = {"mail.far.test"};
  found = w.loop.block_on(connector.find(w.route));
  CHECK(found.hops.empty());
  CHECK_FALSE(found.failure.permanent());
  CHECK(found.failure.sentence() == "of the mail hosts of far.test (mx.evil.test, mx.far.test) none is one that mx in [routes] names");
}
