// Which DNS records a domain should have, and what is said of those that it has.
#include "gateway/admin/dns_check.h"

#include <algorithm>

#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "tests/support/catch.h"

using namespace postern;
using admin::DnsFinding;
using What = admin::DnsRecord::What;
using State = DnsFinding::State;

namespace {

struct World {
  io::Loop loop;
  config::Config config;
  signing::Keys keys;
  dns::FixedResolver resolver;

  World() {
    config.hostname = "mx.corp.example";
    config.domains.emplace_back().name = "corp.example";
    auto& listen = config.listen;
    for (auto* services : {&listen.submission, &listen.submissions, &listen.imap, &listen.imaps, &listen.pop3, &listen.pop3s}) *services = {};
    config.smtp.trusted = {*Network::parse("10.9.0.0/16")};   // something is sent
    config.listen.imaps = {*Endpoint::parse("[::]:993")};
    auto key = signing::make_key("corp.example", "a", signing::Algorithm::ed25519, from_unix(1));
    REQUIRE(key);
    keys.push_back(std::move(*key));
  }
  admin::DnsWishes wishes() { return admin::wanted_records(config, keys, "corp.example", {*IpAddress::parse("198.51.100.7")}); }
  // All as it should be.
  World& publish() {
    for (const auto& record : wishes().records) say(record.name, record.type, record.value);
    return say("mta-sts.corp.example", "A", "198.51.100.7");
  }
  World& say(const std::string& name, const std::string& type, const std::string& value) {
    REQUIRE(resolver.zone().add(name, type, value));
    return *this;
  }
  std::vector<DnsFinding> check() {
    delivery::StsPolicies::Fetch fetch = [this](io::HttpsRequest request, Deadline) { return policy_page(std::move(request)); };
    return loop.block_on(admin::check_records(resolver, config, keys, "corp.example", wishes(), in(std::chrono::seconds(10)), std::move(fetch)));
  }
  io::HttpsAnswer page{io::HttpsAnswer::Kind::answered, "", 200, "text/plain", "version: STSv1\r\nmode: enforce\r\nmx: mx.corp.example\r\nmax_age: 604800\r\n"};
  io::Task<io::HttpsAnswer> policy_page(io::HttpsRequest request) {
    CHECK(request.host == "mta-sts.corp.example");
    CHECK(request.path == "/.well-known/mta-sts.txt");
    REQUIRE(request.addresses.size() == 1);
    CHECK(request.addresses[0].to_string() == "198.51.100.7");
    co_return page;
  }
  DnsFinding check(What what) {
    auto all = check();
    auto found = std::find_if(all.begin(), all.end(), [what](const DnsFinding& each) { return each.wanted.what == what; });
    REQUIRE(found != all.end());
    return *found;
  }
};

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the records of a domain follow from its configuration, its keys and what listens") {
  World w;
  std::vector<std::string> lines;
  for (const auto& record : w.wishes().records) lines.push_back(admin::zone_line(record));
  for (const auto& wanted : {std::string("mx.corp.example. IN A 198.51.100.7"), std::string("corp.example. IN MX 10 mx.corp.example."),
                             std::string("corp.example. IN TXT ( \"v=spf1 mx -all\" )"), signing::zone_line("a._domainkey.corp.example", w.keys[0].record_text()),
                             std::string("_dmarc.corp.example. IN TXT ( \"v=DMARC1; p=none; rua=mailto:postmaster@corp.example\" )"),
                             std::string("_smtp._tls.corp.example. IN TXT ( \"v=TLSRPTv1; rua=mailto:postmaster@corp.example\" )"),
                             std::string("_imaps._tcp.corp.example. IN SRV 0 1 993 mx.corp.example."),
                             std::string("7.100.51.198.in-addr.arpa. IN PTR mx.corp.example.")}) {
    INFO(wanted);
    CHECK(std::find(lines.begin(), lines.end(), wanted) != lines.end());
  }
  CHECK(w.wishes().mta_sts.text == "version: STSv1\r\nmode: testing\r\nmx: mx.corp.example\r\nmax_age: 604800\r\n");
  CHECK(w.wishes().mta_sts.address == "https://mta-sts.corp.example/.well-known/mta-sts.txt");
  CHECK(w.wishes().advice.empty());
  w.keys.clear();
  CHECK(has(w.wishes().advice, "postern dkim new corp.example"));
  w.config.domains[0].relay.hosts.emplace_back();   // its users read their mail elsewhere
  for (const auto& record : w.wishes().records) CHECK(record.what != What::srv);
}

TEST_CASE("all that is as it should be is ok") {
  World w;
  for (const auto& each : w.publish().check()) {
    INFO(each.wanted.name << " " << each.advice);
    CHECK(each.state == State::ok);
  }
}

TEST_CASE("what is not there is missing, with what to add") {
  World w;
  for (const auto& each : w.check()) {
    INFO(each.wanted.name);
    CHECK((each.state == State::missing || (each.wanted.what == What::spf && each.state == State::missing)));
    CHECK_FALSE(each.advice.empty());
  }
}

