// The queue of a channel, with a server that says nothing and one that is gone.
#include "gateway/dns/cares_channel.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>

#include "gateway/dns/packet.h"
#include "gateway/io/loop.h"
#include "gateway/io/socket.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kOnTheWire = 128;

// Takes packets and never answers.
io::Fd silent_server() {
  io::Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage address{};
  auto length = io::to_sockaddr(*Endpoint::parse("127.0.0.1:0"), address);
  REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  return socket;
}

// Answers the first packet with what is no answer.
void answer_rubbish(const io::Fd& server) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  char octet = 0;
  REQUIRE(::recvfrom(server.get(), &octet, 1, 0, reinterpret_cast<sockaddr*>(&address), &length) >= 0);
  REQUIRE(::sendto(server.get(), &octet, 1, 0, reinterpret_cast<sockaddr*>(&address), length) == 1);
}

dns::CaresConfig config_for(const io::Fd& server) {
  dns::CaresConfig config;
  config.servers = {io::local_of(server.get())};
  return config;
}

std::string question(std::size_t number) {
  return dns::encode_query(std::to_string(number) + ".test", dns::Type::a, static_cast<std::uint16_t>(number), 0);
}

io::Task<void> pause(std::chrono::milliseconds time) { co_await io::sleep_until(in(time)); }

// No new sockets, as when the process has used up its descriptors.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit none = before_;
    none.rlim_cur = 0;
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("a queue of questions that all fail at once does not nest on the stack") {
  io::Loop loop;
  io::Fd server = silent_server();
  dns::CaresChannel channel(loop, config_for(server), false);
  std::uintptr_t highest = 0, lowest = UINTPTR_MAX;
  std::size_t failed = 0;
  auto done = [&](dns::Delivery, std::string_view) {
    auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    highest = std::max(highest, here);
    lowest = std::min(lowest, here);
    ++failed;
  };
  constexpr std::size_t kQuestions = 3'000;
  for (std::size_t i = 0; i < kQuestions; ++i) channel.send(question(i), [] { return true; }, done);
  CHECK(channel.pending() == kQuestions);
  // UBSan needs descriptors of its own when a callback comes for the first time.
  answer_rubbish(server);
  loop.block_on(pause(80ms));
  server.reset();
  NoDescriptors none;
  loop.block_on(pause(600ms));
  CHECK(failed == kQuestions);
  CHECK(highest - lowest < 64 * 1024);
}

TEST_CASE("a question that nobody waits for any more is not sent") {
  io::Loop loop;
  io::Fd server = silent_server();
  dns::CaresChannel channel(loop, config_for(server), false);
  std::size_t dropped = 0;
  auto done = [&](dns::Delivery delivery, std::string_view) { dropped += delivery == dns::Delivery::unanswered ? 1 : 0; };
  bool wanted = true;
  for (std::size_t i = 0; i < kOnTheWire + 1'000; ++i) channel.send(question(i), [&wanted] { return wanted; }, done);
  CHECK(dropped == 0);
  wanted = false;
  loop.block_on(pause(400ms));
  CHECK(dropped == 1'000);
  CHECK(channel.pending() == kOnTheWire);
}
