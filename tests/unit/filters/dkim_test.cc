// DKIM: the guard before libopendkim, keys, and what each outcome is called.
#include "filters/dkim.h"

#include <map>

#include "filters/dkim_key.h"
#include "filters/dkim_signature.h"
#include "gateway/base/text.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "tests/support/catch.h"
#include "tests/support/dkim_signer.h"

using namespace postern;
using namespace postern::filters;
using test::DkimSigning;
using test::DkimTestKey;

namespace {

const Time kNow = from_unix(1'764'000'000);

const std::string kMail =
    "From: Alice <alice@example.com>\r\nTo: bob@example.net\r\nSubject:  Dinner \r\n\r\nHi  Bob,\r\n\r\nat eight? \r\n\r\n\r\n";

const DkimTestKey& rsa_key() {
  static const DkimTestKey key = DkimTestKey::rsa(2048);
  return key;
}
const DkimTestKey& ed_key() {
  static const DkimTestKey key = DkimTestKey::ed25519();
  return key;
}

// Keys by selector of example.com; a value in capitals is a fault of the zone.
Dkim verify(std::string mail, const std::map<std::string, std::string>& keys, io::WorkerPool* workers = nullptr,
            Time now = kNow) {
  dns::FixedResolver resolver;
  for (const auto& [name, value] : keys) {
    std::string full = name.find('.') == std::string::npos ? name + "._domainkey.example.com" : name;
    REQUIRE(resolver.zone().add_line(full + " TXT " + value));
  }
  io::Loop loop;
  Octets octets(std::move(mail));
  return loop.block_on(verify_dkim(octets, resolver, workers, now, in(std::chrono::seconds(5))));
}

DkimSignature verify_one(const std::string& mail, const std::map<std::string, std::string>& keys) {
  Dkim out = verify(mail, keys);
  REQUIRE(out.signatures.size() == 1);
  return out.signatures[0];
}

DkimSignature sign_and_verify(DkimSigning how, const std::string& record) {
  return verify_one(dkim_field(kMail, rsa_key(), how) + kMail, {{how.selector, record}});
}

}  // namespace

TEST_CASE("what was signed passes, with each canonicalisation and each kind of key") {
  for (const char* ways : {"simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed", "relaxed", "simple"}) {
    CAPTURE(ways);
    DkimSigning how;
    how.canonicalization = ways;
    DkimSignature rsa = verify_one(dkim_field(kMail, rsa_key(), how) + kMail, {{"sel", rsa_key().record()}});
    CHECK(rsa.result == DkimResult::pass);
    CHECK(rsa.problem == "");
    CHECK(rsa.bits == 2048);
    CHECK(rsa.algorithm == "rsa-sha256");
    CHECK(rsa.domain == "example.com");
    CHECK(rsa.selector == "sel");
    CHECK(rsa.b_prefix.size() == 8);
    DkimSignature ed = verify_one(dkim_field(kMail, ed_key(), how) + kMail, {{"sel", ed_key().record()}});
    CHECK(ed.result == DkimResult::pass);
    CHECK(ed.bits == 256);
  }
}

TEST_CASE("an RSA key in its bare form verifies as well") {
  CHECK(sign_and_verify({}, rsa_key().bare_rsa_record()).result == DkimResult::pass);
}

TEST_CASE("verification runs on the workers and gives the same") {
  io::WorkerPool workers(2);
  Dkim out = verify(dkim_field(kMail, rsa_key(), {}) + kMail, {{"sel", rsa_key().record()}}, &workers);
  REQUIRE(out.signatures.size() == 1);
  CHECK(out.signatures[0].result == DkimResult::pass);
}

TEST_CASE("mail without a signature has none, and asks no DNS") {
  dns::FixedResolver resolver;
  io::Loop loop;
  Octets octets(kMail);
  Dkim out = loop.block_on(verify_dkim(octets, resolver, nullptr, kNow, in(std::chrono::seconds(5))));
  CHECK(out.signatures.empty());
  CHECK_FALSE(out.temporary());
  CHECK(resolver.asked().empty());
}

TEST_CASE("any change to what was signed fails") {
  std::string field = dkim_field(kMail, rsa_key(), {});
  std::map<std::string, std::string> keys{{"sel", rsa_key().record()}};
  std::string subject = kMail, body = kMail;
  subject.replace(subject.find("Dinner"), 6, "Lunch");
  body.replace(body.find("eight"), 5, "seven");
  DkimSignature header_changed = verify_one(field + subject, keys);
  CHECK(header_changed.result == DkimResult::fail);
  CHECK(header_changed.problem.find("header") != std::string::npos);
  DkimSignature body_changed = verify_one(field + body, keys);
  CHECK(body_changed.result == DkimResult::fail);
  CHECK(body_changed.problem.find("body") != std::string::npos);
  CHECK(verify_one(field + "From: mallory@example.org\r\n" + kMail, keys).result == DkimResult::pass);  // not oversigned
  CHECK(verify_one(field + kMail, {{"sel", DkimTestKey::rsa(1024).record()}}).result == DkimResult::fail);
}

TEST_CASE("a field named once more than it is there cannot be added") {
  DkimSigning how;
  how.fields = {"From", "From", "To", "Subject", "To", "Subject", "X-None"};
  std::string field = dkim_field(kMail, rsa_key(), how);
  std::map<std::string, std::string> keys{{"sel", rsa_key().record()}};
  CHECK(verify_one(field + kMail, keys).result == DkimResult::pass);
  CHECK(verify_one(field + "From: mallory@example.org\r\n" + kMail, keys).result == DkimResult::fail);
}

TEST_CASE("h= may ask for more than all fields of the message") {
  std::string mail = "From: a@example.com\r\n\r\nx\r\n";
  DkimSigning how;
  how.fields = {"From", "DKIM-Signature", "From", "DKIM-Signature", "X-A", "X-B", "X-C"};
  // The field itself is not there when it is signed, so this signature cannot pass; it must only do no harm.
  CHECK(verify_one(dkim_field(mail, rsa_key(), how) + mail, {{"sel", rsa_key().record()}}).result == DkimResult::fail);
}

TEST_CASE("the reason why a signature is not accepted is in words") {
  struct Case {
    const char* name;
    DkimSigning how;
    std::string record;
    DkimResult result;
    const char* word;
  };
  auto how = [](auto change) {
    DkimSigning signing;
    change(signing);
    return signing;
  };
  const std::string good = rsa_key().record();
  const std::string p = good.substr(good.find("p="));
  const Case cases[] = {
      {"expired", how([](auto& s) { s.tags = "t=1600000000; x=1600000100;"; }), good, DkimResult::policy, "expired"},
      {"expired without t=", how([](auto& s) { s.tags = "x=1600000100;"; }), good, DkimResult::policy, "expired"},
      {"not yet expired", how([](auto& s) { s.tags = "t=1600000000; x=1999999999;"; }), good, DkimResult::pass, ""},
      {"signed at second 5", how([](auto& s) { s.tags = "t=5;"; }), good, DkimResult::pass, ""},
      {"from the future", how([](auto& s) { s.tags = "t=1999999999;"; }), good, DkimResult::policy, "future"},
      {"x= before t=", how([](auto& s) { s.tags = "t=1600000000; x=1500000000;"; }), good, DkimResult::permerror, "x="},
      {"t= rubbish", how([](auto& s) { s.tags = "t=-1;"; }), good, DkimResult::permerror, "t="},
      {"t= of 13 digits", how([](auto& s) { s.tags = "t=1000000000000;"; }), good, DkimResult::permerror, "t="},
      {"rsa-sha1", how([](auto& s) { s.algorithm = "rsa-sha1"; }), good, DkimResult::policy, "rsa-sha1"},
      {"unknown algorithm", how([](auto& s) { s.algorithm = "rsa-md5"; }), good, DkimResult::permerror, "a="},
      {"wrong version", how([](auto& s) { s.version = "2"; }), good, DkimResult::permerror, "version"},
      {"h= without From", how([](auto& s) { s.fields = {"To"}; }), good, DkimResult::permerror, "From"},
      {"i= elsewhere", how([](auto& s) { s.tags = "i=@example.org;"; }), good, DkimResult::permerror, "i="},
      {"i= nearly below", how([](auto& s) { s.tags = "i=@badexample.com;"; }), good, DkimResult::permerror, "i="},
      {"i= below d=", how([](auto& s) { s.tags = "i=x@sub.example.com;"; }), good, DkimResult::pass, ""},
      {"i= below d= against t=s", how([](auto& s) { s.tags = "i=x@sub.example.com;"; }), "t=s; " + p, DkimResult::permerror, "below"},
      {"i= of d= with t=s", how([](auto& s) { s.tags = "i=x@Example.com;"; }), "t=s; " + p, DkimResult::pass, ""},
      {"i= ending in =", how([](auto& s) { s.tags = "i=x@example.com=;"; }), good, DkimResult::permerror, "i="},
      {"c= unknown", how([](auto& s) { s.canonicalization = "nowsp/simple"; }), good, DkimResult::permerror, "c="},
      {"q= unknown", how([](auto& s) { s.tags = "q=http;"; }), good, DkimResult::permerror, "q="},
      {"q= with one we know", how([](auto& s) { s.tags = "q=http:dns/txt;"; }), good, DkimResult::pass, ""},
      {"domain is none", how([](auto& s) { s.domain = "legitimate.com(.attacker.com"; }), good, DkimResult::permerror, "d="},
      {"a tag twice", how([](auto& s) { s.tags = "t=1; t=2;"; }), good, DkimResult::permerror, "twice"},
      {"an unknown tag", how([](auto& s) { s.tags = "zz=top;"; }), good, DkimResult::pass, ""},
      {"8-bit octets", how([](auto& s) { s.tags = "zz=\xc3\xa4;"; }), good, DkimResult::permerror, "ASCII"},
      {"whole body by l=", how([](auto& s) { s.body_length = 22; }), good, DkimResult::pass, ""},
      {"part of the body by l=", how([](auto& s) { s.body_length = 21; }), good, DkimResult::policy, "1 octets"},
      {"nothing by l=", how([](auto& s) { s.body_length = 0; }), good, DkimResult::policy, "22 octets"},
      {"more than the body by l=", how([](auto& s) { s.body_length = 23; }), good, DkimResult::permerror, "longer"},
      {"revoked", {}, "v=DKIM1; p=", DkimResult::permerror, "revoked"},
      {"key of another version", {}, "v=DKIM2; " + p, DkimResult::permerror, "version"},
      {"version of the key not first", {}, p + "; v=DKIM1", DkimResult::permerror, "version"},
      {"key without version", {}, p, DkimResult::pass, ""},
      {"key for tlsrpt", {}, "s=tlsrpt; " + p, DkimResult::permerror, "not for mail"},
      {"key for mail among others", {}, "s=tlsrpt : email; " + p, DkimResult::pass, ""},
      {"key for all", {}, "s=*; " + p, DkimResult::pass, ""},
      {"key for sha1", {}, "h=sha1; " + p, DkimResult::permerror, "SHA-256"},
      {"key for both hashes", {}, "h=sha1:sha256; " + p, DkimResult::pass, ""},
      {"key of another algorithm", {}, ed_key().record(), DkimResult::permerror, "algorithm"},
      {"key of an unknown type", {}, "k=dsa; " + p, DkimResult::permerror, "type"},
      {"rubbish in p=", {}, "v=DKIM1; p=BARF!", DkimResult::permerror, "base64"},
      {"no DER in p=", {}, "v=DKIM1; p=QkFSRg==", DkimResult::permerror, "DER"},
      {"no p=", {}, "v=DKIM1; k=rsa", DkimResult::permerror, "p="},
      {"some other TXT record", {}, "v=spf1 -all", DkimResult::permerror, "version"},
      {"no tags at all", {}, "hello world", DkimResult::permerror, "malformed"},
      {"testing", {}, "t=y; " + p, DkimResult::pass, ""},
      {"another key", {}, DkimTestKey::rsa(1024).record(), DkimResult::fail, "header"},
      {"another key, in testing", {}, "t=y:s; " + DkimTestKey::rsa(1024).record().substr(16), DkimResult::neutral, "testing"},
      {"DNS fails", {}, "SERVFAIL", DkimResult::temperror, "failure"},
      {"DNS is silent", {}, "TIMEOUT", DkimResult::temperror, "in time"},
      {"DNS talks rubbish", {}, "RUBBISH", DkimResult::temperror, "cannot be read"},
      {"no key", {}, "NXDOMAIN", DkimResult::permerror, "no key"},
      {"no TXT", {}, "NODATA", DkimResult::permerror, "no key"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    DkimSignature out = sign_and_verify(c.how, c.record);
    CAPTURE(out.problem);
    CHECK(name(out.result) == name(c.result));
    CHECK(out.problem.find(c.word) != std::string::npos);
    CHECK(out.problem.empty() == (c.result == DkimResult::pass));
  }
}

TEST_CASE("a key below 1024 bits is too weak and one of 4096 bits is read") {
  for (auto [bits, result] : {std::pair{512, DkimResult::policy}, {1023, DkimResult::policy}, {1024, DkimResult::pass}, {4096, DkimResult::pass}}) {
    CAPTURE(bits);
    DkimTestKey key = DkimTestKey::rsa(bits);
    DkimSignature out = verify_one(dkim_field(kMail, key, {}) + kMail, {{"sel", key.record()}});
    CHECK(name(out.result) == name(result));
    CHECK(out.bits == bits);
  }
}

TEST_CASE("of several TXT records the one that is a key counts, and two keys are an error") {
  dns::FixedResolver resolver;
  REQUIRE(resolver.zone().add_line("sel._domainkey.example.com TXT site-verification"));
  REQUIRE(resolver.zone().add_line("sel._domainkey.example.com TXT " + rsa_key().record()));
  io::Loop loop;
  Octets octets(dkim_field(kMail, rsa_key(), {}) + kMail);
  auto ask = [&] { return loop.block_on(verify_dkim(octets, resolver, nullptr, kNow, in(std::chrono::seconds(5)))).signatures.at(0); };
  CHECK(ask().result == DkimResult::pass);
  REQUIRE(resolver.zone().add_line("sel._domainkey.example.com TXT " + ed_key().record()));
  CHECK(ask().result == DkimResult::permerror);
}

TEST_CASE("each of several signatures has its own result") {
  DkimSigning other;
  other.selector = "other";
  DkimSigning gone;
  gone.selector = "gone";
  DkimSigning slow;
  slow.selector = "slow";
  DkimSigning old;
  old.algorithm = "rsa-sha1";
  std::string mail = "DKIM-Signature: rubbish\r\n" + dkim_field(kMail, ed_key(), gone) + dkim_field(kMail, rsa_key(), {}) +
                     dkim_field(kMail, rsa_key(), old) + dkim_field(kMail, rsa_key(), slow) + dkim_field(kMail, ed_key(), other) + kMail;
  Dkim out = verify(mail, {{"sel", rsa_key().record()}, {"other", ed_key().record()}, {"slow", "TIMEOUT"}});
  REQUIRE(out.signatures.size() == 6);
  std::vector<std::string> results;
  for (const auto& signature : out.signatures) results.emplace_back(name(signature.result));
  CHECK(results == std::vector<std::string>{"permerror", "permerror", "pass", "policy", "temperror", "pass"});
  CHECK_FALSE(out.temporary());
}

TEST_CASE("a key that cannot be had leaves the whole unknown while nothing passes") {
  Dkim out = verify(dkim_field(kMail, rsa_key(), {}) + kMail, {{"sel", "TIMEOUT"}});
  CHECK(out.temporary());
}

TEST_CASE("equal keys are asked for once") {
  dns::FixedResolver resolver;
  REQUIRE(resolver.zone().add_line("sel._domainkey.example.com TXT " + rsa_key().record()));
  io::Loop loop;
  Octets octets(dkim_field(kMail, rsa_key(), {}) + dkim_field(kMail, rsa_key(), {}) + kMail);
  Dkim out = loop.block_on(verify_dkim(octets, resolver, nullptr, kNow, in(std::chrono::seconds(5))));
  CHECK(out.signatures.size() == 2);
  CHECK(out.signatures[1].result == DkimResult::pass);
  CHECK(resolver.asked().size() == 1);
}

TEST_CASE("signatures beyond the eighth are not verified, and beyond the twentieth not told") {
  std::string mail;
  for (int i = 0; i < 30; ++i) mail += dkim_field(kMail, rsa_key(), {});
  Dkim out = verify(mail + kMail, {{"sel", rsa_key().record()}});
  REQUIRE(out.signatures.size() == kMaxDkimReported);
  CHECK(out.signatures[7].result == DkimResult::pass);
  CHECK(out.signatures[8].result == DkimResult::policy);
  CHECK(out.signatures[8].problem == "too many signatures");
}

TEST_CASE("a signature over another signature verifies") {
  std::string inner = dkim_field(kMail, ed_key(), {}) + kMail;
  DkimSigning outer;
  outer.fields = {"From", "DKIM-Signature"};
  Dkim out = verify(dkim_field(inner, ed_key(), outer) + inner, {{"sel", ed_key().record()}});
  REQUIRE(out.signatures.size() == 2);
  CHECK(out.signatures[0].result == DkimResult::pass);
  CHECK(out.signatures[1].result == DkimResult::pass);
}

TEST_CASE("one signature's l= does not reach into another") {
  DkimSigning part;
  part.body_length = 3;
  Dkim out = verify(dkim_field(kMail, rsa_key(), part) + dkim_field(kMail, rsa_key(), {}) + kMail, {{"sel", rsa_key().record()}});
  REQUIRE(out.signatures.size() == 2);
  CHECK(out.signatures[0].result == DkimResult::policy);
  CHECK(out.signatures[1].result == DkimResult::pass);
}

TEST_CASE("the clock is ours: a mail of long ago verifies as of then") {
  DkimSigning how;
  how.tags = "t=1000000000; x=1000001000;";
  std::string mail = dkim_field(kMail, rsa_key(), how) + kMail;
  Dkim out = verify(mail, {{"sel", rsa_key().record()}}, nullptr, from_unix(1'000'000'500));
  CHECK(out.signatures.at(0).result == DkimResult::pass);
}

TEST_CASE("odd messages are verified or refused, never misread") {
  struct Case { const char* name; std::string mail; DkimResult result; };
  std::string no_body = "From: a@example.com\r\n\r\n";
  std::string no_end = "From: a@example.com\r\n\r\nno line end";
  std::string no_from = "To: a@example.com\r\n\r\nx\r\n";
  std::string group = "From: undisclosed:;\r\n\r\nx\r\n";
  std::string nul = std::string("From: a@example.com\r\nSubject: a\0b\r\n\r\nx\r\n", 40);
  std::string nul_body = std::string("From: a@example.com\r\n\r\nx\0y\r\n", 28);
  std::string mbox = "From nobody Mon Jan 1\r\nFrom: a@example.com\r\n\r\nx\r\n";
  std::string long_field = "From: a@example.com\r\nX: " + std::string(70'000, 'x') + "\r\n\r\nx\r\n";
  std::string long_line = "From: a@example.com\r\n\r\n" + std::string(70'000, 'x') + "\r\n";
  std::string many = "From: a@example.com\r\n";
  for (int i = 0; i < 3000; ++i) many += "X: y\r\n";
  many += "\r\nx\r\n";
  const Case cases[] = {
      {"no body", no_body, DkimResult::pass},       {"body without a last line end", no_end, DkimResult::pass},
      {"no From", no_from, DkimResult::pass},       {"From is an empty group", group, DkimResult::pass},
      {"NUL in the header", nul, DkimResult::permerror}, {"NUL in the body", nul_body, DkimResult::pass},
      {"an mbox line", mbox, DkimResult::pass},     {"a long field", long_field, DkimResult::permerror},
      {"a long line", long_line, DkimResult::policy}, {"many fields", many, DkimResult::permerror},
  };
  for (const Case& c : cases) {
    for (const char* ways : {"simple/simple", "relaxed/relaxed"}) {
      CAPTURE(c.name, ways);
      DkimSigning how;
      how.canonicalization = ways;
      DkimSignature out = verify_one(dkim_field(c.mail, ed_key(), how) + c.mail, {{"sel", ed_key().record()}});
      CAPTURE(out.problem);
      CHECK(name(out.result) == name(c.result));
    }
  }
}

TEST_CASE("the canonical size of a body is what l= counts") {
  struct Case { std::string body; std::uint64_t simple, relaxed; };
  const Case cases[] = {
      {"", 2, 0},         {"\r\n\r\n", 2, 0},      {"x\r\n", 3, 3},           {"x", 3, 3},
      {" \r\n", 3, 0},    {"a  b \r\n", 7, 5},     {"a\r\n\r\nb\r\n\r\n", 8, 8}, {" a\t b\r\n", 7, 6},
  };
  for (const Case& c : cases) {
    CAPTURE(c.body);
    CHECK(canonical_body_size(c.body, false) == c.simple);
    CHECK(canonical_body_size(c.body, true) == c.relaxed);
  }
}
