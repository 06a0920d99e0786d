// DATA and BDAT bodies, fed whole and one octet at a time over a real socket.
#include "gateway/smtp/body_reader.h"

#include "gateway/io/listener.h"
#include "gateway/io/loop.h"
#include "gateway/io/socket.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::smtp;
using namespace std::chrono_literals;
using io::Task;

namespace {

struct Outcome {
  BodyEnd end = BodyEnd::complete;
  std::string body;
  std::string rest;    // what was left unread
};

Task<Outcome> feed(std::string octets, std::size_t piece, std::uint64_t limit) {
  io::Listener listener(std::move(io::listen_on(*Endpoint::parse("127.0.0.1:0")).value()));
  auto client = co_await io::Stream::connect(io::local_of(listener.fd()), in(5s));
  auto server = co_await listener.accept();
  io::Draft draft("/tmp");
  BodyLimits limits{limit, 5s, in(20s)};
  Outcome out;
  std::size_t sent = 0;
  // The reader is lazy: everything is sent first, in pieces that a slow peer would make.
  while (sent < octets.size()) {
    auto some = octets.substr(sent, piece);
    co_await client.write(some, in(5s));
    sent += some.size();
  }
  out.end = co_await read_body(server, draft, limits);
  out.rest = server.buffered();
  auto finished = draft.finish();
  out.body = finished ? std::string(finished->view()) : "draft failed";
  co_return out;
}

Outcome read(const std::string& octets, std::size_t piece = 1 << 20, std::uint64_t limit = 1 << 20) {
  io::Loop loop;
  return loop.block_on(feed(octets, piece, limit));
}

Task<Outcome> chunk(std::string octets, std::uint64_t length, char last) {
  io::Listener listener(std::move(io::listen_on(*Endpoint::parse("127.0.0.1:0")).value()));
  auto client = co_await io::Stream::connect(io::local_of(listener.fd()), in(5s));
  auto server = co_await listener.accept();
  io::Draft draft("/tmp");
  BodyLimits limits{1 << 20, 5s, in(20s)};
  co_await client.write(octets, in(5s));
  Outcome out;
  out.end = co_await read_chunk(server, draft, length, last, limits);
  out.rest = server.buffered();
  out.body = std::string(draft.finish().value().view());
  co_return out;
}

}  // namespace

TEST_CASE("a body ends at the line with the single dot and dots are unstuffed") {
  for (std::size_t piece : {1U, 2U, 3U, 7U, 1000U}) {
    INFO(piece);
    auto out = read("a\r\n..b\r\n.c\r\n\r\n.\r\nQUIT\r\n", piece);
    CHECK(out.end == BodyEnd::complete);
    CHECK(out.body == "a\r\n.b\r\nc\r\n\r\n");
    CHECK(out.rest == "QUIT\r\n");
  }
}

TEST_CASE("an empty body is a body") {
  auto out = read(".\r\n");
  CHECK(out.end == BodyEnd::complete);
  CHECK(out.body.empty());
}

TEST_CASE("a bare CR or LF anywhere ends the body as bare_newline") {
  for (std::string bad : {"a\nb\r\n.\r\n", "a\rb\r\n.\r\n", "a\r\n.\n", "a\n.\r\n", "a\r\n.\rx\r\n", "\n", "a\r\r\n.\r\n", ".\n.\r\n"}) {
    for (std::size_t piece : {1U, 100U}) {
      INFO(bad << " in pieces of " << piece);
      CHECK(read(bad, piece).end == BodyEnd::bare_newline);
    }
  }
}

TEST_CASE("a body over the limit is read to its end and dropped") {
  std::string body;
  for (int i = 0; i < 1000; ++i) body += "0123456789\r\n";
  auto out = read(body + ".\r\nNOOP\r\n", 1 << 20, 5000);
  CHECK(out.end == BodyEnd::too_big);
  CHECK(out.rest == "NOOP\r\n");
}

TEST_CASE("a body above the memory mark comes back whole from its file") {
  std::string body;
  for (int i = 0; i < 60'000; ++i) body += "0123456789\r\n";
  auto out = read(body + ".\r\n");
  CHECK(out.end == BodyEnd::complete);
  CHECK(out.body == body);
}

TEST_CASE("a chunk is read by count, and CRLF may span two chunks") {
  io::Loop loop;
  auto out = loop.block_on(chunk("ab\r\ncNOOP\r\n", 5, 0));
  CHECK(out.end == BodyEnd::complete);
  CHECK(out.body == "ab\r\nc");
  CHECK(out.rest == "NOOP\r\n");
  CHECK(loop.block_on(chunk("\nb", 2, '\r')).end == BodyEnd::complete);
  CHECK(loop.block_on(chunk("\nb", 2, 'x')).end == BodyEnd::bare_newline);
  CHECK(loop.block_on(chunk("b", 1, '\r')).end == BodyEnd::bare_newline);
}
