// One request on a connection: limits, deadlines, and that the answer arrives.
#include "gateway/http/serve.h"

#include <sys/socket.h>

#include "gateway/io/errors.h"
#include "gateway/io/loop.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace std::chrono_literals;

namespace {

struct World {
  io::Loop loop;
  http::ServeLimits limits;
  std::vector<http::Request> seen;

  World() { limits.body = 100; }

  io::Task<http::Answer> answer(http::Request request) {
    seen.push_back(std::move(request));
    http::Answer out;
    out.body = "answered";
    co_return out;
  }
  io::Task<void> serve(io::Stream stream) {
    http::Handle handle = [this](http::Request request) { return answer(std::move(request)); };
    co_await http::serve_one(stream, std::move(handle), limits);
  }
  // Everything that comes back until the end, for pieces that are sent one after the other.
  io::Task<std::string> talk(std::vector<std::string> pieces) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    loop.spawn(serve(io::Stream(io::Fd(ends[1]))), "http");
    io::Stream mine{io::Fd(ends[0])};
    std::string out;
    try {
      for (const auto& piece : pieces) {
        co_await mine.write(piece, in(10s));
        co_await io::sleep_until(in(1ms));
      }
    } catch (const io::Closed&) {   // its answer did not wait for our end
    }
    try {
      for (;;) {
        co_await mine.fill(in(10s));
        out += mine.buffered();
        mine.consume(mine.buffered().size());
      }
    } catch (const io::Closed&) {   // the end
    }
    co_return out;
  }
  std::string said(std::vector<std::string> pieces) { return loop.block_on(talk(std::move(pieces))); }
};

bool begins(const std::string& text, std::string_view with) {
  INFO(text.substr(0, 200));
  CHECK(text.starts_with(with));
  return text.starts_with(with);
}

}  // namespace

TEST_CASE("a request is answered once, however its octets come") {
  const std::string request = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
  World w;
  begins(w.said({request}), "HTTP/1.1 200 OK\r\n");
  std::vector<std::string> octets;
  for (char c : request) octets.emplace_back(1, c);
  auto answer = w.said(octets);
  begins(answer, "HTTP/1.1 200 OK\r\n");
  CHECK(answer.ends_with("\r\n\r\nanswered"));
  REQUIRE(w.seen.size() == 2);
  CHECK(w.seen[1].body == "hello");
}

TEST_CASE("a second request on the connection is not answered") {
  World w;
  auto answer = w.said({"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"});
  begins(answer, "HTTP/1.1 200 OK\r\n");
  CHECK(answer.find("HTTP/1.1", 10) == std::string::npos);
  CHECK(w.seen.size() == 1);
}

TEST_CASE("what is too long is refused before it has come") {
  World w;
  begins(w.said({"GET / HTTP/1.1\r\nX: " + std::string(20'000, 'a')}), "HTTP/1.1 431 ");
  begins(w.said({"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n"}), "HTTP/1.1 413 ");
  begins(w.said({"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", std::string(100'000, 'x')}), "HTTP/1.1 413 ");
  CHECK(w.seen.empty());
}

TEST_CASE("who is slow hears 408, and his octets win him no time") {
  World w;
  w.limits.request = 50ms;
  begins(w.said({"GET / HT"}), "HTTP/1.1 408 ");
  begins(w.said({"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"}), "HTTP/1.1 408 ");
  begins(w.said(std::vector<std::string>(300, "x")), "HTTP/1.1 408 ");
  CHECK(w.seen.empty());
}

TEST_CASE("the answer to HEAD has no body") {
  World w;
  auto answer = w.said({"HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n"});
  begins(answer, "HTTP/1.1 200 OK\r\n");
  CHECK(answer.find("Content-Length: 8\r\n") != std::string::npos);
  CHECK(answer.ends_with("\r\n\r\n"));
}

TEST_CASE("rubbish is refused with a status") {
  World w;
  begins(w.said({"\x16\x03\x01\x02\r\n\r\n"}), "HTTP/1.1 400 ");
  begins(w.said({"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"}), "HTTP/1.1 501 ");
}
