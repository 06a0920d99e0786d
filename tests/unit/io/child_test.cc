// Children and the packets that we exchange with them.
#include "gateway/io/child.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "gateway/io/errors.h"
#include "gateway/io/loop.h"
#include "gateway/io/packets.h"
#include "gateway/io/together.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace std::chrono_literals;

namespace {

io::ChildOptions shell(const std::string& script) {
  io::ChildOptions options;
  options.argv = {"/bin/sh", "-c", script};
  options.environment = {"GREETING=hello"};
  return options;
}

io::Child started(const io::ChildOptions& options) {
  auto child = io::Child::start(options);
  REQUIRE(child.has_value());
  return std::move(*child);
}

}  // namespace

TEST_CASE("a child's exit status is its end") {
  io::Loop loop;
  auto child = started(shell("exit 7"));
  auto end = loop.block_on(child.ended(in(5s)));
  CHECK_FALSE(end.by_signal);
  CHECK(end.code == 7);
  CHECK(end.to_string() == "exit status 7");
  auto again = loop.block_on(child.ended(in(5s)));
  CHECK(again.code == 7);
}

TEST_CASE("a killed child's end names the signal") {
  io::Loop loop;
  auto child = started(shell("exec sleep 1000"));
  child.kill(SIGKILL);
  auto end = loop.block_on(child.ended(in(5s)));
  CHECK(end.by_signal);
  CHECK(end.to_string() == "signal 9 (Killed)");
}

TEST_CASE("waiting for a child that goes on ends at the deadline") {
  io::Loop loop;
  auto child = started(shell("exec sleep 1000"));
  CHECK_THROWS_AS(loop.block_on(child.ended(in(20ms))), io::TimedOut);
}

TEST_CASE("a dropped child is killed and reaped") {
  pid_t pid = 0;
  {
    auto child = started(shell("exec sleep 1000"));
    pid = child.pid();
    CHECK(::kill(pid, 0) == 0);
  }
  CHECK(::kill(pid, 0) == -1);
}

TEST_CASE("a program that is not there is an error with its name") {
  io::ChildOptions options;
  options.argv = {"/nonexistent/program"};
  auto child = io::Child::start(options);
  REQUIRE_FALSE(child.has_value());
  CHECK(child.error().text.find("/nonexistent/program") != std::string::npos);
}

TEST_CASE("a child sees its own environment, its descriptors by number, and no other of ours") {
  io::Loop loop;
  auto pair = io::PacketSocket::pair();
  REQUIRE(pair.has_value());
  auto& [ours, theirs] = *pair;
  int inheritable = ::open("/dev/null", O_RDONLY);  // deliberately not close-on-exec
  REQUIRE(inheritable >= 3);
  // Also below the number that the child is given.
  bool free_three = ::fcntl(3, F_GETFD) < 0;
  if (free_three) ::dup2(inheritable, 3);
  auto options = shell("echo \"$GREETING $HOME\" >&4; ls /proc/self/fd | tr '\\n' ' ' >&4");
  options.descriptors = {{theirs.fd(), 4}};
  auto child = started(options);
  theirs.close();
  auto first = loop.block_on(ours.receive(in(5s)));
  CHECK(first.octets == "hello \n");
  auto second = loop.block_on(ours.receive(in(5s)));
  // 1 goes to our socket by the redirection, 3 is ls's own view of /proc.
  CHECK(second.octets == "0 1 2 3 4 ");
  ::close(inheritable);
  if (free_three) ::close(3);
}

TEST_CASE("packets keep their bounds") {
  io::Loop loop;
  auto pair = io::PacketSocket::pair();
  REQUIRE(pair.has_value());
  auto& [a, b] = *pair;
  loop.block_on(a.send("one", {}, in(5s)));
  loop.block_on(a.send(std::string(io::kMaxPacket, 'x'), {}, in(5s)));
  CHECK(loop.block_on(b.receive(in(5s))).octets == "one");
  CHECK(loop.block_on(b.receive(in(5s))).octets.size() == io::kMaxPacket);
}