TEST_CASE("the policy of MTA-STS is fetched and read") {
  struct Case {
    const char* body;
    State state;
    const char* words;
  };
  for (const auto& c : {Case{"version: STSv1\nmode: testing\nmx: *.corp.example\nmax_age: 86400\n", State::ok, "mode: testing only reports"},
                        Case{"version: STSv1\nmode: none\nmax_age: 86400\n", State::ok, "asks for nothing"},
                        Case{"version: STSv1\nmode: enforce\nmx: old.corp.example\nmax_age: 86400\n", State::different, "does not name mx.corp.example"},
                        Case{"<html>", State::different, "the policy cannot be had"}}) {
    INFO(c.body);
    World w;
    w.page.body = c.body;
    auto found = w.publish().check(What::mta_sts);
    CHECK(found.state == c.state);
    CHECK(has(found.advice, c.words));
  }
  World w;
  w.page.kind = io::HttpsAnswer::Kind::not_trusted;
  w.page.problem = "the certificate is another host's";
  auto found = w.publish().check(What::mta_sts);
  CHECK(found.state == State::different);
  CHECK(has(found.advice, "the certificate is another host's"));
}

TEST_CASE("the usual mistakes in DNS are named") {
  struct Case {
    What what;
    const char* name;
    const char* type;
    const char* value;
    State state;
    const char* words;
  };
  for (const auto& c : {Case{What::mx, "corp.example", "MX", "10 other.example", State::different, "mail goes to other.example and not to us"},
                        Case{What::mx, "corp.example", "MX", "0 .", State::different, "takes no mail"},
                        Case{What::mx, "corp.example", "MX", "SERVFAIL", State::unknown, "servfail"},
                        Case{What::address, "mx.corp.example", "CNAME", "host.corp.example", State::different, "is an alias (CNAME) of host.corp.example"},
                        Case{What::spf, "corp.example", "TXT", "v=spf1 ip4:192.0.2.1 -all", State::different, "does not let mx.corp.example (198.51.100.7) send: fail"},
                        Case{What::spf, "corp.example", "TXT", "v=spf1 ip4:198.51.100.0/24 ~all", State::ok, ""},
                        Case{What::spf, "corp.example", "TXT", "v=spf1 nonsense -all", State::different, "the record is broken"},
                        Case{What::spf, "corp.example", "TXT", "v=spf1 a:1.x a:2.x a:3.x a:4.x a:5.x a:6.x a:7.x a:8.x a:9.x a:10.x a:11.x -all", State::different, "the record is broken"},
                        Case{What::spf, "corp.example", "TXT", "v=spf10 -all", State::missing, "add TXT corp.example"},
                        Case{What::dkim, "a._domainkey.corp.example", "TXT", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", State::different, "another key"},
                        Case{What::dmarc, "_dmarc.corp.example", "TXT", "v=DMARC1; p=nonsense", State::different, "the record is broken"},
                        Case{What::dmarc, "_dmarc.corp.example", "TXT", "v=DMARC1; p=reject", State::ok, ""},
                        Case{What::mta_sts, "_mta-sts.corp.example", "TXT", "v=STSv1; id=1;", State::different, "mta-sts.corp.example has no address"},
                        Case{What::mta_sts, "_mta-sts.corp.example", "TXT", "v=STSv1;", State::different, "no id="},
                        Case{What::tlsrpt, "_smtp._tls.corp.example", "TXT", "v=TLSRPTv1", State::different, "no rua="},
                        Case{What::srv, "_imaps._tcp.corp.example", "SRV", "0 1 143 mx.corp.example", State::different, "0 1 993 mx.corp.example"},
                        Case{What::ptr, "7.100.51.198.in-addr.arpa", "PTR", "host.provider.example", State::different, "set it to mx.corp.example"}}) {
    INFO(c.name << " " << c.value);
    World w;
    w.say(c.name, c.type, c.value);
    if (c.what != What::address) w.say("mx.corp.example", "A", "198.51.100.7");
    else w.say("host.corp.example", "A", "198.51.100.7");
    for (int i = 1; i < 12; ++i) w.say(std::to_string(i) + ".x", "A", "192.0.2.9");
    auto found = w.check(c.what);
    INFO(found.advice);
    CHECK(found.state == c.state);
    CHECK(has(found.advice, c.words));
  }
}

TEST_CASE("two records where there must be one are as none") {
  World w;
  w.publish().say("corp.example", "TXT", "v=spf1 -all").say("_dmarc.corp.example", "TXT", "v=DMARC1; p=reject");
  w.say("a._domainkey.corp.example", "TXT", "v=DKIM1; p=");
  for (auto what : {What::spf, What::dmarc, What::dkim}) {
    auto found = w.check(what);
    CHECK(found.state == State::different);
    CHECK(has(found.advice, "there are 2"));
  }
}

TEST_CASE("another MX beside ours is told of, and more than ten look-ups of SPF are named") {
  World w;
  w.publish().say("corp.example", "MX", "20 backup.example");
  auto mx = w.check(What::mx);
  CHECK(mx.state == State::ok);
  CHECK(has(mx.advice, "backup.example"));
  World many;
  many.say("mx.corp.example", "A", "198.51.100.7");
  std::string record = "v=spf1";
  for (int i = 0; i < 11; ++i) {
    record += " include:" + std::to_string(i) + ".x";
    many.say(std::to_string(i) + ".x", "TXT", "v=spf1 ip4:192.0.2.1 -all");
  }
  many.say("corp.example", "TXT", record + " -all");
  auto spf = many.check(What::spf);
  CHECK(spf.state == State::different);
  INFO(spf.advice);
  CHECK(has(spf.advice, "10"));
}
