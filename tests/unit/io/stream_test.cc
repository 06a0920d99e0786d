// Stream over real loopback sockets.
#include <poll.h>

#include <thread>

#include "gateway/io/errors.h"
#include "gateway/io/listener.h"
#include "gateway/io/loop.h"
#include "gateway/io/signal.h"
#include "gateway/io/socket.h"
#include "gateway/io/stream.h"
#include "gateway/io/together.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace std::chrono_literals;
using io::Loop;
using io::Stream;
using io::Task;

namespace {

struct Pair {
  Pair(Stream a, Stream b) : client(std::move(a)), server(std::move(b)) {}
  Stream client;
  Stream server;
};

Task<Pair> connected() {
  auto endpoint = *Endpoint::parse("127.0.0.1:0", 0);
  io::Listener listener(std::move(io::listen_on(endpoint).value()));
  auto client = co_await Stream::connect(io::local_of(listener.fd()), in(5s));
  auto accepted = co_await listener.accept();
  co_return Pair(std::move(client), std::move(accepted));
}

Task<std::vector<io::Line>> lines_of(std::string sent, std::size_t limit, std::size_t count) {
  auto pair = co_await connected();
  co_await pair.client.write(sent, in(5s));
  std::vector<io::Line> out;
  for (std::size_t i = 0; i < count; ++i) {
    auto line = co_await pair.server.read_line(limit, in(5s));
    out.push_back(std::move(line));
  }
  co_return out;
}

Task<void> send_all(Stream& stream, std::string octets) {
  co_await stream.write(octets, in(20s));
}

Task<void> receive(Stream& stream, std::size_t octets, std::string& into) {
  into = co_await stream.read_exact(octets, in(20s));
}

Task<std::string> big_transfer(std::size_t octets) {
  auto pair = co_await connected();
  std::string got;
  std::vector<Task<void>> both;
  both.push_back(send_all(pair.client, std::string(octets, 'x')));
  both.push_back(receive(pair.server, octets, got));
  co_await io::together(std::move(both));
  co_return got;
}

Task<void> read_after_close() {
  auto pair = co_await connected();
  { Stream gone(std::move(pair.client)); }
  co_await pair.server.fill(in(5s));
}

Task<void> read_with_no_input() {
  auto pair = co_await connected();
  co_await pair.server.fill(in(5ms));
}

Task<bool> early_talker(bool talks) {
  auto pair = co_await connected();
  if (talks) co_await pair.client.write("EHLO\r\n", in(1s));
  bool spoke = co_await pair.server.readable(in(20ms));
  co_return spoke;
}

// Idle at first, with octets of the peer's unread, read, and when the peer has closed.
Task<std::vector<bool>> idleness() {
  auto pair = co_await connected();
  std::vector<bool> out;
  out.push_back(pair.client.is_idle());
  co_await pair.server.write("421", in(5s));
  co_await io::sleep_until(in(20ms));
  out.push_back(pair.client.is_idle());
  co_await pair.client.read_exact(3, in(5s));
  out.push_back(pair.client.is_idle());
  { Stream gone(std::move(pair.server)); }
  co_await io::sleep_until(in(20ms));
  out.push_back(pair.client.is_idle());
  co_return out;
}

Task<void> notify_soon(io::Signal& signal) {
  co_await io::sleep_until(in(2ms));
  signal.notify();
}

Task<io::Heard> heard_first(bool input, bool signal, bool other) {
  auto pair = co_await connected();
  io::Signal a, b;
  if (input) co_await pair.client.write("x", in(1s));
  if (signal) Loop::current().spawn(notify_soon(a), "notify");
  if (other) Loop::current().spawn(notify_soon(b), "notify");
  auto heard = co_await pair.server.listen(in(50ms), a, &b);
  co_await io::sleep_until(in(5ms));   // the notifiers end before the signals
  co_return heard;
}

Task<void> listen_to_nobody() {
  auto pair = co_await connected();
  io::Signal never;
  { Stream gone(std::move(pair.client)); }
  co_await pair.server.listen(in(5s), never);
}

// Sends without a pause from a thread of its own until the reader has gone.
class Flood {
 public:
  explicit Flood(Endpoint to) : thread_([to] { run(to); }) {}
  ~Flood() { thread_.join(); }

