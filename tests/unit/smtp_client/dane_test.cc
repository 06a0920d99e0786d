// TLSA records: which are found, which count, and what a handshake makes of them.
#include "gateway/smtp_client/dane.h"

#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <cstdio>

#include "gateway/dns/fixed_resolver.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/smtp_client/peer.h"

using namespace postern;
using namespace postern::smtp_client;
using namespace postern::smtp_client::test;

namespace {

using Found = TlsaRecords::Kind;

// Vouches for every name below "signed.test".
class Signed : public dns::Resolver {
 public:
  explicit Signed(std::string_view zone) {
    auto added = zone_.zone().add_text(zone);
    if (!added) FAIL(added.error().text);
  }
  io::Task<dns::Answer> query(std::string name, dns::Type type, Deadline deadline) override {
    auto answer = co_await zone_.query(name, type, deadline);
    answer.authentic = name.ends_with("signed.test");
    co_return answer;
  }
  const std::vector<std::string>& asked() const { return zone_.asked(); }

 private:
  dns::FixedResolver zone_;
};

const std::string kSha256(64, 'a');

TlsaRecords found_in(const std::string& zone, const char* host = "mx.signed.test") {
  Signed resolver(zone);
  io::Loop loop;
  return loop.block_on(find_tlsa(resolver, host, 25, in(5s)));
}

// A server's certificate with its digests.
struct Certified {
  std::shared_ptr<const io::TlsContext> context;
  std::string certificate;   // SHA-256 of the whole
  std::string key;           // SHA-256 of its key

  Certified() {
    postern::test::TemporaryDirectory directory;
    postern::test::write_certificate(directory.path(), "mx.example.test");
    auto file = directory.path() + "/tls.crt";
    context = io::TlsContext::server(file, directory.path() + "/tls.key").value();
    std::FILE* opened = std::fopen(file.c_str(), "r");
    X509* read = PEM_read_X509(opened, nullptr, nullptr, nullptr);
    std::fclose(opened);
    unsigned char* der = nullptr;
    int length = i2d_X509(read, &der);
    certificate = digest(der, length);
    der = nullptr;
    length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(read), &der);
    key = digest(der, length);
    X509_free(read);
  }

 private:
  static std::string digest(unsigned char* der, int length) {
    unsigned char out[SHA256_DIGEST_LENGTH];
    SHA256(der, static_cast<std::size_t>(length), out);
    OPENSSL_free(der);
    return {reinterpret_cast<const char*>(out), sizeof out};
  }
};

Play with_records(const Certified& server, std::vector<io::Tlsa> records) {
  Play play("S: 220 mx.test ESMTP\nC: EHLO gate.test\nS: 250-mx.test\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nTLS\nC: EHLO gate.test\nS: 250 mx.test\n");
  play.target.tls = TlsPolicy::dane;
  play.target.tlsa = std::move(records);
  play.server.tls = server.context;
  play.messages = 0;
  return play;
}

io::Tlsa record(int usage, int selector, int matching, std::string data) {
  return {static_cast<std::uint8_t>(usage), static_cast<std::uint8_t>(selector), static_cast<std::uint8_t>(matching), std::move(data)};
}

}  // namespace

TEST_CASE("records that DNSSEC vouches for are found at the port and the host") {
  auto found = found_in("_25._tcp.mx.signed.test TLSA 3 1 1 " + kSha256);
  CHECK(found.kind == Found::usable);
  CHECK(found.base == "mx.signed.test");
  CHECK(found.owner == "_25._tcp.mx.signed.test");
  REQUIRE(found.records.size() == 1);
  CHECK(found.records[0] == record(3, 1, 1, std::string(32, '\xaa')));
}

TEST_CASE("without records, or with ones that nobody vouches for, DANE does not apply") {
  CHECK(found_in("mx.signed.test A 192.0.2.1").kind == Found::none);
  CHECK(found_in("_25._tcp.mx.plain.test TLSA 3 1 1 " + kSha256, "mx.plain.test").kind == Found::none);
  CHECK(found_in("_26._tcp.mx.signed.test TLSA 3 1 1 " + kSha256).kind == Found::none);
}

