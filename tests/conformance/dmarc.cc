// rspamd's functional cases (suites/dmarc): 17 of DMARC, 35 of SPF, through the real evidence (SPF, DKIM
// and DMARC together) with its fake DNS records.  The 2 ARC cases are in arc.cc, which has the keys that they need.
#include <map>
#include <set>
#include <string>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "filters/evidence.h"
#include "gateway/base/text.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "tests/support/catch.h"
#include "tests/support/suites.h"

using namespace postern;
using namespace postern::filters;
using test::read_file;
using test::with_crlf;

namespace {

// Cases whose expectation is not what the RFC says, with what we give and why.
struct Difference {
  const char* want;   // ours
  const char* why;
};
const std::map<std::string, Difference>& differences() {
  static const std::map<std::string, Difference> all = {
      {"SPF FAIL UNRESOLVEABLE INCLUDE",
       {"spf=permerror", "an include of a name without SPF record is permerror (RFC 7208 5.2); rspamd lets it not match"}},
      {"SPF ALLOW DNS REQUESTS AT LIMIT",
       {"spf=permerror", "at most 10 terms may ask DNS (RFC 7208 4.6.4); rspamd allows 30"}},
  };
  return all;
}

dns::Zone zone_of(const YAML::Node& records) {
  dns::Zone zone;
  for (const auto& record : records) {
    std::string name = record["name"].as<std::string>();
    std::string type = ascii_uppered(record["type"].as<std::string>());
    if (!is_ascii(name)) continue;  // a URIBL record of another test
    std::string rcode = record["rcode"] ? record["rcode"].as<std::string>() : "";
    static const std::map<std::string, std::string> faults = {{"nxdomain", "NXDOMAIN"}, {"norec", "NODATA"}, {"timeout", "TIMEOUT"}};
    if (auto fault = faults.find(rcode); fault != faults.end()) {
      REQUIRE(zone.add(name, type, fault->second));
      continue;
    }
    for (const auto& reply : record["replies"]) REQUIRE(zone.add(name, type, reply.as<std::string>()));
  }
  return zone;
}

struct Outcome {
  Spf spf;
  Dkim dkim;
  Dmarc dmarc;
};

io::Task<Outcome> ask(MessageEvidence& evidence) {
  evidence.start(true);
  const Dmarc* dmarc = co_await evidence.dmarc();
  const Spf* spf = co_await evidence.spf();
  const Dkim* dkim = co_await evidence.dkim();
  Outcome out;
  out.spf = *spf;
  out.dkim = *dkim;
  out.dmarc = *dmarc;
  co_return out;
}

// What came out, in the suite's words.
std::set<std::string> words_of(const Outcome& outcome) {
  std::set<std::string> out;
  out.insert("spf=" + std::string(name(outcome.spf.result)));
  // rspamd has a symbol of its own for +all; RFC 7208 2.6.3 knows pass, and the mechanism stands beside it.
  if (outcome.spf.result == SpfResult::pass && outcome.spf.mechanism.ends_with("all")) out.insert("spf=pass (+all)");
  std::string dmarc = "dmarc=" + std::string(name(outcome.dmarc.result));
  out.insert(dmarc);
  if (outcome.dmarc.result == DmarcResult::fail) out.insert(dmarc + ", policy " + std::string(name(outcome.dmarc.policy)));
  return out;
}

std::string joined(const std::set<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += word + "; ";
  return out;
}

std::string or_else(const YAML::Node& node, const char* other) { return node && !node.IsNull() ? node.as<std::string>() : other; }

}  // namespace

TEST_CASE("rspamd's cases come out as rspamd says, or the RFC's reason is named") {
  auto suites = test::suites();
  if (!suites) return;
  auto place = *suites / "dmarc" / "rspamd";
  dns::Zone zone = zone_of(YAML::LoadFile(place / "dns-records.json"));
  FixedClock clock(from_unix(1'764'000'000));
  std::map<std::string, int> ran;
  for (const auto& item : YAML::LoadFile(place / "cases.json")) {
    std::string suite = item["suite"].as<std::string>();
    std::string title = item["name"].as<std::string>();
    if (suite == "321_arc_check") continue;
    ++ran[suite];
    CAPTURE(title);
    dns::FixedResolver resolver(zone);
    EvidenceConfig config;
    config.hostname = "mx.test";
    config.spf_options.clock = &clock;
    io::Loop loop;
    Evidence evidence(resolver, nullptr, clock, config, {});
    smtp::Client client;
    client.ip = *IpAddress::parse(or_else(item["ip"], "127.0.0.1"));
    client.helo = or_else(item["helo"], "");
    smtp::Sender sender;
    sender.address = or_else(item["mail_from"], "");
    if (sender.address == "<>") sender.address.clear();
    auto message = evidence.message(client, sender, Octets(with_crlf(read_file(place / "messages" / item["message"].as<std::string>()))));
    Outcome outcome = loop.block_on(ask(*message));
    std::set<std::string> got = words_of(outcome);
    CAPTURE(joined(got), outcome.spf.problem, outcome.dmarc.problem);
    for (const auto& signature : outcome.dkim.signatures) UNSCOPED_INFO("dkim " << name(signature.result) << ": " << signature.problem);
    auto difference = differences().find(title);
    if (difference != differences().end()) {
      CAPTURE(difference->second.why);
      CHECK(got.contains(difference->second.want));
      continue;
    }
    for (const auto& want : item["expect"]) {
      CAPTURE(want.as<std::string>());
      CHECK(got.contains(want.as<std::string>()));
    }
    for (const auto& unwanted : item["not_expect"]) {
      CAPTURE(unwanted.as<std::string>());
      CHECK_FALSE(got.contains(unwanted.as<std::string>()));
    }
  }
  CHECK(ran["115_dmarc"] == 17);
  CHECK(ran["117_spf"] == 35);
}
