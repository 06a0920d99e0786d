// Evidence: each fact once, many waiters, in parallel, with an error case for everything.
#include "filters/evidence.h"

#include "filters/auth_header.h"
#include "filters/content.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "gateway/io/together.h"
#include "tests/support/catch.h"
#include "tests/support/dkim_signer.h"

using namespace postern;
using namespace postern::filters;
using namespace std::chrono_literals;

namespace {

const std::string kMail = "From: alice@example.com\r\nTo: bob@example.net\r\nSubject: x\r\n\r\nhello\r\n";

smtp::Client client_at(std::string_view ip, std::string session = "S1") {
  smtp::Client out;
  out.session = std::move(session);
  out.ip = *IpAddress::parse(ip);
  out.helo = "mail.example.com";
  return out;
}

smtp::Sender sender_of(std::string address) {
  smtp::Sender out;
  out.address = std::move(address);
  return out;
}

// Answers only when the test says so.
class SlowResolver : public dns::Resolver {
 public:
  explicit SlowResolver(dns::FixedResolver& zone) : zone_(zone) {}
  io::Task<dns::Answer> query(std::string name, dns::Type type, Deadline deadline) override {
    ++open;
    most_open = std::max(most_open, open);
    while (!released) {
      bool woken = co_await signal_.wait(deadline);
      if (!woken) co_return dns::Answer();  // timeout
    }
    --open;
    dns::Answer answer = co_await zone_.query(std::move(name), type, deadline);
    co_return answer;
  }
  void release() {
    released = true;
    signal_.notify();
  }
  int open = 0;
  int most_open = 0;
  bool released = false;

