// The SMTP session with a judge of the test's own, over loopback.
#include "tests/unit/smtp/world.h"

using namespace postern;
using namespace postern::smtp;
using namespace postern::smtp::test;

namespace {

io::Task<void> two_chunks(World& world, std::string second_answer) {
  auto peer = co_await world.with_envelope();
  auto first = co_await peer->ask("BDAT 0");
  CHECK(first == "250 2.0.0 0 octets received");
  auto second = co_await peer->ask("BDAT 0");
  CHECK(second == second_answer);
  peer.reset();
  co_await world.wait_ended(1);
}

}  // namespace

TEST_CASE("the chunks of a message share the time that a body has") {
  World world;
  world.loop.block_on(two_chunks(world, "250 2.0.0 0 octets received"));
}

TEST_CASE("a message in chunks whose time is up ends the session") {
  World world;
  world.settings.body_timeout = 0ms;   // up as soon as the first chunk is read
  world.loop.block_on(two_chunks(world, "421 4.4.2 mx.example.test waited too long, closing"));
}
