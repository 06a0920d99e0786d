// DKIM against mails that others signed: the examples of RFC 6376 and RFC 8463, mail of real signers
// (suites/dkim/mail-auth), and dkimpy's test data (suites/dkim/dkimpy) with what dkimpy 1.1.4 says of each.
#include <map>
#include <string>
#include <vector>

#include "filters/dkim.h"
#include "gateway/base/text.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "gateway/io/worker_pool.h"
#include "tests/support/catch.h"
#include "tests/support/dkim_signer.h"
#include "tests/support/suites.h"

using namespace postern;
using namespace postern::filters;
using test::DkimSigning;
using test::DkimTestKey;
using test::read_file;
using test::with_crlf;

namespace {

const Time kNow = from_unix(1'764'000'000);
using Keys = std::map<std::string, std::string>;  // name -> TXT

Dkim verify(std::string mail, const Keys& keys, Time now = kNow) {
  dns::FixedResolver resolver;
  for (const auto& [name, record] : keys) REQUIRE(resolver.zone().add(name, "TXT", record));
  io::Loop loop;
  io::WorkerPool workers(1);
  Octets octets(std::move(mail));
  return loop.block_on(verify_dkim(octets, resolver, &workers, now, in(std::chrono::seconds(5))));
}

std::vector<std::string> results(const Dkim& dkim) {
  std::vector<std::string> out;
  for (const auto& signature : dkim.signatures) out.emplace_back(name(signature.result));
  return out;
}

std::string problems(const Dkim& dkim) {
  std::string out;
  for (const auto& signature : dkim.signatures) out += signature.problem + "; ";
  return out;
}

std::filesystem::path dkimpy() { return *test::suites() / "dkim" / "dkimpy"; }
std::string stored_mail(const char* file) { return with_crlf(read_file(dkimpy() / file)); }
std::string text(const char* file) { return std::string(trimmed(read_file(dkimpy() / file))); }

const char* const kGmail =
    "k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1Kd87/UeJjenpabgbFwh+eBCsSTrqmwIYYvywlbhbqoo2DymndFkbjOVIPIldNs/"
    "m40KF+yzMn1skyoxcTUGCQs8g3FgD2Ap3ZB5DekAo5wMmk4wimDO+U8QzI3SD07y2+07wlNWwIt8svnxgdxGkVbbhzY8i+RQ9DpSVpPbF7ykQxtKXkv/"
    "ahW3KjViiAH+ghvvIhkx4xYSIc9oSwVmAl5OctMEeWUwg8Istjqz8BZeTWbf41fbNhte7Y+YqZOwq1Sd0DbvYAD9NOZK9vlfuac0598HY+vtSBczUiKE"
    "RHv1yRbcaQtZFh5wtiRrN04BLUTD21MycBX5jYchHjPY/wIDAQAB";

Keys all_keys() {
  return {
      {"test._domainkey.football.example.com", text("test.txt")},
      {"brisbane._domainkey.football.example.com", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="},  // RFC 8463 A.2
      {"sed._domainkey.test.ex", text("eximtest.dns")},
      {"20120113._domainkey.gmail.com", kGmail},
  };
}

// Signs dkimpy's message with one of its private keys and verifies with one of its public records.
Dkim sign_and_verify(const char* key_file, const std::string& record, DkimSigning how, const char* message = "test.message") {
  how.domain = "example.com";
  how.selector = "test";
  std::string unsigned_mail = stored_mail(message);
  std::string field = dkim_field(unsigned_mail, DkimTestKey::read(read_file(dkimpy() / key_file)), how);
  return verify(field + unsigned_mail, {{"test._domainkey.example.com", record}});
}

const char* const kWays[] = {"simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"};

}  // namespace

TEST_CASE("mails of mail-auth verify, RFC 8463 (001) and RFC 6376 (002) among them") {
  if (!test::suites()) return;
  struct Case { const char* file; Time now; std::vector<std::string> want; };
  const Case cases[] = {
      {"001.txt", kNow, {"pass", "pass"}},
      {"002.txt", kNow, {"pass"}},         // its key is a bare RSAPublicKey
      {"003.txt", kNow, {"pass", "pass"}},
      {"004.txt", kNow, {"pass"}},
      {"005.txt", from_unix(1'667'850'000), {"pass"}},
      {"005.txt", kNow, {"policy"}},       // x= was in November 2022
      {"006.txt", kNow, {"pass"}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.file);
    std::string content = read_file(*test::suites() / "dkim" / "mail-auth" / c.file);
    std::size_t begin = content.find("\n\n");
    REQUIRE(begin != std::string::npos);
    Keys keys;
    for (std::string_view line : split(std::string_view(content).substr(0, begin), '\n')) {
      std::size_t space = line.find(' ');
      keys[std::string(line.substr(0, space))] = line.substr(space + 1);
    }
    Dkim out = verify(with_crlf(content.substr(begin + 2)), keys, c.now);
    CAPTURE(problems(out));
    CHECK(results(out) == c.want);
  }
}

TEST_CASE("every message of dkimpy gives what dkimpy gives, or the difference has a reason") {
  if (!test::suites()) return;
  // dkimpy has no word but True and False; where it says False there is no signature, or as told.
  struct Case { const char* file; std::vector<std::string> want; const char* dkimpy; };
  const Case cases[] = {
      {"ed25519test.msg", {}, "unsigned"},
      {"ed25519test2.msg", {"pass"}, "True (signed by Exim)"},
      {"message.mbox", {"permerror"}, "False: the suite has no key of kitterman.com, so ours is \"no key\""},
      {"rfc6376.msg", {}, "unsigned"},
      {"rfc6376.signed.msg", {"pass", "pass"}, "True, True"},
      {"rfc6376.signed.rsa.msg", {"pass"}, "True"},
      {"rfc6376.w1258.msg", {}, "unsigned"},
      {"test.message", {}, "unsigned"},
      {"test.message.baddomain", {"permerror"}, "ValidationError: d= is no domain"},
      {"test2.message", {"pass"}, "True (degenerate folding, Debian bug 711751)"},
      {"test_extra.message", {}, "unsigned"},
      {"test_nofrom.message", {}, "unsigned"},
  };
  std::size_t messages = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dkimpy())) {
    std::string file = entry.path().filename();
    bool is_message = file.ends_with(".msg") || file.ends_with(".message") || file.ends_with(".mbox") || file.ends_with(".baddomain");
    messages += is_message ? 1 : 0;
  }
  CHECK(messages == std::size(cases));
  for (const Case& c : cases) {
    CAPTURE(c.file, c.dkimpy);
    Dkim out = verify(stored_mail(c.file), all_keys());
    CAPTURE(problems(out));
    CHECK(results(out) == c.want);
  }
}

TEST_CASE("every key of dkimpy verifies what its private half signed, in all canonicalisations") {
  if (!test::suites()) return;
  struct Pair { const char* key; const char* record; };
  const Pair pairs[] = {
      {"1024_testkey.key", "1024_testkey_wo_markers.pub.txt"}, {"1024_testkey.key", "1024_testkey_wo_markers.pub.rsa.txt"},
      {"2048_testkey.key", "2048_testkey_wo_markers.pub.txt"}, {"2048_testkey.key", "2048_testkey_wo_markers.pub.rsa.txt"},
      {"2048_testkey_PKCS8.key", "2048_testkey_PKCS8.key.pub.txt"},
      {"test.private", "test.txt"}, {"test.private", "test2.txt"},  // test2: no k=, which means rsa
      {"ed25519test.key", "ed25519test.dns"},
  };
  for (const Pair& pair : pairs) {
    for (const char* ways : kWays) {
      CAPTURE(pair.key, pair.record, ways);
      DkimSigning how;
      how.canonicalization = ways;
      how.fields = {"Message-ID", "Date", "From", "To", "Subject", "From"};
      Dkim out = sign_and_verify(pair.key, text(pair.record), how);
      CAPTURE(problems(out));
      CHECK(results(out) == std::vector<std::string>{"pass"});
    }
  }
}

TEST_CASE("RFC 8032's first key signs and verifies as in RFC 8463") {
  if (!test::suites()) return;
  Dkim out = sign_and_verify("rfc8032_7_1.key", all_keys()["brisbane._domainkey.football.example.com"], {}, "rfc6376.msg");
  CHECK(results(out) == std::vector<std::string>{"pass"});
}

TEST_CASE("the bad keys of dkimpy are refused") {
  if (!test::suites()) return;
  struct Case { const char* record; const char* word; };
  const Case cases[] = {
      {"badversion.txt", "version"},     // "v=DKIM1: g=*": a colon for a semicolon
      {"badk.txt", "type"},              // k=ed25519-sha256
      {"test_bad.txt", "DER"},           // cut short
      {"test_tlsrpt.txt", "not for mail"},  // s=tlsrpt
  };
  for (const Case& c : cases) {
    CAPTURE(c.record);
    Dkim out = sign_and_verify("test.private", text(c.record), {});
    REQUIRE(results(out) == std::vector<std::string>{"permerror"});
    CHECK(out.signatures[0].problem.find(c.word) != std::string::npos);
  }
  // dkimpy's test_catch_bad_key: a key whose DER is damaged.
  Keys damaged = {{"test._domainkey.football.example.com",
                   "k=rsa; p=MFwwDQYJKoZIhvNAQEBBQADSwAwSAJBANmBe10IgY+u7h3enWTukkqtUD5PR52Tb/mPfjC0QJTocVBq6Za/PlzfV+Py92VaCak19F4WrbVTK5Gg5tW220MCAwEAAQ=="}};
  CHECK(results(verify(stored_mail("rfc6376.signed.rsa.msg"), damaged)) == std::vector<std::string>{"permerror"});
}

TEST_CASE("what dkimpy's own tests do to a signed message ends alike, but where named") {
  if (!test::suites()) return;
  for (const char* ways : kWays) {
    CAPTURE(ways);
    DkimSigning how;
    how.domain = "example.com";
    how.selector = "test";
    how.canonicalization = ways;
    how.fields = {"Message-ID", "Date", "From", "To", "Subject", "From"};
    Keys keys = {{"test._domainkey.example.com", text("test.txt")}};
    DkimTestKey key = DkimTestKey::read(read_file(dkimpy() / "test.private"));
    std::string unsigned_mail = stored_mail("test.message");
    std::string field = dkim_field(unsigned_mail, key, how);
    std::size_t end = unsigned_mail.find("\r\n\r\n") + 2;

    // test_altered_body_fails, test_multiple_from_fails
    CHECK(results(verify(field + unsigned_mail + "foo", keys)) == std::vector<std::string>{"fail"});
    std::string more = unsigned_mail, from_behind = unsigned_mail;
    more.insert(end, "X-Foo: bar\r\n");
    from_behind.insert(end, "From: \"Resident Evil\" <sales@spammer.com>\r\n");
    CHECK(results(verify(field + more, keys)) == std::vector<std::string>{"pass"});
    CHECK(results(verify(field + from_behind, keys)) == std::vector<std::string>{"fail"});
    CHECK(results(verify("From: \"Resident Evil\" <sales@spammer.com>\r\n" + field + unsigned_mail, keys)) == std::vector<std::string>{"fail"});

    // test_l_verify.  DIFFERENCE: dkimpy lets text be added behind l=; for us unsigned octets are no pass (policy).
    how.body_length = static_cast<long>(canonical_body_size(std::string_view(unsigned_mail).substr(end + 2), how.canonicalization.ends_with("relaxed")));
    std::string with_length = dkim_field(unsigned_mail, key, how);
    CHECK(results(verify(with_length + unsigned_mail, keys)) == std::vector<std::string>{"pass"});
    CHECK(results(verify(with_length + unsigned_mail + "added more text\r\n", keys)) == std::vector<std::string>{"policy"});

    // test_non_utf8.  DIFFERENCE: dkimpy fails on octets of Windows-1258 in From; they are signed octets like any.
    how.body_length = -1;
    std::string vietnamese = stored_mail("rfc6376.w1258.msg");
    CHECK(results(verify(dkim_field(vietnamese, key, how) + vietnamese, keys)) == std::vector<std::string>{"pass"});

    // test_no_from_fails.  DIFFERENCE: dkimpy will not sign mail without From.  A verifier meets what others
    // signed: h= names From, which is there zero times, and that is what was signed.
    std::string no_from = stored_mail("test_nofrom.message");
    CHECK(results(verify(dkim_field(no_from, key, how) + no_from, keys)) == std::vector<std::string>{"pass"});

    // test_extra_headers: fields that stand several times
    how.fields = {"Received", "Received", "From", "Subject"};
    for (const char* message : {"message.mbox", "test_extra.message"}) {
      std::string extra = stored_mail(message);
      Dkim out = verify(dkim_field(extra, key, how) + extra, keys);
      REQUIRE_FALSE(out.signatures.empty());
      CHECK(name(out.signatures[0].result) == "pass");
    }
  }
}