 private:
  dns::FixedResolver& zone_;
  io::Signal signal_;
};

io::Task<Virus> finds_eicar(Octets octets, const mail::PartTable&) {
  Virus out;
  out.state = octets.view().find("hello") == std::string_view::npos ? Virus::State::clean : Virus::State::found;
  out.name = "Eicar";
  co_return out;
}
io::Task<Virus> breaks(Octets, const mail::PartTable&) {
  co_await io::sleep_until(in(0ms));
  throw std::runtime_error("scanner broke");
}
io::Task<Virus> hangs(Octets, const mail::PartTable&) {
  co_await io::sleep_until(in(1h));
  co_return Virus();
}

io::Task<std::string> spf_word(MessageEvidence& evidence) {
  const Spf* spf = co_await evidence.spf();
  co_return std::string(name(spf->result));
}
io::Task<std::string> dmarc_word(MessageEvidence& evidence) {
  const Dmarc* dmarc = co_await evidence.dmarc();
  co_return std::string(name(dmarc->result));
}
io::Task<std::string> virus_word(MessageEvidence& evidence) {
  const Virus* virus = co_await evidence.virus();
  co_return virus->state == Virus::State::found ? virus->name : virus->problem;
}
io::Task<std::size_t> signature_count(MessageEvidence& evidence) {
  const Dkim* dkim = co_await evidence.dkim();
  co_return dkim->signatures.size();
}
io::Task<std::string> client_name(ConnectionEvidence& evidence) {
  const Reputation* reputation = co_await evidence.reputation();
  co_return reputation->name;
}
io::Task<void> keep(io::Task<std::string> task, std::vector<std::string>& out) {
  std::string word = co_await task;
  out.push_back(std::move(word));
}

io::Task<void> pause(std::chrono::milliseconds wait) { co_await io::sleep_until(in(wait)); }
io::Task<void> release_later(SlowResolver& resolver) {
  co_await io::sleep_until(in(20ms));
  resolver.release();
}
io::Task<void> start_and_pause(MessageEvidence& evidence) {
  evidence.start(true);
  co_await io::sleep_until(in(5ms));
}

struct World {
  io::Loop loop;
  dns::FixedResolver zone;
  FixedClock clock{from_unix(1'764'000'000)};
  EvidenceConfig config;

  World() {
    REQUIRE(zone.zone().add_text("example.com TXT v=spf1 ip4:192.0.2.1 -all\n"
                                 "_dmarc.example.com TXT v=DMARC1; p=reject\n"
                                 "1.2.0.192.in-addr.arpa PTR mail.example.com\nmail.example.com A 192.0.2.1\n"));
    config.hostname = "mx.test";
    config.spf_options.clock = &clock;
  }
  std::size_t asked(std::string_view question) const {
    return static_cast<std::size_t>(std::count(zone.asked().begin(), zone.asked().end(), question));
  }
};

}  // namespace

TEST_CASE("facts of a message are there for who waits") {
  World w;
  Evidence evidence(w.zone, nullptr, w.clock, w.config, finds_eicar);
  auto message = evidence.message(client_at("192.0.2.1"), sender_of("alice@example.com"), Octets(kMail));
  CHECK(w.loop.block_on(dmarc_word(*message)) == "pass");
  CHECK(w.loop.block_on(spf_word(*message)) == "pass");
  CHECK(w.loop.block_on(signature_count(*message)) == 0);
  CHECK(w.loop.block_on(virus_word(*message)) == "Eicar");
  CHECK(message->octets().view() == kMail);
  auto connection = evidence.connection(client_at("192.0.2.1"));
  CHECK(w.loop.block_on(client_name(*connection)) == "mail.example.com");
}

TEST_CASE("DKIM and DMARC come together through the workers") {
  World w;
  auto key = test::DkimTestKey::ed25519();
  REQUIRE(w.zone.zone().add_line("sel._domainkey.example.com TXT " + key.record()));
  io::WorkerPool workers(1);
  Evidence evidence(w.zone, &workers, w.clock, w.config, {});
  Octets octets(dkim_field(kMail, key, {}) + kMail);
  auto message = evidence.message(client_at("203.0.113.9"), sender_of("bounce@other.example"), octets);
  CHECK(w.loop.block_on(dmarc_word(*message)) == "pass");
  CHECK(w.loop.block_on(spf_word(*message)) == "none");
}

TEST_CASE("a fact is computed once for many waiters") {
  World w;
  Evidence evidence(w.zone, nullptr, w.clock, w.config, {});
  auto message = evidence.message(client_at("192.0.2.1"), sender_of("alice@example.com"), Octets(kMail));
  std::vector<io::Task<std::string>> waiters;
  for (int i = 0; i < 20; ++i) waiters.push_back(i % 2 == 0 ? spf_word(*message) : dmarc_word(*message));
  auto words = w.loop.block_on(io::together(std::move(waiters)));
  CHECK(words == std::vector<std::string>(20, "pass"));
  CHECK(w.asked("example.com TXT") == 1);
  CHECK(w.asked("_dmarc.example.com TXT") == 1);
}

TEST_CASE("nothing is computed that nobody waits for") {
  World w;
  Evidence evidence(w.zone, nullptr, w.clock, w.config, breaks);
  auto message = evidence.message(client_at("192.0.2.1"), sender_of("alice@example.com"), Octets(kMail));
  auto connection = evidence.connection(client_at("192.0.2.1"));
  CHECK(message->content()->text.find("hello") != std::string::npos);
  CHECK(w.zone.asked().empty());
}

TEST_CASE("all facts start at once") {
  World w;
  SlowResolver slow(w.zone);
  auto key = test::DkimTestKey::ed25519();
  Evidence evidence(slow, nullptr, w.clock, w.config, finds_eicar);
  auto message = evidence.message(client_at("192.0.2.1"), sender_of("alice@example.com"), Octets(dkim_field(kMail, key, {}) + kMail));
  w.loop.spawn(release_later(slow), "release");
  w.loop.block_on(start_and_pause(*message));
  CHECK(w.loop.block_on(dmarc_word(*message)) == "pass");
  CHECK(slow.most_open == 3);  // SPF record, DKIM key, DMARC record
}

TEST_CASE("a waiter that goes away takes nothing from the others") {
  World w;
  SlowResolver slow(w.zone);
  Evidence evidence(slow, nullptr, w.clock, w.config, {});
  auto message = evidence.message(client_at("192.0.2.1"), sender_of("alice@example.com"), Octets(kMail));
  std::vector<std::string> words;
  auto first = w.loop.spawn(keep(spf_word(*message), words), "first");
  w.loop.spawn(keep(spf_word(*message), words), "second");
  w.loop.block_on(pause(10ms));
  w.loop.cancel(first);
  w.loop.block_on(release_later(slow));
  w.loop.block_on(pause(10ms));
  CHECK(words == std::vector<std::string>{"pass"});
}

TEST_CASE("evidence that goes away stops its questions") {
  World w;
  SlowResolver slow(w.zone);
  Evidence evidence(slow, nullptr, w.clock, w.config, hangs);
  smtp::Client nobody = client_at("192.0.2.1", "");
  auto message = evidence.message(nobody, sender_of("alice@example.com"), Octets(kMail));
  auto connection = evidence.connection(nobody);
  w.loop.block_on(start_and_pause(*message));
  std::vector<std::string> words;
  auto waiter = w.loop.spawn(keep(client_name(*connection), words), "name");
  w.loop.block_on(pause(5ms));
  CHECK(w.loop.running() > 3);
  w.loop.cancel(waiter);
  w.loop.block_on(pause(1ms));
  message.reset();
  connection.reset();
  w.loop.block_on(pause(5ms));
  CHECK(w.loop.running() <= 1);  // block_on's own
}

TEST_CASE("a loop may end while facts are on their way") {
  World w;
  SlowResolver slow(w.zone);
  FixedClock clock(from_unix(1));
  auto loop = std::make_unique<io::Loop>();
  {
    Evidence evidence(slow, nullptr, clock, w.config, hangs);
    auto message = evidence.message(client_at("192.0.2.1"), sender_of("alice@example.com"), Octets(kMail));
    loop->block_on(start_and_pause(*message));
    CHECK(loop->running() >= 3);
  }
  loop.reset();
  CHECK(slow.open == 2);  // their frames are gone; nobody answered them
}

TEST_CASE("SPF of the stage mail is used again for the message") {
  World w;
  Evidence evidence(w.zone, nullptr, w.clock, w.config, {});
  smtp::Client client = client_at("192.0.2.1");
  {
    auto early = evidence.message(client, sender_of("alice@example.com"), Octets());
    CHECK(w.loop.block_on(spf_word(*early)) == "pass");
  }
  auto late = evidence.message(client, sender_of("alice@example.com"), Octets(kMail));
  CHECK(w.loop.block_on(spf_word(*late)) == "pass");
  CHECK(w.asked("example.com TXT") == 1);

  auto other = evidence.message(client, sender_of("alice@example.net"), Octets(kMail));
  CHECK(w.loop.block_on(spf_word(*other)) == "none");
  smtp::Client later = client_at("203.0.113.1");  // the same session under another address (XCLIENT)
  auto moved = evidence.message(later, sender_of("alice@example.com"), Octets(kMail));
  CHECK(w.loop.block_on(spf_word(*moved)) == "fail");
}

TEST_CASE("of a client that is not known there is no SPF, and DMARC does not fail for want of it") {
  World w;
  auto key = test::DkimTestKey::ed25519();
  REQUIRE(w.zone.zone().add_line("sel._domainkey.example.com TXT " + key.record()));
  Evidence evidence(w.zone, nullptr, w.clock, w.config, {});
  for (const char* relay : {"192.0.2.1", "203.0.113.1"}) {   // SPF would pass, and fail
    smtp::Client client = client_at(relay, relay);
    client.known = false;
    auto plain = evidence.message(client, sender_of("alice@example.com"), Octets(kMail));
    CHECK(w.loop.block_on(spf_word(*plain)) == "none");
    CHECK(w.loop.block_on(dmarc_word(*plain)) == "none");
    auto is_signed = evidence.message(client, sender_of("alice@example.com"), Octets(dkim_field(kMail, key, {}) + kMail));
    CHECK(w.loop.block_on(dmarc_word(*is_signed)) == "pass");
  }
  CHECK(w.asked("example.com TXT") == 0);
}

TEST_CASE("each fact has its error case when DNS is silent") {
  World w;
  SlowResolver slow(w.zone);
  w.config.spf = w.config.dkim = w.config.dmarc = w.config.reputation = 10ms;
  auto key = test::DkimTestKey::ed25519();
  Evidence evidence(slow, nullptr, w.clock, w.config, {});
  auto message = evidence.message(client_at("192.0.2.1"), sender_of("alice@example.com"), Octets(dkim_field(kMail, key, {}) + kMail));
  CHECK(w.loop.block_on(spf_word(*message)) == "temperror");
  CHECK(w.loop.block_on(dmarc_word(*message)) == "temperror");
  auto dkim = w.loop.block_on(message->dkim());
  REQUIRE(dkim->signatures.size() == 1);
  CHECK(dkim->signatures[0].result == DkimResult::temperror);
  CHECK(dkim->temporary());
  auto connection = evidence.connection(client_at("192.0.2.1"));
  CHECK(w.loop.block_on(connection->reputation())->reverse == Reputation::Reverse::temperror);
}

TEST_CASE("each fact has its error case when DNS fails or talks rubbish") {
  for (const char* fault : {"SERVFAIL", "RUBBISH"}) {
    CAPTURE(fault);
    World w;
    w.zone.zone() = dns::Zone();
    for (const char* name : {"example.com", "_dmarc.example.com", "sel._domainkey.example.com", "1.2.0.192.in-addr.arpa"}) {
      REQUIRE(w.zone.zone().add_line(std::string(name) + " * " + fault));
    }
    Evidence evidence(w.zone, nullptr, w.clock, w.config, {});
    auto key = test::DkimTestKey::ed25519();
    auto message = evidence.message(client_at("192.0.2.1"), sender_of("alice@example.com"), Octets(dkim_field(kMail, key, {}) + kMail));
    CHECK(w.loop.block_on(spf_word(*message)) == "temperror");
    CHECK(w.loop.block_on(dmarc_word(*message)) == "temperror");
    CHECK(w.loop.block_on(message->dkim())->temporary());
    auto connection = evidence.connection(client_at("192.0.2.1"));
    CHECK(w.loop.block_on(connection->reputation())->reverse == Reputation::Reverse::temperror);
  }
}

TEST_CASE("a scanner that is off, broken or hanging is a value") {
  World w;
  w.config.virus = 10ms;
  auto ask = [&](ScanVirus scan) {
    Evidence evidence(w.zone, nullptr, w.clock, w.config, std::move(scan));
    auto message = evidence.message(client_at("192.0.2.1"), sender_of("a@example.com"), Octets(kMail));
    return *w.loop.block_on(message->virus());
  };
  CHECK(ask({}).state == Virus::State::off);
  Virus broken = ask(breaks);
  CHECK(broken.state == Virus::State::error);
  CHECK(broken.problem == "scanner broke");
  Virus late = ask(hangs);
  CHECK(late.state == Virus::State::error);
  CHECK(late.problem.find("in time") != std::string::npos);
}

TEST_CASE("text, links and attachments are those of the parts") {
  World w;
  const std::string mail =
      "From: a@example.com\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
      "--b\r\nContent-Type: text/plain\r\n\r\nsee http://plain.example/x.\r\n"
      "--b\r\nContent-Type: text/html\r\n\r\n<p><a href=\"https://Evil.example/?a=1&amp;b=2\">www.bank.example</a></p>\r\n"
      "--b\r\nContent-Type: application/pdf; name=\"bill.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8h\r\nIQ==\r\n"
      "--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=notes.txt\r\n\r\nabc\r\n"
      "--b--\r\n";
  Evidence evidence(w.zone, nullptr, w.clock, w.config, {});
  auto message = evidence.message(client_at("192.0.2.1"), sender_of("a@example.com"), Octets(mail));
  REQUIRE(message->content() != nullptr);
  CHECK(message->content()->text.find("see http") != std::string::npos);
  const auto& links = message->content()->links;
  REQUIRE(links.size() == 3);
  CHECK(links[0].url == "https://Evil.example/?a=1&b=2");
  CHECK(links[0].host == "evil.example");
  CHECK(links[0].text == "www.bank.example");
  CHECK(links[1].url == "http://plain.example/x");
  CHECK(links[2].url == "www.bank.example");
  const auto& attachments = message->content()->attachments;
  REQUIRE(attachments.size() == 2);
  CHECK(attachments[0].name == "bill.pdf");
  CHECK(attachments[0].type == "application/pdf");
  CHECK(attachments[0].size == 7);
  CHECK(attachments[1].name == "notes.txt");
  CHECK(attachments[1].size == 3);
}

TEST_CASE("a large message is decoded on a worker, once it is waited for") {
  World w;
  io::WorkerPool workers(1);
  std::string body;
  while (body.size() <= kSmallMessage) body += "see http://a.example/\r\n";
  Evidence evidence(w.zone, &workers, w.clock, w.config, {});
  auto small = evidence.message(client_at("192.0.2.1"), sender_of("a@example.com"), Octets(kMail));
  CHECK(small->content() != nullptr);
  auto large = evidence.message(client_at("192.0.2.1"), sender_of("a@example.com"), Octets("Subject: x\r\n\r\n" + body));
  CHECK(large->content() == nullptr);
  w.loop.block_on(large->decode());
  REQUIRE(large->content() != nullptr);
  CHECK(large->content()->problem.empty());
  CHECK(large->content()->text.size() == body.size());
  CHECK(large->content()->links.size() == 1);
  auto alone = Evidence(w.zone, nullptr, w.clock, w.config, {});
  auto inline_one = alone.message(client_at("192.0.2.1"), sender_of("a@example.com"), large->octets());
  REQUIRE(inline_one->content() != nullptr);
  CHECK(inline_one->content()->text == large->content()->text);
}

TEST_CASE("a message that goes beyond what is looked at is opaque, and its attachments are all shown") {
  World w;
  Evidence evidence(w.zone, nullptr, w.clock, w.config, {});
  auto opaque = [&](const std::string& octets) {
    return evidence.message(client_at("192.0.2.1"), sender_of("a@example.com"), Octets(octets))->content()->opaque;
  };
  CHECK_FALSE(opaque("Subject: x\r\n\r\nbody\r\n"));
  std::string parameters, parts;
  for (int i = 0; i < 64; ++i) parameters += "; a=0";
  for (int i = 0; i < 300; ++i) parts += "--b\r\nContent-Disposition: attachment; filename=" + std::to_string(i) + "\r\n\r\nx\r\n";
  CHECK(opaque("Content-Type: text/plain" + parameters + "; charset=utf-8\r\n\r\nbody\r\n"));
  const std::string many = "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + parts + "--b--\r\n";
  CHECK_FALSE(opaque(many));
  auto message = evidence.message(client_at("192.0.2.1"), sender_of("a@example.com"), Octets(many));
  REQUIRE(message->content()->attachments.size() == 300);
  CHECK(message->content()->attachments.back().name == "299");
}

TEST_CASE("Authentication-Results tells every fact in the words of RFC 8601") {
  smtp::Client client = client_at("192.0.2.1");
  Reputation reputation;
  reputation.reverse = Reputation::Reverse::confirmed;
  Spf spf;
  spf.result = SpfResult::softfail;
  DkimSignature good;
  good.result = DkimResult::pass;
  good.domain = "example.com";
  good.selector = "sel";
  good.identity = "@example.com";
  good.algorithm = "rsa-sha256";
  good.b_prefix = "abcDEF12";
  DkimSignature weak = good;
  weak.result = DkimResult::policy;
  weak.problem = "the key is too weak";
  Dkim dkim;
  dkim.signatures = {good, weak};
  Dmarc dmarc;
  dmarc.result = DmarcResult::fail;
  dmarc.policy = DmarcPolicy::reject;
  dmarc.domain = "example.com";
  std::string field = authentication_results("mx.test", client, sender_of("a@example.com"), {&reputation, &spf, &dkim, &dmarc});
  for (const char* part : {"mx.test", "iprev=pass", "policy.iprev=192.0.2.1", "spf=softfail", "smtp.mailfrom=a@example.com", "dkim=pass",
                           "header.d=example.com", "header.s=sel", "header.i=@example.com", "header.a=rsa-sha256", "header.b=abcDEF12",
                           "dkim=policy", "too weak", "dmarc=fail", "header.from=example.com"}) {
    CAPTURE(field, part);
    CHECK(field.find(part) != std::string::npos);
  }
  CHECK(field.starts_with("Authentication-Results:"));
  CHECK(field.ends_with("\r\n"));

  client.login = "bob@corp.example";
  Dkim unsigned_mail;
  std::string other = authentication_results("mx.test", client, sender_of(""), {nullptr, &spf, &unsigned_mail, nullptr});
  CHECK(other.find("auth=pass") != std::string::npos);
  CHECK(other.find("smtp.helo=mail.example.com") != std::string::npos);
  CHECK(other.find("dkim=none") != std::string::npos);
  CHECK(other.find("dmarc") == std::string::npos);
  CHECK(authentication_results("mx.test", client_at("192.0.2.1"), sender_of(""), {}).find("none") != std::string::npos);
}
