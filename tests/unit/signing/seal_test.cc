// Our ARC Sets, judged by our own validator, whose judges are the suite and the tests' own signer.
#include "gateway/signing/seal.h"

#include "filters/arc.h"
#include "gateway/base/text.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/tag_list.h"
#include "gateway/signing/signature.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::signing;

namespace {

const Time kNow = from_unix(1'795'492'742);
const std::string kMail =
    "DKIM-Signature: v=1; d=else.example; b=QQ==\r\nReceived: by x\r\nFrom: Alice <alice@corp.example>\r\nTo: bob@example.net\r\n"
    "Subject: hi\r\nList-Id: <l.corp.example>\r\n\r\nbody\r\n";

struct World {
  Keys keys;
  dns::FixedResolver resolver;
  io::Loop loop;

  World() {
    for (auto [selector, algorithm] : {std::pair("r", Algorithm::rsa), std::pair("e", Algorithm::ed25519)}) {
      auto made = make_key("corp.example", selector, algorithm, kNow);
      REQUIRE(made);
      REQUIRE(resolver.zone().add(made->record_name(), "TXT", made->record_text()));
      keys.push_back(std::move(*made));
    }
  }
  filters::Arc validate(const std::string& message) {
    Octets octets(message);
    return loop.block_on(filters::validate_arc(octets, resolver, nullptr, kNow, in(std::chrono::seconds(60))));
  }
};

Sealing sealing(ChainStatus status, std::string payload = "mx.corp.example;\r\n\tspf=pass smtp.mailfrom=alice@corp.example") {
  Sealing out;
  out.status = status;
  out.payload = std::move(payload);
  return out;
}

std::string tag(const mail::HeaderField& field, std::string_view name) {
  auto tags = mail::TagList::parse_strictly(field.raw);
  REQUIRE(tags);
  return mail::without_space(tags->find(name).value_or("(none)"));
}

std::string why_not(const std::string& message, const Sealing& how, const Key& key) {
  auto made = seal(message, how, key, kNow);
  return made ? "(made) " + *made : made.error().text;
}

}  // namespace

TEST_CASE("a set has its three fields in order, complete and folded") {
  World w;
  auto made = seal(kMail, sealing(ChainStatus::none), w.keys[0], kNow);
  REQUIRE(made);
  mail::HeaderBlock header(*made);
  REQUIRE(header.fields().size() == 3);
  const auto& as = header.fields()[0];
  const auto& ams = header.fields()[1];
  const auto& aar = header.fields()[2];
  CHECK(as.name == "ARC-Seal");
  CHECK(ams.name == "ARC-Message-Signature");
  CHECK(aar.name == "ARC-Authentication-Results");
  CHECK(aar.raw == " i=1; mx.corp.example;\r\n\tspf=pass smtp.mailfrom=alice@corp.example");
  for (const auto* field : {&as, &ams}) {
    CHECK(trimmed(field->raw).starts_with("i=1; a=rsa-sha256;"));   // RFC 8617 4.1.2: the instance stands first
    CHECK(tag(*field, "d") == "corp.example");
    CHECK(tag(*field, "s") == "r");
    CHECK(tag(*field, "t") == std::to_string(to_unix(kNow)));
  }
  CHECK(tag(as, "cv") == "none");
  CHECK(tag(as, "h") == "(none)");
  CHECK(tag(as, "bh") == "(none)");
  CHECK(tag(ams, "c") == "relaxed/relaxed");
  CHECK(tag(ams, "cv") == "(none)");
  auto names = split(tag(ams, "h"), ':');
  auto covers = [&, list = tag(ams, "h")](std::string_view name) { return ifind(":" + list + ":", ":" + std::string(name) + ":") != std::string::npos; };
  for (const char* name : {"From", "To", "Subject", "List-Id", "DKIM-Signature", "Reply-To"}) CHECK(covers(name));
  for (const char* name : {"Authentication-Results", "Received", "ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"}) CHECK_FALSE(covers(name));
  CHECK(made->ends_with("\r\n"));
  for (auto line : split(*made, '\n')) CHECK(line.size() <= 79);
  CHECK(w.validate(*made + kMail).result == filters::ArcResult::pass);
}

TEST_CASE("our chains validate, with RSA and Ed25519, up to the fiftieth set and not beyond") {
  World w;
  std::string message = kMail;
  for (unsigned i = 1; i <= 50; ++i) {
    auto made = seal(message, sealing(i == 1 ? ChainStatus::none : ChainStatus::pass), w.keys[i % 2], kNow);
    REQUIRE(made);
    message = *made + message;
    if (i != 1 && i != 2 && i != 50) continue;
    auto arc = w.validate(message);
    CAPTURE(i, arc.problem);
    CHECK(arc.result == filters::ArcResult::pass);
    CHECK(arc.sets.size() == i);
    CHECK(arc.oldest_pass == (i <= 10 ? 0 : 41));
  }
  CHECK(why_not(message, sealing(ChainStatus::pass), w.keys[0]).find("as many") != std::string::npos);
}

TEST_CASE("our DKIM signature and our set hold together") {
  World w;
  auto signatures = signatures_of(kMail, {&w.keys[0]}, kNow);
  REQUIRE(signatures);
  auto message = *signatures + kMail;
  auto made = seal(message, sealing(ChainStatus::none), w.keys[1], kNow);
  REQUIRE(made);
  CHECK(w.validate(*made + message).result == filters::ArcResult::pass);
  // Taking the signature away is a change.
  CHECK(w.validate(*made + kMail).result == filters::ArcResult::fail);
  // What comes on top on the way is none.
  CHECK(w.validate("Received: by y\r\nDKIM-Signature: v=1; b=QQ==\r\n" + *made + message).result == filters::ArcResult::pass);
}

TEST_CASE("a chain that fails gets one last set, which covers itself alone, and no more") {
  World w;
  auto first = seal(kMail, sealing(ChainStatus::none), w.keys[0], kNow);
  REQUIRE(first);
  std::string broken = *first + kMail;
  broken.replace(broken.find("Subject: hi"), 11, "Subject: ho");
  REQUIRE(w.validate(broken).result == filters::ArcResult::fail);
  auto last = seal(broken, sealing(ChainStatus::fail), w.keys[0], kNow);
  REQUIRE(last);
  mail::HeaderBlock header(*last);
  CHECK(tag(header.fields()[0], "cv") == "fail");
  CHECK(tag(header.fields()[0], "i") == "2");
  auto arc = w.validate(*last + broken);
  CHECK(arc.ended);
  CHECK(arc.result == filters::ArcResult::fail);
  // The seal stands without what was broken before it.
  auto alone = seal(kMail, sealing(ChainStatus::none), w.keys[0], kNow);
  REQUIRE(alone);
  for (ChainStatus status : {ChainStatus::fail, ChainStatus::pass, ChainStatus::none}) {
    auto more = seal(*last + broken, sealing(status), w.keys[0], kNow);
    REQUIRE(more);
    CHECK(more->empty());
  }
}

TEST_CASE("a chain broken in its structure can be declared so too") {
  World w;
  auto first = seal(kMail, sealing(ChainStatus::none), w.keys[0], kNow);
  REQUIRE(first);
  auto doubled = *first + *first + kMail;
  auto last = seal(doubled, sealing(ChainStatus::fail), w.keys[0], kNow);
  REQUIRE(last);
  CHECK(w.validate(*last + doubled).ended);
  CHECK(why_not(doubled, sealing(ChainStatus::pass), w.keys[0]).find("does not pass") != std::string::npos);
}

TEST_CASE("what cannot be sealed is not, and the reason is told") {
  World w;
  auto first = seal(kMail, sealing(ChainStatus::none), w.keys[0], kNow);
  REQUIRE(first);
  CHECK(why_not(kMail, sealing(ChainStatus::pass), w.keys[0]).find("not the one") != std::string::npos);
  CHECK(why_not(kMail, sealing(ChainStatus::fail), w.keys[0]).find("not the one") != std::string::npos);
  CHECK(why_not(*first + kMail, sealing(ChainStatus::none), w.keys[0]).find("not the one") != std::string::npos);
  for (const char* payload : {"", "mx\r\nFrom: evil@example.org", "mx; x\r", "mx; x\n\ty", "mx; x\r\n", "mx; x\r\n\r\n y"}) {
    CAPTURE(payload);
    CHECK(why_not(kMail, sealing(ChainStatus::none, payload), w.keys[0]).find("no field") != std::string::npos);
  }
  CHECK(why_not(kMail, sealing(ChainStatus::none, "mx; " + std::string(20'000, 'x')), w.keys[0]).find("too long") != std::string::npos);
  CHECK(why_not("Subject: a\fb\r\n" + kMail, sealing(ChainStatus::none), w.keys[0]).find("form feed") != std::string::npos);
  for (std::string_view field : {"Authentication-Results", "arc-seal"}) {
    auto how = sealing(ChainStatus::none);
    how.fields = {"from", field};
    CHECK(why_not(kMail, how, w.keys[0]).find("cannot be covered") != std::string::npos);
  }
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += "ARC-Seal: i=1; cv=none; b=QQ==\r\n";
  CHECK(why_not(many + kMail, sealing(ChainStatus::fail), w.keys[0]).find("as many") != std::string::npos);
  auto continued = seal(" From: a@b.example\r\n\r\nx\r\n", sealing(ChainStatus::none), w.keys[0], kNow);
  REQUIRE_FALSE(continued);
  CHECK(continued.error().text.find("white space") != std::string::npos);
}

TEST_CASE("a chain that could not be checked now is left as it is") {
  World w;
  auto first = seal(kMail, sealing(ChainStatus::none), w.keys[0], kNow);
  REQUIRE(first);
  auto made = seal(*first + kMail, sealing(ChainStatus::unknown), w.keys[0], kNow);
  REQUIRE(made);
  CHECK(made->empty());
}

TEST_CASE("where there is no chain nobody need have looked") {
  World w;
  auto made = seal(kMail, sealing(ChainStatus::unknown), w.keys[0], kNow);
  REQUIRE(made);
  CHECK(w.validate(*made + kMail).result == filters::ArcResult::pass);
}

TEST_CASE("the status of the chain is what our own results say") {
  CHECK(chain_status("mx; spf=pass; arc=none") == ChainStatus::none);
  CHECK(chain_status("mx; arc=pass header.oldest-pass=0") == ChainStatus::pass);
  CHECK(chain_status("mx; arc=fail reason=\"arc=pass\"") == ChainStatus::fail);
  CHECK(chain_status("mx; arc=temperror") == ChainStatus::unknown);
  CHECK(chain_status("mx; spf=pass reason=\"; arc=pass\"") == ChainStatus::unknown);
  CHECK(chain_status("mx; arc=none; arc=pass") == ChainStatus::unknown);
  CHECK(chain_status("") == ChainStatus::unknown);
}
