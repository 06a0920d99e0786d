// mail.arc in rules, and in what we write of a message.
#include "filters/auth_header.h"
#include "tests/unit/filters/rules_support.h"

using namespace postern;
using namespace postern::filters;

namespace {

Arc sealed_by(const std::string& sealer, const std::string& saw) {
  Arc arc;
  arc.result = ArcResult::pass;
  ArcSet set;
  set.instance = 1;
  set.domain = set.signing_domain = sealer;
  set.covers_all = true;
  set.results = mail::parse_authres_payload(sealer + "; " + saw);
  arc.sets.push_back(std::move(set));
  return arc;
}

}  // namespace

TEST_CASE("our Authentication-Results always say what became of the chain") {
  smtp::Client client;
  client.ip = *IpAddress::parse("192.0.2.1");
  Arc none;
  AuthenticationFacts facts;
  facts.arc = &none;
  CHECK(authentication_results("mx.test", client, {}, facts).find("arc=none") != std::string::npos);
  auto arc = sealed_by("lists.example", "dmarc=pass header.from=bank.example");
  facts.arc = &arc;
  auto field = authentication_results("mx.test", client, {}, facts);
  CHECK(field.find("arc=pass") != std::string::npos);
  CHECK(field.find("smtp.remote-ip=192.0.2.1") != std::string::npos);
}

TEST_CASE("a rule sees who sealed, and asks its list whose word counts") {
  RuleBench bench("rule \"r\" { on = \"message\", check = function(mail)\n"
                  "  local d = mail.dmarc\n"
                  "  return score(1, d.result .. \" \" .. mail.arc.result .. \" \" .. #mail.arc.sealers .. \" \" .. mail.arc.sealers[1] .. \" \" .. mail.arc.oldest_pass)\n"
                  "end }\n");
  bench.evidence.arc = sealed_by("lists.example", "dmarc=pass header.from=bank.example");
  bench.evidence.dmarc.result = DmarcResult::fail;
  bench.evidence.dmarc.domain = "bank.example";
  auto verdict = bench.all();
  REQUIRE(verdict.hits.size() == 1);
  CHECK(verdict.hits[0].why == "fail pass 1 lists.example 0");
  CHECK(verdict.facts.find("\"arc\":{\"result\":\"pass\",\"oldest_pass\":0,\"sealers\":[\"lists.example\"],\"covers_all\":[true]}") != std::string::npos);
}

TEST_CASE("to ask whose word counts without a list is an error that shows how") {
  RuleBench bench("rule \"r\" { on = \"message\", check = function(mail) if mail.arc.rescued_by(\"lists.example\") then return score(1, \"x\") end end }\n");
  auto verdict = bench.all();
  CHECK(verdict.error);
  REQUIRE(verdict.hits.size() == 1);
  CHECK(verdict.hits[0].why.find("local sealers = list \"lists/sealers.txt\"") != std::string::npos);
}
