// The resolver against a real DNS server on loopback, good and bad days.
#include "gateway/dns/cares_resolver.h"

#include <sys/socket.h>

#include <algorithm>
#include <set>

#include "gateway/io/socket.h"
#include "gateway/io/together.h"
#include "tests/support/catch.h"
#include "tests/support/dns_server.h"

using namespace postern;
using namespace std::chrono_literals;
using dns::Type;

namespace {

struct Fixture {
  explicit Fixture(std::string_view zone, std::chrono::milliseconds timeout = 5s) : server(zone), resolver(loop, config(timeout), cache) {}
  dns::CaresConfig config(std::chrono::milliseconds timeout) const {
    dns::CaresConfig out;
    out.servers = {server.endpoint()};
    out.timeout = timeout;
    return out;
  }
  dns::Answer ask(std::string name, Type type, Deadline deadline = in(5s)) { return loop.block_on(resolver.query(std::move(name), type, deadline)); }

  test::DnsServer server;
  dns::Cache cache;
  io::Loop loop;
  dns::CaresResolver resolver;
};

io::Task<dns::Answer> wait_and_ask(Fixture& dns) {
  co_await io::sleep_until(in(100ms));
  dns.server.add("late.test A NODATA");
  auto answer = co_await dns.resolver.query("late.test", Type::a, in(5s));
  co_return answer;
}

io::Task<void> short_pause() { co_await io::sleep_until(in(100ms)); }

io::Task<void> nothing() { co_return; }

io::Task<void> must_not_hear(Fixture& dns, std::string name) {
  auto answer = co_await dns.resolver.query(std::move(name), Type::a, in(5s));
  FAIL("the asker should be gone: " << dns::status_name(answer.status));
}

io::Task<void> ask_and_leave(Fixture& dns, std::string name) {
  co_await io::first_of(must_not_hear(dns, std::move(name)), nothing());
  co_await short_pause();
}

}  // namespace

TEST_CASE("all types come over the wire") {
  Fixture dns(R"(
    mail.example.test 600 A 192.0.2.1
    mail.example.test A 192.0.2.2
    mail.example.test AAAA 2001:db8::1
    example.test MX 10 mail.example.test
    example.test TXT v=spf1 mx -all
    example.test NS ns.example.test
    example.test SOA 77
    www.example.test CNAME mail.example.test
    1.2.0.192.in-addr.arpa PTR mail.example.test
    _25._tcp.mail.example.test TLSA 3 1 1 00ff
    *.wild.test A 192.0.2.9
  )");
  auto a = dns.ask("Mail.Example.TEST.", Type::a);
  REQUIRE(a.records.size() == 2);
  CHECK(a.records[1].address.to_string() == "192.0.2.2");
  CHECK(a.ttl == 300s);
  CHECK(dns.ask("mail.example.test", Type::aaaa).records.at(0).address.to_string() == "2001:db8::1");
  CHECK(dns.ask("example.test", Type::mx).records.at(0).text == "mail.example.test");
  CHECK(dns.ask("example.test", Type::txt).records.at(0).text == "v=spf1 mx -all");
  CHECK(dns.ask("example.test", Type::ns).records.at(0).text == "ns.example.test");
  CHECK(dns.ask("www.example.test", Type::a).records.size() == 2);
  CHECK(dns.ask("1.2.0.192.in-addr.arpa", Type::ptr).records.at(0).text == "mail.example.test");
  CHECK(dns.ask("_25._tcp.mail.example.test", Type::tlsa).records.at(0).text == std::string("\3\1\1\0\xff", 5));
  CHECK(dns.ask("any.thing.wild.test", Type::a).records.at(0).address.to_string() == "192.0.2.9");
  auto none = dns.ask("no.example.test", Type::a);
  CHECK(none.status == dns::Status::nxdomain);
  CHECK(none.ttl == 77s);
  CHECK(dns.ask("mail.example.test", Type::mx).status == dns::Status::nodata);
  CHECK(dns.ask("_tcp.mail.example.test", Type::a).status == dns::Status::nodata);
}

TEST_CASE("names that cannot be asked do not exist and cause no packet") {
  Fixture dns("a.test A 192.0.2.1");
  for (const std::string& name : {std::string(), std::string("."), std::string("a..b"), std::string(64, 'x') + ".test", std::string(300, 'x'), std::string("\0\0\0..", 5)}) {
    CHECK(dns.ask(name, Type::a).status == dns::Status::nxdomain);
  }
  CHECK(dns.server.asked().empty());
  CHECK(dns.ask(std::string("\0\xff \\.test", 9), Type::a).status == dns::Status::nxdomain);
}