 private:
  static void run(Endpoint to) {
    Loop loop;
    loop.spawn(send_on(to), "flood", [&loop] { loop.stop(); });
    loop.run();
  }
  static Task<void> send_on(Endpoint to) {
    auto stream = co_await Stream::connect(to, in(5s));
    const std::string octets(1 << 16, 'x');
    for (;;) co_await stream.write(octets, in(5s));
  }
  std::thread thread_;
};

Task<void> read_on(Stream& stream, Deadline deadline) {
  for (;;) {
    co_await stream.fill(deadline);
    stream.consume(stream.buffered().size());
  }
}

Task<void> listen_on(Stream& stream, Deadline deadline, bool& ended) {
  io::Signal never;
  for (;;) {
    auto heard = co_await stream.listen(deadline, never);
    if (heard == io::Heard::nothing) break;
    stream.consume(stream.buffered().size());
  }
  ended = true;
}

Task<void> count_turns(int& turns) {
  for (;; ++turns) co_await io::sleep_until(in(1ms));
}

// How many turns another task of the loop had while a flood was read until its deadline.
Task<int> turns_beside_flood(bool by_listening) {
  io::Listener listener(std::move(io::listen_on(*Endpoint::parse("127.0.0.1:0", 0)).value()));
  Flood flood(io::local_of(listener.fd()));
  auto stream = co_await listener.accept();
  int turns = 0;
  bool ended = false;
  auto deadline = in(200ms);
  auto reading = by_listening ? listen_on(stream, deadline, ended) : read_on(stream, deadline);
  try {
    co_await io::first_of(std::move(reading), count_turns(turns));
  } catch (const io::TimedOut&) {
    ended = true;
  }
  CHECK(ended);
  co_return turns;
}

}  // namespace

TEST_CASE("a peer that never stops sending ends at the deadline, and others have their turn") {
  Loop loop;
  CHECK(loop.block_on(turns_beside_flood(false)) > 5);
  CHECK(loop.block_on(turns_beside_flood(true)) > 5);
}

TEST_CASE("listening ends with input, either signal or the deadline, and throws Closed at the end") {
  Loop loop;
  CHECK(loop.block_on(heard_first(true, false, false)) == io::Heard::input);
  CHECK(loop.block_on(heard_first(false, true, false)) == io::Heard::signal);
  CHECK(loop.block_on(heard_first(false, false, true)) == io::Heard::other);
  CHECK(loop.block_on(heard_first(false, false, false)) == io::Heard::nothing);
  CHECK_THROWS_AS(loop.block_on(listen_to_nobody()), io::Closed);
}

TEST_CASE("a stream is idle while the peer has neither spoken nor closed") {
  Loop loop;
  CHECK(loop.block_on(idleness()) == std::vector<bool>{true, false, true, false});
}

TEST_CASE("lines come with the truth about their ends") {
  Loop loop;
  auto lines = loop.block_on(lines_of("one\r\ntwo\nth\rree\r\n\r\n", 100, 4));
  CHECK((lines[0].text == "one" && lines[0].crlf));
  CHECK((lines[1].text == "two" && !lines[1].crlf));
  CHECK((lines[2].text == "th\rree" && lines[2].crlf));
  CHECK((lines[3].text.empty() && lines[3].crlf));
}

TEST_CASE("a line over the limit is marked, cut, and the next one is whole") {
  Loop loop;
  auto lines = loop.block_on(lines_of(std::string(300'000, 'a') + "\r\nnext\r\n", 512, 2));
  CHECK(lines[0].too_long);
  CHECK(lines[0].text == std::string(512, 'a'));
  CHECK((lines[1].text == "next" && !lines[1].too_long));
}

TEST_CASE("a line of exactly the limit is not too long") {
  Loop loop;
  auto lines = loop.block_on(lines_of(std::string(512, 'a') + "\r\n", 512, 1));
  CHECK_FALSE(lines[0].too_long);
  CHECK(lines[0].text.size() == 512);
}

TEST_CASE("20 MB arrive whole through full socket buffers") {
  Loop loop;
  auto got = loop.block_on(big_transfer(20'000'000));
  CHECK(got == std::string(20'000'000, 'x'));
}

TEST_CASE("reading from a closed peer throws Closed") {
  Loop loop;
  CHECK_THROWS_AS(loop.block_on(read_after_close()), io::Closed);
}

TEST_CASE("a read without input throws TimedOut at its deadline") {
  Loop loop;
  CHECK_THROWS_AS(loop.block_on(read_with_no_input()), io::TimedOut);
}

TEST_CASE("a bound socket takes no connection from one that listens beside it") {
  auto first = io::listen_on(*Endpoint::parse("127.0.0.1:0"));
  REQUIRE(first);
  auto endpoint = io::local_of(first->get());
  CHECK(io::check_free(endpoint).error().text.find("another program listens there already") != std::string::npos);
  auto second = io::bind_to(endpoint);
  REQUIRE(second);
  for (int i = 0; i < 40; ++i) {
    sockaddr_storage address{};
    auto size = io::to_sockaddr(endpoint, address);
    io::Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    pollfd queue{.fd = first->get(), .events = POLLIN, .revents = 0};
    REQUIRE(::poll(&queue, 1, 10'000) == 1);
    io::Fd accepted(::accept(first->get(), nullptr, nullptr));
    REQUIRE(accepted.valid());
  }
  CHECK(io::start_listening(*second));
}

TEST_CASE("an early talker is seen, a patient client is not") {
  Loop loop;
  CHECK(loop.block_on(early_talker(true)));
  CHECK_FALSE(loop.block_on(early_talker(false)));
}
