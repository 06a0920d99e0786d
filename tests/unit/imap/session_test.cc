// Whole sessions: a client that is gone at each octet, long lines, pipelining, back-pressure.
#include <sys/socket.h>

#include "gateway/io/errors.h"
#include "tests/support/certificate.h"
#include "tests/support/dialogue.h"
#include "tests/support/imap_world.h"
#include "tests/support/memory_store.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace std::chrono_literals;

namespace {

struct World {
  io::WorkerPool workers{1};
  io::Loop loop;
  test::MemoryStore store;
  test::ImapWorld imap{store, workers};
  World() { loop.block_on(imap.add_user()); }

  // Sends the octets, closes, and gives all that was answered.
  std::string answers(std::string octets) {
    auto got = loop.block_on(talk(std::move(octets)));
    loop.block_on(test::ended(loop));
    return got;
  }

  io::Task<std::string> talk(std::string octets) {
    auto pair = co_await test::stream_pair();
    loop.spawn(imap::serve(std::move(pair.server), imap.services, false), "imap");
    co_await pair.client.write(octets, in(10s));
    ::shutdown(pair.client.fd(), SHUT_WR);
    std::string got;
    try {
      for (;;) {
        co_await pair.client.fill(in(10s));
        got += pair.client.buffered();
        pair.client.consume(pair.client.buffered().size());
      }
    } catch (const io::Closed&) {  // the server has said all
    }
    co_return got;
  }
};

bool contains(const std::string& text, std::string_view what) { return text.find(what) != std::string::npos; }

// Reads lines until one begins with the tag; gives them.
io::Task<std::string> answer(io::Stream& client, std::string tag) {
  std::string got;
  for (;;) {
    auto line = co_await client.read_line(10'000, in(10s));
    got += line.text + "\n";
    if (line.text.starts_with(tag + " ")) co_return got;
  }
}

io::Task<std::string> over_starttls(World& world) {
  auto pair = co_await test::stream_pair();
  world.loop.spawn(imap::serve(std::move(pair.server), world.imap.services, false), "imap");
  auto& client = pair.client;
  // The NOOP is in plaintext behind STARTTLS: it must not be obeyed.
  co_await client.write("a STARTTLS\r\nb NOOP\r\n", in(10s));
  auto got = co_await answer(client, "a");
  co_await client.connect_tls(io::TlsContext::client(false), "", in(10s));
  co_await client.write("c CAPABILITY\r\nd LOGIN user@example.test secret\r\n", in(10s));
  auto logged_in = co_await answer(client, "d");
  got += logged_in;
  co_await client.write("e LOGOUT\r\n", in(10s));
  auto bye = co_await answer(client, "e");
  got += bye;
  co_return got;
}

io::Task<std::string> over_implicit_tls(World& world) {
  auto pair = co_await test::stream_pair();
  world.loop.spawn(imap::serve(std::move(pair.server), world.imap.services, true), "imap");
  auto& client = pair.client;
  co_await client.connect_tls(io::TlsContext::client(false), "", in(10s));
  co_await client.write("a STARTTLS\r\nb LOGIN user@example.test secret\r\nc LOGOUT\r\n", in(10s));
  auto got = co_await answer(client, "c");
  co_return got;
}

constexpr std::string_view kLogIn = "a LOGIN user@example.test secret\r\n";

std::string appended(std::string_view tag, const std::string& message) {
  return std::string(tag) + " APPEND INBOX {" + std::to_string(message.size()) + "+}\r\n" + message + "\r\n";
}

// A message whose own header, and that of the message inside, have `octets` and more.
std::string with_large_headers(std::size_t octets) {
  std::string fields;
  while (fields.size() < octets) fields += "X-Long: " + std::string(900, 'x') + "\r\n";
  return fields + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" + fields +
         "\r\nbody\r\n--b--\r\n";
}

// How many headers were read when the client has the first octets of a FETCH that wants two of them fifty times.
io::Task<std::size_t> reads_at_first_octet(World& world) {
  auto pair = co_await test::stream_pair();
  world.loop.spawn(imap::serve(std::move(pair.server), world.imap.services, false), "imap");
  auto& client = pair.client;
  co_await client.write(std::string(kLogIn) + appended("b", with_large_headers(300'000)) + "c SELECT INBOX\r\n", in(10s));
  co_await answer(client, "c");
  world.store.reads = 0;
  std::string fetch = "d FETCH 1 (";
  for (int i = 0; i < 50; ++i) fetch += "BODY.PEEK[HEADER.FIELDS.NOT (A)] BODY.PEEK[1.HEADER.FIELDS.NOT (A)] ";
  fetch.back() = ')';
  co_await client.write(fetch + "\r\n", in(10s));
  co_await client.fill(in(10s));
  co_return world.store.reads;
}

}  // namespace

TEST_CASE("STARTTLS drops what was sent behind it and makes passwords possible") {
  auto context = test::server_context();
  World world;
  world.imap.services.allow_plaintext_login = false;
  world.imap.services.tls = [context] { return context; };
  auto got = world.loop.block_on(over_starttls(world));
  world.loop.block_on(test::ended(world.loop));
  auto plain = got.substr(0, got.find("a OK"));
  CHECK(contains(plain, " STARTTLS LOGINDISABLED"));
  CHECK_FALSE(contains(got, "b OK"));
  auto secure = got.substr(got.find("a OK"));
  CHECK(contains(secure, "AUTH=PLAIN"));
  CHECK_FALSE(contains(secure, "STARTTLS "));
  CHECK(contains(secure, "d OK"));
  CHECK(contains(secure, "e OK"));
}

TEST_CASE("implicit TLS comes before the greeting, and STARTTLS in it is BAD") {
  auto context = test::server_context();
  World world;
  world.imap.services.allow_plaintext_login = false;
  world.imap.services.tls = [context] { return context; };
  auto got = world.loop.block_on(over_implicit_tls(world));
  world.loop.block_on(test::ended(world.loop));
  CHECK(contains(got, "a BAD"));
  CHECK(contains(got, "b OK"));
}

namespace {

// What each command is answered after SELECT, when the rows cannot be read any more.
io::Task<std::string> over_bad_rows(World& world) {
  auto pair = co_await test::stream_pair();
  world.loop.spawn(imap::serve(std::move(pair.server), world.imap.services, false), "imap");
  auto& client = pair.client;
  co_await client.write("a LOGIN user@example.test secret\r\n"
                        "b APPEND INBOX {20+}\r\nSubject: x\r\n\r\nbody\r\n\r\n"
                        "c SELECT INBOX\r\n", in(10s));
  auto selected = co_await answer(client, "c");
  CHECK(contains(selected, "c OK"));
  world.store.unreadable = true;
  co_await client.write("d FETCH 1 BODY[]\r\ne UID FETCH 1:* ENVELOPE\r\nf SEARCH BODY body\r\n"
                        "g STATUS Junk (RECENT)\r\nh SELECT INBOX\r\n", in(10s));
  auto got = co_await answer(client, "h");
  co_await client.write("i LOGOUT\r\n", in(10s));
  co_await answer(client, "i");
  co_return got;
}

}  // namespace

TEST_CASE("rows that cannot be read are SERVERBUG, never expunged messages or an empty answer") {
  World world;
  auto got = world.loop.block_on(over_bad_rows(world));
  world.loop.block_on(test::ended(world.loop));
  for (std::string_view tag : {"d", "e", "f", "g", "h"}) CHECK(contains(got, std::string(tag) + " NO [SERVERBUG]"));
}

TEST_CASE("a client that is gone at any octet ends its session and nothing else") {
  World world;
  std::string whole =
      "a LOGIN user@example.test {6+}\r\nsecret\r\n"
      "b APPEND INBOX (\\Seen) {20+}\r\nSubject: x\r\n\r\nbody\r\n\r\n"
      "c SELECT INBOX\r\nd UID FETCH 1:* (FLAGS BODY[])\r\ne IDLE\r\nDONE\r\nf LOGOUT\r\n";
  for (std::size_t length = 0; length < whole.size(); ++length) world.answers(whole.substr(0, length));
  auto last = world.answers(whole);
  CHECK(contains(last, "f OK"));
  CHECK(contains(last, "body\r\n"));
}

TEST_CASE("pipelined commands are answered in order") {
  World world;
  auto got = world.answers("a LOGIN user@example.test secret\r\nb NOOP\r\nc CAPABILITY\r\nd LOGOUT\r\n");
  CHECK(got.find("a OK") < got.find("b OK"));
  CHECK(got.find("b OK") < got.find("c OK"));
  CHECK(contains(got, "d OK"));
}

TEST_CASE("after a line that is too long nothing is obeyed: it could have announced a literal") {
  World world;
  auto got = world.answers(std::string(10'000'000, 'x') + "\r\na CAPABILITY\r\n");
  CHECK(contains(got, "* BYE [TOOBIG]"));
  CHECK_FALSE(contains(got, "a OK"));
}

TEST_CASE("NULs and 8-bit rubbish are answered with BAD") {
  World world;
  auto got = world.answers(std::string("a LOG\0IN x y\r\n", 14) + "b LOGIN \xff\xfe \x80\r\nc NOOP\r\n");
  CHECK(contains(got, "a BAD"));
  CHECK(contains(got, "b BAD"));
}

TEST_CASE("before login a literal may be small only") {
  World world;
  auto got = world.answers("a LOGIN {100000}\r\nb LOGIN {100000+}\r\n" + std::string(100000, 'x') + " y\r\nc NOOP\r\n");
  CHECK(contains(got, "a BAD [TOOBIG]"));
  CHECK(contains(got, "b BAD [TOOBIG]"));
  CHECK(contains(got, "c OK"));
}

TEST_CASE("a session that was told to end says BYE at once") {
  World world;
  world.imap.draining = true;
  CHECK(contains(world.answers("a NOOP\r\n"), "* BYE"));
}

TEST_CASE("an authenticator that is away is told from a wrong password") {
  World world;
  world.imap.logins.away = true;
  CHECK(contains(world.answers("a LOGIN user@example.test secret\r\n"), "a NO [UNAVAILABLE] try again later"));
}

TEST_CASE("a large message is appended and fetched whole") {
  World world;
  std::string message = "Subject: big\r\n\r\n";
  while (message.size() < 3'000'000) message += std::to_string(message.size()) + " some line of text\r\n";
  auto size = std::to_string(message.size());
  auto got = world.answers("a LOGIN user@example.test secret\r\nb APPEND INBOX {" + size + "+}\r\n" + message +
                           "\r\nc SELECT INBOX\r\nd FETCH 1 BODY.PEEK[]\r\ne LOGOUT\r\n");
  auto begin = got.find("BODY[] {" + size + "}\r\n");
  REQUIRE(begin != std::string::npos);
  CHECK(got.substr(begin + 11 + size.size(), message.size()) == message);
  CHECK(contains(got, "e OK"));
}

TEST_CASE("octets that an unasked literal behind an APPEND brings are no commands") {
  for (std::string end : {std::string(" {30+}"), std::string(200, 'x') + " {30+}"}) {
    World world;
    auto got = world.answers(std::string(kLogIn) + "b APPEND INBOX {2+}\r\nhi" + end + "\r\nc CREATE evil\r\nd NOOP\r\n");
    CHECK(contains(got, "* BYE APPEND: takes one message"));
    CHECK(contains(got, "b BAD"));
    CHECK_FALSE(contains(got, "c OK"));
    CHECK_FALSE(world.store.mailbox(world.imap.user, "evil"));
  }
  World world;
  auto refused = world.answers(std::string(kLogIn) + "b APPEND nowhere {2+}\r\nhi {30+}\r\nc CREATE evil\r\n");
  CHECK(contains(refused, "* BYE"));
  CHECK_FALSE(world.store.mailbox(world.imap.user, "evil"));
}

TEST_CASE("the message of an APPEND has a whole time, however it trickles") {
  World world;
  world.imap.services.limits.append = 0ms;
  auto got = world.answers(std::string(kLogIn) + appended("b", "S: x\r\n\r\n"));
  CHECK(contains(got, "* BYE idle for too long"));
  CHECK_FALSE(contains(got, "APPENDUID"));
}

TEST_CASE("a header is read once for all sections that choose from it") {
  World world;
  std::string fetch = "d FETCH 1 (";
  for (int i = 0; i < 100; ++i) fetch += "BODY.PEEK[HEADER.FIELDS (Subject)]<0.9> ";
  fetch.back() = ')';
  auto got = world.answers(std::string(kLogIn) + appended("b", "Subject: once\r\n\r\nbody\r\n") + "c SELECT INBOX\r\n" + fetch + "\r\ne LOGOUT\r\n");
  CHECK(contains(got, "d OK"));
  CHECK(contains(got, "{9}\r\nSubject: "));
  CHECK(world.store.reads == 1);
}

TEST_CASE("a FETCH sends what has gathered before it reads on") {
  World world;
  CHECK(world.loop.block_on(reads_at_first_octet(world)) < 100);
}

TEST_CASE("a SEARCH has a whole time") {
  World world;
  world.imap.services.limits.search = 0ms;
  auto got = world.answers(std::string(kLogIn) + appended("b", "S: x\r\n\r\n") + "c SELECT INBOX\r\nd SEARCH TEXT x\r\ne LOGOUT\r\n");
  CHECK(contains(got, "d NO [LIMIT]"));
  CHECK(contains(got, "e OK"));
}

TEST_CASE("a SEARCH ends when its client has gone") {
  World world;
  world.imap.services.limits.look = 0ms;
  std::string octets(kLogIn);
  for (int i = 0; i < 50; ++i) octets += appended("b", "S: x\r\n\r\nbody\r\n");
  auto got = world.answers(octets + "c SELECT INBOX\r\nd SEARCH BODY y\r\n");
  CHECK(contains(got, "c OK"));
  CHECK_FALSE(contains(got, "d OK"));
  CHECK(world.store.reads < 10);
}