TEST_CASE("a second question is answered from the cache, by its negative TTL too") {
  Fixture dns("a.test A 192.0.2.1\ntest SOA 60\nzero.test 0 A 192.0.2.2");
  dns.ask("a.test", Type::a);
  dns.ask("A.TEST", Type::a);
  dns.ask("no.test", Type::a);
  dns.ask("no.test", Type::a);
  CHECK(dns.server.asked() == std::vector<std::string>{"a.test A udp", "no.test A udp"});
  dns.ask("zero.test", Type::a);
  dns.ask("zero.test", Type::a);
  CHECK(dns.server.asked().size() == 4);
}

TEST_CASE("equal questions under way are asked once") {
  Fixture dns("a.test 0 A 192.0.2.1");
  std::vector<io::Task<dns::Answer>> tasks;
  for (int i = 0; i < 50; ++i) tasks.push_back(dns.resolver.query("a.test", Type::a, in(5s)));
  auto answers = dns.loop.block_on(io::together(std::move(tasks)));
  CHECK(std::all_of(answers.begin(), answers.end(), [](const auto& answer) { return answer.ok(); }));
  CHECK(dns.server.asked().size() == 1);
  CHECK(dns.resolver.figures().merged == 49);
}

TEST_CASE("SERVFAIL comes at once as servfail") {
  Fixture dns("bad.test * SERVFAIL");
  auto begun = std::chrono::steady_clock::now();
  CHECK(dns.ask("bad.test", Type::txt).status == dns::Status::servfail);
  CHECK(std::chrono::steady_clock::now() - begun < 1s);
}

TEST_CASE("a silent server costs no more than the deadline, or the configured timeout") {
  Fixture dns("dead.test * TIMEOUT", 300ms);
  auto begun = std::chrono::steady_clock::now();
  CHECK(dns.ask("dead.test", Type::a, in(100ms)).status == dns::Status::timeout);
  CHECK(std::chrono::steady_clock::now() - begun < 290ms);
  CHECK(dns.ask("dead.test", Type::a, Deadline::max()).status == dns::Status::timeout);
  CHECK(std::chrono::steady_clock::now() - begun < 3s);
  CHECK(dns.ask("dead.test", Type::a, in(-1s)).status == dns::Status::timeout);
}

TEST_CASE("a lost packet is sent again") {
  Fixture dns("late.test A TIMEOUT", 2s);
  std::vector<io::Task<dns::Answer>> both;
  both.push_back(dns.resolver.query("late.test", Type::a, in(5s)));
  both.push_back(wait_and_ask(dns));
  auto answers = dns.loop.block_on(io::together(std::move(both)));
  CHECK(answers[0].status == dns::Status::nodata);
  CHECK(dns.server.asked().size() >= 2);
}

TEST_CASE("rubbish in the records is bad") {
  Fixture dns("rubbish.test * RUBBISH");
  CHECK(dns.ask("rubbish.test", Type::mx).status == dns::Status::bad);
}

TEST_CASE("forged answers with a wrong id or name are not heard") {
  Fixture dns("id.test A 192.0.2.66\nid.test * WRONGID\nname.test A 192.0.2.66\nname.test * WRONGNAME", 300ms);
  CHECK(dns.ask("id.test", Type::a).status == dns::Status::timeout);
  CHECK(dns.ask("name.test", Type::a).status == dns::Status::timeout);
}

TEST_CASE("an answer in the wrong letter case is asked again over TCP and then believed") {
  Fixture dns("some-longer-name-with-many-letters.test A 192.0.2.1\nsome-longer-name-with-many-letters.test * LOWERCASE");
  CHECK(dns.ask("some-longer-name-with-many-letters.test", Type::a).ok());
  CHECK(dns.server.asked() == std::vector<std::string>{"some-longer-name-with-many-letters.test A udp", "some-longer-name-with-many-letters.test A tcp"});
  CHECK(dns.resolver.figures().forged == 1);
}

