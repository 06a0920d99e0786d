// A whole session fed with octets: logged in, a mailbox with two messages, then what the fuzzer says.
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>

#include "gateway/base/log.h"
#include "gateway/io/errors.h"
#include "tests/support/imap_world.h"
#include "tests/support/memory_store.h"

using namespace postern;
using namespace std::chrono_literals;

namespace {

// Only to end what hangs, also on a machine that is busy with other things.
constexpr auto kPatience = 60s;

io::Task<void> converse(io::Stream client, std::string octets) {
  try {
    co_await client.write(octets, in(kPatience));
    ::shutdown(client.fd(), SHUT_WR);
    for (;;) {
      co_await client.fill(in(kPatience));
      client.consume(client.buffered().size());
    }
  } catch (const io::Closed&) {  // the session's end
  } catch (const io::TimedOut&) {
    __builtin_trap();  // it hangs
  }
}

io::Task<void> play(test::ImapWorld& world, std::string octets) {
  store::Flags none;
  co_await world.put("INBOX", "From: a@b\r\nSubject: s\r\n\r\nbody\r\n", "", none);
  co_await world.put("INBOX", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n", "", none);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) __builtin_trap();
  io::Stream client{io::Fd(ends[0])};
  io::Loop::current().spawn(imap::serve(io::Stream(io::Fd(ends[1])), world.services, false), "imap");
  co_await converse(std::move(client), "a LOGIN user@example.test secret\r\nb SELECT INBOX\r\n" + octets);
  while (io::Loop::current().running() > 1) co_await io::sleep_until(in(0ms));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  log::set_level(log::Level::error);
  static io::WorkerPool workers(1);
  io::Loop loop;
  test::MemoryStore store;
  test::ImapWorld world(store, workers);
  loop.block_on(world.add_user());
  loop.block_on(play(world, std::string(reinterpret_cast<const char*>(data), size)));
  return 0;
}