TEST_CASE("a descriptor travels with its packet") {
  io::Loop loop;
  auto pair = io::PacketSocket::pair();
  REQUIRE(pair.has_value());
  auto& [a, b] = *pair;
  io::Fd memory(::memfd_create("test", MFD_CLOEXEC));
  REQUIRE(::write(memory.get(), "content", 7) == 7);
  std::array<int, 1> descriptors{memory.get()};
  loop.block_on(a.send("here", descriptors, in(5s)));
  auto packet = loop.block_on(b.receive(in(5s)));
  REQUIRE(packet.descriptors.size() == 1);
  std::array<char, 7> octets{};
  CHECK(::pread(packet.descriptors[0].get(), octets.data(), octets.size(), 0) == 7);
  CHECK(std::string(octets.data(), octets.size()) == "content");
  CHECK((::fcntl(packet.descriptors[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("the end of the other side is Closed, silence is TimedOut") {
  io::Loop loop;
  auto pair = io::PacketSocket::pair();
  REQUIRE(pair.has_value());
  auto& [a, b] = *pair;
  CHECK_THROWS_AS(loop.block_on(b.receive(in(10ms))), io::TimedOut);
  a.close();
  CHECK_THROWS_AS(loop.block_on(b.receive(in(5s))), io::Closed);
  CHECK_THROWS_AS(loop.block_on(b.send("x", {}, in(5s))), io::Closed);
}

TEST_CASE("a sender waits while the other side does not read, until its deadline") {
  io::Loop loop;
  auto pair = io::PacketSocket::pair();
  REQUIRE(pair.has_value());
  auto& [a, b] = *pair;
  std::string big(io::kMaxPacket, 'x');
  auto fill = [&] {
    for (int i = 0; i < 1000; ++i) loop.block_on(a.send(big, {}, in(20ms)));
  };
  CHECK_THROWS_AS(fill(), io::TimedOut);
}

namespace {

io::Task<void> wait_readable(io::PacketSocket& socket, Deadline deadline) { co_await socket.readable(deadline); }
io::Task<void> wait_until(Deadline deadline) { co_await io::sleep_until(deadline); }

io::Task<void> send_soon(io::PacketSocket& socket) {
  co_await io::sleep_until(in(1ms));
  std::string octets = "x";
  co_await socket.send(octets, {}, in(5s));
}

// Both deadlines fall into one turn of the loop; then the packet must still be noticed.
io::Task<bool> hears_after_abandoned_wait(io::PacketSocket& a, io::PacketSocket& b) {
  auto deadline = in(2ms);
  co_await io::first_of(wait_readable(b, deadline), wait_until(deadline));
  io::Loop::current().spawn(send_soon(a), "send");
  bool heard = co_await b.readable(in(5s));
  auto packet = co_await b.receive(in(5s));
  co_return heard && packet.octets == "x";
}

}  // namespace

TEST_CASE("a wait that was abandoned at its deadline leaves the socket audible") {
  io::Loop loop;
  auto pair = io::PacketSocket::pair();
  REQUIRE(pair.has_value());
  auto& [a, b] = *pair;
  for (int i = 0; i < 50; ++i) REQUIRE(loop.block_on(hears_after_abandoned_wait(a, b)));
}

TEST_CASE("blocking packets work without a loop") {
  auto pair = io::PacketSocket::pair();
  REQUIRE(pair.has_value());
  auto& [a, b] = *pair;
  CHECK(a.send_blocking("hello"));
  auto packet = b.receive_blocking();
  REQUIRE(packet.has_value());
  CHECK(packet->octets == "hello");
  a.close();
  CHECK_FALSE(b.receive_blocking().has_value());
  CHECK_FALSE(b.send_blocking("late"));
}