TEST_CASE("a truncated answer comes over TCP") {
  Fixture dns("cut.test A 192.0.2.1\ncut.test * TRUNCATE\nbig.test TXT " + std::string(3'000, 'x') + "\nmiddle.test TXT " + std::string(1'000, 'y'));
  CHECK(dns.ask("cut.test", Type::a).ok());
  CHECK(dns.ask("big.test", Type::txt).records.at(0).text == std::string(3'000, 'x'));
  CHECK(dns.ask("middle.test", Type::txt).records.at(0).text.size() == 1'000);
  CHECK(dns.server.asked() == std::vector<std::string>{"cut.test A udp", "cut.test A tcp", "big.test TXT udp", "big.test TXT tcp", "middle.test TXT udp"});
}

TEST_CASE("a dead server makes way for the next, and so does one that fails") {
  test::DnsServer failing("a.test * SERVFAIL");
  test::DnsServer silent("a.test * TIMEOUT");
  test::DnsServer good("a.test A 192.0.2.1");
  dns::CaresConfig config;
  config.timeout = 1s;
  config.servers = {failing.endpoint(), silent.endpoint(), good.endpoint()};
  dns::Cache cache;
  io::Loop loop;
  dns::CaresResolver resolver(loop, config, cache);
  CHECK(loop.block_on(resolver.query("a.test", Type::a, in(5s))).ok());
}

TEST_CASE("a server that stays silent is no longer asked first") {
  test::DnsServer silent("test * TIMEOUT\n*.test * TIMEOUT");
  test::DnsServer good("*.test A 192.0.2.1");
  dns::CaresConfig config;
  config.timeout = 1200ms;
  config.servers = {silent.endpoint(), good.endpoint()};
  dns::Cache cache;
  io::Loop loop;
  dns::CaresResolver resolver(loop, config, cache);
  for (int i = 0; i < 10; ++i) CHECK(loop.block_on(resolver.query(std::to_string(i) + ".test", Type::a, in(5s))).ok());
  CHECK(silent.asked().size() < 10);
}

TEST_CASE("no server at all is a failure at once, not a wait") {
  io::Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage address{};
  auto length = io::to_sockaddr(*Endpoint::parse("127.0.0.1:0"), address);
  REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  dns::CaresConfig config;
  config.servers = {io::local_of(socket.get())};
  socket.reset();  // nobody listens there now
  dns::Cache cache;
  io::Loop loop;
  dns::CaresResolver resolver(loop, config, cache);
  auto begun = std::chrono::steady_clock::now();
  CHECK(loop.block_on(resolver.query("a.test", Type::a, in(5s))).temporary());
  CHECK(std::chrono::steady_clock::now() - begun < 3s);
}

TEST_CASE("an asker that was cancelled is forgotten, the answer is kept") {
  Fixture dns("a.test A 192.0.2.1\ndead.test * TIMEOUT", 300ms);
  dns.loop.block_on(ask_and_leave(dns, "a.test"));
  CHECK(dns.cache.find("a.test", Type::a, std::chrono::steady_clock::now()).has_value());
  dns.loop.block_on(ask_and_leave(dns, "dead.test"));
}

TEST_CASE("a resolver may be destroyed with questions under way") {
  test::DnsServer server("dead.test * TIMEOUT");
  dns::CaresConfig config;
  config.servers = {server.endpoint()};
  dns::Cache cache;
  io::Loop loop;
  {
    dns::CaresResolver resolver(loop, config, cache);
    CHECK(loop.block_on(resolver.query("dead.test", Type::a, in(20ms))).status == dns::Status::timeout);
    CHECK(resolver.figures().under_way == 1);
  }
  loop.block_on(short_pause());
}

TEST_CASE("ports change") {
  test::DnsServer server("*.test A 192.0.2.1");
  dns::CaresConfig config;
  config.servers = {server.endpoint()};
  config.questions_a_port = 5;
  dns::Cache cache;
  io::Loop loop;
  dns::CaresResolver resolver(loop, config, cache);
  for (int i = 0; i < 20; ++i) REQUIRE(loop.block_on(resolver.query(std::to_string(i) + ".test", Type::a, in(5s))).ok());
  auto ports = server.ports();
  CHECK(std::set<std::uint16_t>(ports.begin(), ports.end()).size() >= 3);
}

TEST_CASE("two thousand questions at once are all answered") {
  Fixture dns("*.test A 192.0.2.1");
  std::vector<io::Task<dns::Answer>> tasks;
  for (int i = 0; i < 2'000; ++i) tasks.push_back(dns.resolver.query(std::to_string(i) + ".test", Type::a, in(20s)));
  auto answers = dns.loop.block_on(io::together(std::move(tasks)));
  auto good = std::count_if(answers.begin(), answers.end(), [](const auto& answer) { return answer.ok(); });
  CHECK(good == 2'000);
}
