// IMAP over loopback on the real store: 10,000 messages; prints seconds and rates, asserts nothing.
//   bench_imap [MESSAGES]
//   bench_imap serve [MESSAGES]    keeps serving user@example.test / secret on a free port for foreign clients
#include <cstdio>
#include <cstring>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/io/errors.h"
#include "gateway/io/listener.h"
#include "gateway/io/socket.h"
#include "gateway/io/together.h"
#include "tests/support/dialogue.h"
#include "tests/support/imap_world.h"
#include "tests/support/temporary_directory.h"

using namespace postern;
using namespace std::chrono_literals;

namespace {

std::string message_of(std::size_t number) {
  std::string out = "Return-Path: <sender@example.org>\r\nReceived: from a by b; Tue, 24 Nov 2026 03:59:02 +0000\r\n";
  out += "Date: Tue, 24 Nov 2026 03:59:02 +0000\r\nFrom: Sender <sender@example.org>\r\nTo: user@example.test\r\n";
  out += "Subject: message number " + std::to_string(number) + "\r\nMessage-ID: <" + std::to_string(number) + "@example.org>\r\n";
  out += "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n";
  std::string line = "The quick brown fox jumps over the lazy dog, again and again and again, as ever.\r\n";
  for (std::size_t i = 0; i < 40 + number % 400; ++i) out += line;
  out += "--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>fox</p>\r\n--b--\r\n";
  return out;
}

io::Task<void> fill(test::ImapWorld& world, std::size_t first, std::size_t count) {
  for (std::size_t i = first; i < first + count; ++i) {
    store::Flags none;
    co_await world.put("INBOX", message_of(i), "X-Postern-Verdict: ham score=0 id=1\r\n", none);
  }
}

io::Task<void> fill_all(test::ImapWorld& world, std::size_t count) {
  constexpr std::size_t kAtOnce = 50;
  std::vector<io::Task<void>> tasks;
  for (std::size_t i = 0; i < kAtOnce; ++i) tasks.push_back(fill(world, i * (count / kAtOnce), count / kAtOnce));
  co_await io::together(std::move(tasks));
}

// Reads until a line begins with `tag`; gives the octets.
io::Task<std::uint64_t> answer(io::Stream& client, std::string tag) {
  std::uint64_t octets = 0;
  std::string end = "\n" + tag + " ";
  std::string tail = "\n";
  for (;;) {
    if (client.buffered().empty()) co_await client.fill(in(60s));
    auto have = client.buffered();
    octets += have.size();
    tail += have.size() > 4096 ? have.substr(have.size() - 4096) : have;
    client.consume(have.size());
    auto at = tail.find(end);
    if (at != std::string::npos && tail.back() == '\n') {
      if (tail.compare(at + end.size(), 2, "OK") != 0) std::printf("! %s", tail.substr(at + 1).c_str());
      co_return octets;
    }
    if (tail.size() > 8192) tail.erase(0, tail.size() - 4096);
  }
}

io::Task<void> timed(io::Stream& client, std::string what, std::string command) {
  auto begin = std::chrono::steady_clock::now();
  co_await client.write("x " + command + "\r\n", in(10s));
  auto octets = co_await answer(client, "x");
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%-34s %8.3f s %10.1f MB/s\n", what.c_str(), took.count(), static_cast<double>(octets) / 1e6 / took.count());
}

io::Task<void> append_many(test::ImapWorld& world, std::size_t count) {
  auto pair = co_await test::stream_pair();
  io::Loop::current().spawn(imap::serve(std::move(pair.server), world.services, false), "imap");
  co_await pair.client.write("a LOGIN user@example.test secret\r\n", in(10s));
  co_await answer(pair.client, "a");
  auto message = message_of(0);
  for (std::size_t i = 0; i < count; ++i) {
    co_await pair.client.write("b APPEND Trash {" + std::to_string(message.size()) + "+}\r\n" + message + "\r\n", in(10s));
    co_await answer(pair.client, "b");
  }
}

io::Task<void> append_all(test::ImapWorld& world) {
  std::vector<io::Task<void>> tasks;
  for (int i = 0; i < 10; ++i) tasks.push_back(append_many(world, 200));
  auto begin = std::chrono::steady_clock::now();
  co_await io::together(std::move(tasks));
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%-34s %8.3f s %10.0f /s\n", "APPEND over 10 connections", took.count(), 2000 / took.count());
}

io::Task<void> measure(test::ImapWorld& world) {
  auto pair = co_await test::stream_pair();
  io::Loop::current().spawn(imap::serve(std::move(pair.server), world.services, false), "imap");
  auto& client = pair.client;
  co_await client.write("a LOGIN user@example.test secret\r\n", in(10s));
  co_await answer(client, "a");
  co_await timed(client, "SELECT", "SELECT INBOX");
  co_await timed(client, "FETCH FLAGS", "FETCH 1:* (UID FLAGS RFC822.SIZE)");
  co_await timed(client, "FETCH headers (4 fields)", "FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (From To Subject Date)])");
  co_await timed(client, "FETCH headers again", "FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (From To Subject Date)])");
  co_await timed(client, "FETCH ENVELOPE", "FETCH 1:* (UID FLAGS ENVELOPE)");
  co_await timed(client, "FETCH BODYSTRUCTURE", "FETCH 1:* (BODYSTRUCTURE)");
  co_await timed(client, "FETCH BODY[]", "FETCH 1:* (BODY.PEEK[])");
  co_await timed(client, "SEARCH SUBJECT", "SEARCH SUBJECT \"number 77\"");
  co_await timed(client, "SEARCH BODY", "SEARCH BODY \"lazy cat\"");
  co_await timed(client, "STORE all \\Flagged", "STORE 1:* +FLAGS.SILENT (\\Flagged)");
  co_await timed(client, "COPY all", "COPY 1:* Archive");
  co_await append_all(world);
}

io::Task<void> serve_for_ever(test::ImapWorld& world) {
  auto endpoint = *Endpoint::parse("127.0.0.1:0", 0);
  auto socket = io::listen_on(endpoint);
  io::Listener listener(std::move(socket).value());
  std::printf("%s\n", io::local_of(listener.fd()).to_string().c_str());
  std::fflush(stdout);
  for (;;) {
    auto accepted = co_await listener.accept();
    io::Loop::current().spawn(imap::serve(std::move(accepted), world.services, false), "imap");
  }
}

}  // namespace

int main(int argc, char** argv) {
  log::set_level(log::Level::error);
  bool serve = argc > 1 && std::strcmp(argv[1], "serve") == 0;
  const char* number = argc > (serve ? 2 : 1) ? argv[serve ? 2 : 1] : "10000";
  auto count = parse_number(number).value_or(10000);
  test::TemporaryDirectory directory;
  io::WorkerPool workers(2);
  io::Loop loop;
  store::StoreOptions options;
  options.directory = directory.path();
  auto store = store::Store::open(options, workers);
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().text.c_str());
    return 1;
  }
  test::ImapWorld world(**store, workers);
  loop.block_on(world.add_user());
  auto begin = std::chrono::steady_clock::now();
  loop.block_on(fill_all(world, count));
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::fprintf(stderr, "%-34s %8.3f s\n", "delivered", took.count());
  loop.block_on(serve ? serve_for_ever(world) : measure(world));
  loop.block_on(test::ended(loop));
  return 0;
}
