// STARTTLS by each policy, implicit TLS, and AUTH over it.
#include <cstdlib>

#include "tests/support/temporary_directory.h"
#include "tests/unit/smtp_client/peer.h"

using namespace postern;
using namespace postern::smtp_client;
using namespace postern::smtp_client::test;

namespace {

const std::string kStart = "C: STARTTLS\nS: 220 go\nTLS\nC: EHLO gate.test\nS: 250-mx.test\nS: 250 SIZE 7\n";

Play with_tls(std::string script, TlsPolicy policy) {
  Play play(std::move(script));
  play.target.tls = policy;
  play.server.tls = postern::test::server_context();
  play.messages = 0;
  return play;
}

// A server's certificate for mx.example.test that the system trusts, while this lives.
class Trusted {
 public:
  Trusted() {
    postern::test::write_certificate(directory_.path(), "mx.example.test");
    auto file = directory_.path() + "/tls.crt";
    setenv("SSL_CERT_FILE", file.c_str(), 1);
    context = io::TlsContext::server(file, directory_.path() + "/tls.key").value();
  }
  ~Trusted() { unsetenv("SSL_CERT_FILE"); }
  std::shared_ptr<const io::TlsContext> context;

 private:
  postern::test::TemporaryDirectory directory_;
};

Play smarthost(std::string offered, std::string dialogue) {
  auto play = with_tls("TLS\nS: 220 mx.test\nC: EHLO*\nS: 250-mx.test\nS: 250 " + offered + "\n" + dialogue, TlsPolicy::must);
  play.target.implicit_tls = true;
  play.target.login = Login();
  play.target.login->user = "me";
  play.target.login->password = "secret";
  return play;
}

}  // namespace

TEST_CASE("behind STARTTLS everything said before is forgotten") {
  for (auto policy : {TlsPolicy::may, TlsPolicy::must}) {
    auto play = with_tls(hello({"STARTTLS", "SIZE 1000", "PIPELINING"}) + kStart, policy);
    play.run();
    CHECK(play.connected);
    CHECK(play.was_tls);
    CHECK(play.offered.max_size == 7);
    CHECK_FALSE(play.offered.pipelining);
  }
}

TEST_CASE("STARTTLS is not asked for by the policy never, nor where it is not offered") {
  auto never = with_tls(hello({"STARTTLS"}), TlsPolicy::never);
  CHECK(never.run().connected);
  CHECK_FALSE(never.was_tls);
  auto may = with_tls(hello({}), TlsPolicy::may);
  CHECK(may.run().connected);
  CHECK_FALSE(may.was_tls);
}

TEST_CASE("a required TLS that is not offered or refused is a failure, an opportunistic one is done without") {
  for (auto policy : {TlsPolicy::must, TlsPolicy::verify}) {
    auto absent = with_tls(hello({}), policy);
    CHECK(absent.run().failure.kind == Kind::tls_failed);
    CHECK(absent.failure.step == Step::starttls);
    auto refused = with_tls(hello({"STARTTLS"}) + "C: STARTTLS\nS: 454 4.7.0 no key\n", policy);
    CHECK(refused.run().failure.kind == Kind::tls_failed);
    CHECK(refused.failure.sentence().find("454 4.7.0 no key") != std::string::npos);
  }
  auto may = with_tls(hello({"STARTTLS", "SIZE 5"}) + "C: STARTTLS\nS: 454 4.7.0 no key\n", TlsPolicy::may);
  CHECK(may.run().connected);
  CHECK(may.offered.max_size == 5);
}

TEST_CASE("plaintext behind the answer to STARTTLS is an error, never an answer") {
  // Both in one segment, as somebody in between would send them.
  auto injected = with_tls(hello({"STARTTLS"}) + "C: STARTTLS\nINJECT\nHANG\n", TlsPolicy::may);
  injected.run();
  CHECK_FALSE(injected.connected);
  CHECK(injected.failure.kind == Kind::protocol_error);
  CHECK(injected.failure.step == Step::starttls);
  CHECK(injected.failure.sentence().find("250 forged") != std::string::npos);
  // In the next segment it meets the handshake.
  auto later = with_tls(hello({"STARTTLS"}) + "C: STARTTLS\nS: 220 go\nS: 250 forged\nHANG\n", TlsPolicy::may);
  later.run();
  CHECK_FALSE(later.connected);
}

