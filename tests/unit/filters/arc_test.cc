// Validation of ARC chains that a signer of the tests' own has made.
#include "filters/arc.h"

#include <map>
#include <memory>

#include "gateway/base/text.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "gateway/io/worker_pool.h"
#include "tests/support/catch.h"
#include "tests/support/dkim_signer.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::filters;
using test::arc_set;
using test::ArcSetting;
using test::DkimTestKey;

namespace {

const Time kNow = from_unix(1'764'000'000);
const std::string kMail = "From: Alice <a@example.org>\r\nTo: b@example.net\r\nSubject: Dinner\r\n\r\nAt eight?\r\nYours,  A.\r\n";

const DkimTestKey& rsa_key() {
  static const DkimTestKey key = DkimTestKey::rsa(2048);
  return key;
}
const DkimTestKey& ed_key() {
  static const DkimTestKey key = DkimTestKey::ed25519();
  return key;
}

struct World {
  dns::FixedResolver resolver;
  io::Loop loop;
  World() {
    add("sel._domainkey.example.com", ed_key().record());
    add("rsa._domainkey.example.com", rsa_key().record());
  }
  void add(std::string_view name, std::string_view record) { REQUIRE(resolver.zone().add(name, "TXT", record)); }
  Arc validate(const std::string& message, io::WorkerPool* workers = nullptr, Time now = kNow) {
    Octets octets(message);
    return loop.block_on(validate_arc(octets, resolver, workers, now, in(std::chrono::seconds(5))));
  }
};

ArcSetting setting(unsigned instance) {
  ArcSetting out;
  out.instance = instance;
  return out;
}

// With one set on top, of the key that fits its selector.
std::string sealed(const std::string& message, const ArcSetting& how) {
  return arc_set(message, how.selector == "rsa" ? rsa_key() : ed_key(), how) + message;
}

std::string chain_of(unsigned length, std::string message = kMail) {
  for (unsigned i = 1; i <= length; ++i) message = sealed(message, setting(i));
  return message;
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

}  // namespace

TEST_CASE("mail without ARC fields has no chain, and asks no DNS") {
  World w;
  Arc arc = w.validate(kMail);
  CHECK(arc.result == ArcResult::none);
  CHECK(arc.problem.empty());
  CHECK(w.resolver.asked().empty());
  CHECK(w.validate("").result == ArcResult::none);
}

TEST_CASE("chains of one to fifty sets pass, with their sealers and what they saw") {
  World w;
  for (unsigned length : {1U, 2U, 8U, 9U, 50U}) {
    Arc arc = w.validate(chain_of(length));
    CAPTURE(length, arc.problem);
    CHECK(arc.result == ArcResult::pass);
    REQUIRE(arc.sets.size() == length);
    CHECK(arc.sets.front().instance == 1);
    CHECK(arc.sets.back().instance == length);
    CHECK(arc.sets.back().domain == "example.com");
    CHECK(arc.sets.back().selector == "sel");
    CHECK(arc.sets.front().signing_domain == "example.com");
    CHECK(arc.sets.front().covers_all);
    CHECK(arc.sets.front().results.authserv_id == "mx.example.com");
    CHECK(arc.sets.front().results.of("dmarc").size() == 1);
    // The older message signatures of a long chain are not looked at.
    CHECK(arc.oldest_pass == (length <= kMaxArcMessageSignatures ? 0 : length - kMaxArcMessageSignatures + 1));
  }
}

TEST_CASE("the work may be done on workers") {
  World w;
  io::WorkerPool workers(2);
  CHECK(w.validate(chain_of(20), &workers).result == ArcResult::pass);
  CHECK(w.validate(replaced(chain_of(20), "Dinner", "Lunch"), &workers).result == ArcResult::fail);
}

TEST_CASE("RSA and Ed25519 seals may follow each other, in all canonicalisations") {
  World w;
  for (const char* ways : {"simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"}) {
    ArcSetting first = setting(1), second = setting(2);
    first.selector = "rsa";
    first.message_signature.canonicalization = second.message_signature.canonicalization = ways;
    Arc arc = w.validate(sealed(sealed(kMail, first), second));
    CAPTURE(ways, arc.problem);
    CHECK(arc.result == ArcResult::pass);
    CHECK(arc.oldest_pass == 0);
  }
}

TEST_CASE("who changed the message is told by the oldest signature that still verifies") {
  World w;
  std::string changed = replaced(chain_of(2), "Dinner", "[list] Dinner");
  changed = sealed(sealed(changed, setting(3)), setting(4));
  Arc arc = w.validate(changed);
  CAPTURE(arc.problem);
  CHECK(arc.result == ArcResult::pass);
  CHECK(arc.oldest_pass == 3);
  CHECK(arc.unchanged_since(3));
  CHECK(arc.unchanged_since(4));
  CHECK_FALSE(arc.unchanged_since(2));
}

TEST_CASE("any change to what the newest set covers fails, with the place") {
  World w;
  struct Case { const char* what; const char* with; unsigned instance; const char* word; };
  const Case cases[] = {
      {"Dinner", "Lunch", 2, "header"},
      {"eight", "seven", 2, "body"},
      {"i=1; mx.example.com; spf=pass", "i=1; mx.example.com; spf=fail", 2, "seal"},
      {"i=2; mx.example.com; spf=pass", "i=2; mx.example.com; spf=fail", 2, "seal"},
      {"ARC-Message-Signature: a=ed25519-sha256; c=relaxed/relaxed;\r\n d=example.com; s=sel; i=1;",
       "ARC-Message-Signature: a=ed25519-sha256; c=relaxed/relaxed;\r\n d=example.com; s=sel;  x=2999999999; i=1;", 2, "seal"},
  };
  for (const auto& c : cases) {
    Arc arc = w.validate(replaced(chain_of(2), c.what, c.with));
    CAPTURE(c.what, arc.problem);
    CHECK(arc.result == ArcResult::fail);
    CHECK(arc.instance == c.instance);
    CHECK(arc.problem.find(c.word) != std::string::npos);
    for (const auto& set : arc.sets) CHECK(set.results.results.empty());   // anybody may have written them
  }
  // A seal in the middle that is another's: the ones above it were made over it as it is now.
  std::string middle = sealed(kMail, setting(1));
  ArcSetting wrong = setting(2);
  middle = arc_set(middle, DkimTestKey::ed25519(), wrong) + middle;
  middle = sealed(middle, setting(3));
  Arc arc = w.validate(middle);
  CHECK(arc.result == ArcResult::fail);
  CHECK(arc.instance == 2);
}

TEST_CASE("why a set is not accepted is in words") {
  struct Case {
    const char* name;
    ArcSetting how;
    std::string record;   // "" as it is
    ArcResult result;
    const char* word;
  };
  auto how = [](auto change) {
    ArcSetting out = setting(1);
    out.selector = "rsa";
    change(out);
    return out;
  };
  const std::string good = rsa_key().record();
  const std::string p = good.substr(good.find("p="));
  const Case cases[] = {
      {"fine", how([](auto&) {}), "", ArcResult::pass, ""},
      {"bare RSA key", how([](auto&) {}), rsa_key().bare_rsa_record(), ArcResult::pass, ""},
      {"rsa-sha1", how([](auto& s) { s.message_signature.algorithm = "rsa-sha1"; }), "", ArcResult::fail, "rsa-sha1"},
      {"unknown algorithm", how([](auto& s) { s.message_signature.algorithm = "rsa-md5"; }), "", ArcResult::fail, "a="},
      {"expired", how([](auto& s) { s.message_signature.tags = "t=1600000000; x=1600000100;"; }), "", ArcResult::fail, "expired"},
      {"from the future", how([](auto& s) { s.message_signature.tags = "t=1999999999;"; }), "", ArcResult::fail, "future"},
      {"x= before t=", how([](auto& s) { s.message_signature.tags = "t=1600000000; x=1500000000;"; }), "", ArcResult::fail, "x="},
      {"part of the body by l=", how([](auto& s) { s.message_signature.body_length = 5; }), "", ArcResult::fail, "unsigned"},
      {"nothing of the body by l=", how([](auto& s) { s.message_signature.body_length = 0; }), "", ArcResult::fail, "unsigned"},
      {"the whole body by l=", how([](auto& s) { s.message_signature.body_length = 22; }), "", ArcResult::pass, ""},
      {"more than the body by l=", how([](auto& s) { s.message_signature.tags = "l=23;"; }), "", ArcResult::fail, "longer"},
      {"From not covered", how([](auto& s) { s.message_signature.fields = {"Subject"}; }), "", ArcResult::pass, ""},
      {"h= names ARC-Seal", how([](auto& s) { s.message_signature.fields = {"From", "Arc-Seal"}; }), "", ArcResult::fail, "ARC-Seal"},
      {"seal with h=", how([](auto& s) { s.seal_tags = " h=from;"; }), "", ArcResult::fail, "h="},
      {"seal with unknown tags", how([](auto& s) { s.seal_tags = " zz=top; v=1;"; }), "", ArcResult::pass, ""},
      {"empty tags in the seal", how([](auto& s) { s.seal_tags = ";"; }), "", ArcResult::fail, "empty"},
      {"t= rubbish in the seal", how([](auto& s) { s.seal_tags = " t=x;"; }), "", ArcResult::fail, "t="},
      {"another domain", how([](auto& s) { s.domain = "exa mple.com"; }), "", ArcResult::fail, "d="},
      {"revoked", how([](auto&) {}), "v=DKIM1; p=", ArcResult::fail, "revoked"},
      {"not for mail", how([](auto&) {}), "s=tlsrpt; " + p, ArcResult::fail, "not for mail"},
      {"not for SHA-256", how([](auto&) {}), "h=sha1; " + p, ArcResult::fail, "SHA-256"},
      {"in testing", how([](auto&) {}), "t=y:s; " + p, ArcResult::pass, ""},
      {"another algorithm", how([](auto&) {}), ed_key().record(), ArcResult::fail, "algorithm"},
      {"another key", how([](auto&) {}), DkimTestKey::rsa(1024).record(), ArcResult::fail, "fit"},
      {"weak key", how([](auto&) {}), DkimTestKey::rsa(1016).record(), ArcResult::fail, "too weak"},
      {"rubbish", how([](auto&) {}), "v=DKIM1; p=BARF!", ArcResult::fail, "base64"},
      {"DNS fails", how([](auto&) {}), "SERVFAIL", ArcResult::temperror, "failure"},
      {"DNS is silent", how([](auto&) {}), "TIMEOUT", ArcResult::temperror, "in time"},
      {"no key", how([](auto&) {}), "NXDOMAIN", ArcResult::fail, "no key"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    dns::FixedResolver resolver;
    REQUIRE(resolver.zone().add("rsa._domainkey.example.com", "TXT", c.record.empty() ? good : c.record));
    io::Loop loop;
    Octets octets(sealed(kMail, c.how));
    Arc arc = loop.block_on(validate_arc(octets, resolver, nullptr, kNow, in(std::chrono::seconds(5))));
    CAPTURE(arc.problem);
    CHECK(name(arc.result) == name(c.result));
    CHECK(arc.problem.find(c.word) != std::string::npos);
    CHECK(arc.problem.empty() == (c.result == ArcResult::pass));
    CHECK(arc.instance == (c.result == ArcResult::pass ? 0U : 1U));
    bool in_part = c.name == std::string_view("From not covered") || c.name == std::string_view("the whole body by l=");
    if (c.result == ArcResult::pass) CHECK(arc.sets.at(0).covers_all != in_part);
  }
}

TEST_CASE("a key that is large in the wrong way is refused before it costs time") {
  // RSA of 2048 bits whose exponent is as long as its modulus.
  std::string number(257, '\xff');
  number[0] = '\0';
  auto element = [](char tag, const std::string& content) {
    std::string out(1, tag);
    out += '\x82';
    out += static_cast<char>(content.size() >> 8);
    out += static_cast<char>(content.size() & 0xff);
    return out + content;
  };
  std::string der = element('\x30', element('\x02', number) + element('\x02', number));
  World w;
  ArcSetting how = setting(1);
  how.selector = "big";
  w.add("big._domainkey.example.com", "v=DKIM1; p=" + base64(der));
  how.message_signature.algorithm = "rsa-sha256";
  Arc arc = w.validate(arc_set(kMail, rsa_key(), how) + kMail);
  CHECK(arc.result == ArcResult::fail);
  CHECK(arc.problem.find("exponent") != std::string::npos);
}

TEST_CASE("an older message signature that is malformed or without key does not break the chain") {
  World w;
  for (const char* bad : {"c=x", "key"}) {
    ArcSetting first = setting(1);
    if (bad == std::string_view("c=x")) first.message_signature.tags = "l=x;";
    std::string message = sealed(kMail, first);
    if (bad == std::string_view("key")) {
      // The seal of set 1 stays; its message signature names a key that there is not.
      message = kMail;
      ArcSetting other = setting(1);
      std::string set = arc_set(message, ed_key(), other);
      CHECK(w.validate(set + message).result == ArcResult::pass);
      message = set + message;
    }
    Arc arc = w.validate(sealed(message, setting(2)));
    CAPTURE(bad, arc.problem);
    CHECK(arc.result == ArcResult::pass);
    CHECK(arc.oldest_pass == (bad == std::string_view("c=x") ? 2 : 0));
  }
}

TEST_CASE("a chain that was declared broken has ended") {
  World w;
  ArcSetting last = setting(2);
  last.cv = "fail";
  last.alone = true;
  Arc arc = w.validate(sealed(chain_of(1), last));
  CHECK(arc.result == ArcResult::fail);
  CHECK(arc.ended);
  CHECK(arc.instance == 2);
  CHECK(arc.problem.find("cv=fail") != std::string::npos);
  CHECK(w.resolver.asked().empty());
  CHECK_FALSE(w.validate(replaced(chain_of(1), "Dinner", "x")).ended);
}

TEST_CASE("keys are asked for once, and those of older sets only behind good signatures") {
  World w;
  CHECK(w.validate(chain_of(50)).result == ArcResult::pass);
  CHECK(w.resolver.asked().size() == 1);
  // Fifty sets of a hundred domains of victims, with rubbish for signatures.
  std::string forged;
  for (int i = 50; i > 0; --i) {
    std::string n = std::to_string(i), domain = "victim" + n + ".example";
    forged += "ARC-Seal: i=" + n + "; a=rsa-sha256; cv=" + (i == 1 ? "none" : "pass") + "; d=" + domain + "; s=s; b=QUJD\r\n";
    forged += "ARC-Message-Signature: i=" + n + "; a=rsa-sha256; d=m." + domain + "; s=s; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=QUJD\r\n";
    forged += "ARC-Authentication-Results: i=" + n + "; mx; none\r\n";
  }
  w.resolver.forget_asked();
  Arc arc = w.validate(forged + kMail);
  CHECK(arc.result == ArcResult::fail);
  CHECK(arc.instance == 50);
  CHECK(w.resolver.asked().size() <= 2 * kArcWave);
}

TEST_CASE("the order of a broken and an unreachable key is told by the newest") {
  World w;
  ArcSetting second = setting(2);
  second.selector = "slow";
  w.add("slow._domainkey.example.com", "TIMEOUT");
  Arc arc = w.validate(sealed(chain_of(1), second));
  CHECK(arc.result == ArcResult::temperror);
  CHECK(arc.instance == 2);
}

TEST_CASE("a header that is too large fails, and odd messages are read") {
  World w;
  std::string many;
  for (int i = 0; i < 2'100; ++i) many += "X: y\r\n";
  Arc arc = w.validate(sealed(many + kMail, setting(1)));
  CHECK(arc.result == ArcResult::fail);
  CHECK(arc.problem.find("too large") != std::string::npos);
  CHECK(w.validate(sealed("Big: " + std::string(1'100'000, 'x') + "\r\n" + kMail, setting(1))).result == ArcResult::fail);
  for (const std::string& odd : {std::string("From: a@example.org\r\n\r\n"), std::string("From: a@example.org\r\n\r\nno end"),
                                 std::string("To: x\r\n\r\nno from\r\n"), std::string("From: a\r\nSubject: a\0b\r\n\r\nx\0y\r\n", 30)}) {
    CAPTURE(printable(odd));
    CHECK(w.validate(sealed(odd, setting(1))).result == ArcResult::pass);
  }
}

TEST_CASE("hostile chains cost little") {
  World w;
  std::string fields;
  for (int i = 0; i < 10'000; ++i) fields += "ARC-Message-Signature: i=" + std::to_string(i % 50 + 1) + "; b=QQ==\r\n";
  auto of = [&](const std::string& text) { return testing::thread_time([&] { REQUIRE(w.validate(text).result != ArcResult::temperror); }); };
  CHECK(of(fields + kMail) < postern::testing::out_of_bounds(std::chrono::milliseconds(100)));
  // Every signature verifies, h= names two hundred fields, and the fields are large.
  std::string heavy;
  for (int i = 0; i < 100; ++i) heavy += "X-" + std::to_string(i) + ": " + std::string(8'000, 'x') + "\r\n";
  heavy += kMail;
  for (unsigned i = 1; i <= 50; ++i) {
    ArcSetting how = setting(i);
    for (int n = 0; n < 100; ++n) how.message_signature.fields.push_back("X-" + std::to_string(n));
    for (int n = 0; n < 90; ++n) how.message_signature.fields.push_back("From");
    heavy = sealed(heavy, how);
  }
  Arc arc = w.validate(heavy);
  CAPTURE(arc.problem);
  CHECK((arc.result == ArcResult::pass || arc.problem.find("too large") != std::string::npos));
  CHECK(of(heavy) < postern::testing::out_of_bounds(std::chrono::milliseconds(500)));
}

TEST_CASE("Authentication-Results says what RFC 8617 10 has words for") {
  Arc arc;
  auto text = [&](const std::string& ip) { return mail::authentication_results_field("mx", {arc_auth_result(arc, ip)}); };
  CHECK(text("") == "Authentication-Results: mx;\r\n\tarc=none\r\n");
  arc.result = ArcResult::pass;
  CHECK(text("192.0.2.1") == "Authentication-Results: mx;\r\n\tarc=pass\r\n\t header.oldest-pass=0\r\n\t smtp.remote-ip=192.0.2.1\r\n");
  arc.result = ArcResult::temperror;
  arc.problem = "DNS is silent";
  CHECK(text("") == "Authentication-Results: mx;\r\n\tarc=temperror reason=\"DNS is silent\"\r\n");
}