TEST_CASE("a host whose records cannot be had is not used") {
  for (const char* fault : {"SERVFAIL", "TIMEOUT", "RUBBISH"}) {
    auto found = found_in("_25._tcp.mx.signed.test TLSA " + std::string(fault));
    CHECK(found.kind == Found::failed);
    CHECK(found.words.find("DNS gives no answer for _25._tcp.mx.signed.test TLSA: ") == 0);
  }
  CHECK(found_in("mx.signed.test CNAME SERVFAIL").kind == Found::failed);
}

TEST_CASE("records that mean nothing are unusable, and one that does is enough") {
  for (const char* bad : {"1 1 1 ", "0 0 1 ", "2 2 1 ", "3 1 3 ", "4 1 1 "}) {
    INFO(bad);
    CHECK(found_in("_25._tcp.mx.signed.test TLSA " + (bad + kSha256)).kind == Found::unusable);
  }
  CHECK(found_in("_25._tcp.mx.signed.test TLSA 3 1 1 abcd").kind == Found::unusable);
  CHECK(found_in("_25._tcp.mx.signed.test TLSA 3 1 2 " + kSha256).kind == Found::unusable);
  auto mixed = found_in("_25._tcp.mx.signed.test TLSA 1 1 1 " + kSha256 + "\n_25._tcp.mx.signed.test TLSA 2 0 1 " + kSha256);
  CHECK(mixed.kind == Found::usable);
  CHECK(mixed.records.size() == 1);
}

TEST_CASE("behind a CNAME the records of its end come first, then those of the alias") {
  const std::string zone = "mx.signed.test CNAME end.signed.test\nend.signed.test A 192.0.2.1\n_25._tcp.mx.signed.test TLSA 3 1 1 " + kSha256;
  auto alias = found_in(zone);
  CHECK(alias.kind == Found::usable);
  CHECK(alias.base == "mx.signed.test");
  auto end = found_in(zone + "\n_25._tcp.end.signed.test TLSA 3 0 1 " + kSha256);
  CHECK(end.base == "end.signed.test");
  CHECK(found_in(zone + "\n_25._tcp.end.signed.test TLSA SERVFAIL").kind == Found::failed);
}

TEST_CASE("a certificate that the records name is taken whatever else is wrong with it") {
  Certified server;
  for (const auto& named : {record(3, 1, 1, server.key), record(3, 0, 1, server.certificate)}) {
    auto play = with_records(server, {named});
    CHECK(play.run().connected);
    CHECK(play.was_tls);
  }
  auto among = with_records(server, {record(3, 1, 1, std::string(32, 'x')), record(3, 1, 1, server.key)});
  CHECK(among.run().connected);
  // Of the host itself no name is asked (RFC 7672 3.1.1).
  auto other_name = with_records(server, {record(3, 1, 1, server.key)});
  other_name.target.tls_name = "elsewhere.example.test";
  CHECK(other_name.run().connected);
}

TEST_CASE("a certificate that the records do not name breaks the handshake") {
  Certified server;
  auto play = with_records(server, {record(3, 1, 1, std::string(32, 'x'))});
  play.server.breaks_off = true;
  CHECK_FALSE(play.run().connected);
  CHECK(play.failure.kind == Kind::tls_failed);
  CHECK(play.failure.tls == Outcome::Tls::certificate_untrusted);
  CHECK(play.failure.sentence().find("matching DANE TLSA records") != std::string::npos);
}

TEST_CASE("a server without TLS is refused where there are records") {
  Certified server;
  auto play = with_records(server, {record(3, 1, 1, server.key)});
  play.server.script = hello({});
  CHECK_FALSE(play.run().connected);
  CHECK(play.failure.kind == Kind::tls_failed);
  CHECK(play.failure.tls == Outcome::Tls::not_offered);
}

TEST_CASE("a certificate that is only observed is taken, and what is wrong with it is known") {
  Certified server;
  auto play = with_records(server, {});
  play.target.tls = TlsPolicy::may;
  play.target.observe = true;
  CHECK(play.run().connected);
  CHECK(play.was_tls);
  CHECK(play.fault == io::CertificateFault::untrusted);
}