TEST_CASE("a handshake that fails is told, so that the caller can come again without") {
  for (const char* broken : {"S: this is no TLS\nHANG\n", "CLOSE\n"}) {
    auto play = with_tls(hello({"STARTTLS"}) + "C: STARTTLS\nS: 220 go\n" + broken, TlsPolicy::may);
    play.run();
    CHECK_FALSE(play.connected);
    CHECK((play.failure.kind == Kind::tls_failed || play.failure.kind == Kind::protocol_error));
  }
}

TEST_CASE("verify takes a trusted certificate with the right name") {
  Trusted trusted;
  auto play = with_tls(hello({"STARTTLS"}) + kStart, TlsPolicy::verify);
  play.server.tls = trusted.context;
  play.tls = TlsContexts();
  play.run();
  CHECK(play.connected);
  CHECK(play.was_tls);
}

TEST_CASE("verify refuses another name, an unknown issuer, and a target without a name") {
  {
    Trusted trusted;
    auto play = with_tls(hello({"STARTTLS"}) + "C: STARTTLS\nS: 220 go\nTLS\n", TlsPolicy::verify);
    play.server.tls = trusted.context;
    play.tls = TlsContexts();
    play.target.tls_name = "other.example.test";
    play.server.breaks_off = true;
    play.run();
    CHECK(play.failure.kind == Kind::tls_failed);
    CHECK(play.failure.sentence().find("hostname mismatch") != std::string::npos);
  }
  auto unknown = with_tls(hello({"STARTTLS"}) + "C: STARTTLS\nS: 220 go\nTLS\n", TlsPolicy::verify);
  unknown.server.breaks_off = true;
  unknown.run();
  CHECK(unknown.failure.kind == Kind::tls_failed);
  CHECK(unknown.failure.step == Step::tls);
  CHECK(unknown.failure.sentence().find("self-signed certificate") != std::string::npos);
  auto nameless = with_tls(hello({"STARTTLS"}) + "C: STARTTLS\nS: 220 go\n", TlsPolicy::verify);
  nameless.target.tls_name.clear();
  CHECK(nameless.run().failure.kind == Kind::tls_failed);
}

TEST_CASE("must and may take any certificate") {
  auto play = with_tls(hello({"STARTTLS"}) + kStart, TlsPolicy::must);
  play.target.tls_name = "other.example.test";
  CHECK(play.run().connected);
}

TEST_CASE("with implicit TLS the handshake comes before the greeting") {
  auto play = with_tls("TLS\nS: 220 mx.test\nC: EHLO*\nS: 250 mx.test\n", TlsPolicy::may);
  play.target.implicit_tls = true;
  play.run();
  CHECK(play.connected);
  CHECK(play.was_tls);
}

TEST_CASE("AUTH PLAIN and AUTH LOGIN say user and password as their standards want") {
  CHECK(smarthost("AUTH LOGIN PLAIN", "C: AUTH PLAIN AG1lAHNlY3JldA==\nS: 235 2.7.0 welcome\n").run().connected);
  CHECK(smarthost("AUTH LOGIN", "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: bWU=\nS: 334 UGFzc3dvcmQ6\nC: c2VjcmV0\nS: 235 ok\n").run().connected);
}

TEST_CASE("a refused AUTH is no recipient's fault") {
  for (const char* dialogue : {"C: AUTH LOGIN\nS: 535 5.7.8 wrong\n", "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: bWU=\nS: 535 5.7.8 wrong\n"}) {
    auto play = smarthost("AUTH LOGIN", dialogue);
    play.run();
    CHECK_FALSE(play.connected);
    CHECK(play.failure.kind == Kind::transient);
    CHECK(play.failure.step == Step::auth);
    CHECK(play.failure.reply.sentence() == "535 5.7.8 wrong");
  }
  auto unknown = smarthost("AUTH GSSAPI", "");
  CHECK(unknown.run().failure.kind == Kind::transient);
}

TEST_CASE("no password goes over plaintext") {
  Play play(hello({"AUTH PLAIN"}));
  play.target.login = Login();
  play.target.login->password = "secret";
  CHECK(play.run().failure.step == Step::auth);
  CHECK(play.server.heard.size() == 1);
}
