// libcurl on our loop, against a small server over loopback.
#include "gateway/io/https.h"

#include <optional>

#include "gateway/io/listener.h"
#include "gateway/io/loop.h"
#include "gateway/io/socket.h"
#include "gateway/io/stream.h"
#include "tests/support/catch.h"
#include "tests/support/certificate.h"
#include "tests/support/temporary_directory.h"

using namespace postern;
using namespace std::chrono_literals;
using Kind = io::HttpsAnswer::Kind;

namespace {

// Answers each request with `reply`; "" hangs.
struct Server {
  std::string reply;
  std::string heard;
  int connections = 0;
  std::shared_ptr<const io::TlsContext> tls;
  std::optional<io::Listener> listener;   // only while a loop lives

  io::Task<void> speak(io::Stream stream) {
    if (tls) co_await stream.start_tls(tls, in(10s));
    for (;;) {
      auto line = co_await stream.read_line(4096, in(10s));
      heard += line.text + "\n";
      if (line.text.empty()) break;
    }
    if (reply.empty()) co_await io::sleep_until(in(30s));
    co_await stream.write(reply, in(10s));
    co_await stream.shutdown(in(1s));
  }
  io::Task<void> serve(io::Loop& loop) {
    for (;;) {
      auto stream = co_await listener->accept();
      ++connections;
      loop.spawn(speak(std::move(stream)), "server");
    }
  }
};

struct World {
  test::TemporaryDirectory directory;
  Server server;
  io::HttpsRequest request;

  World() {
    test::write_certificate(directory.path(), "mta-sts.example.test");
    server.tls = io::TlsContext::server(directory.path() + "/tls.crt", directory.path() + "/tls.key").value();
    request.host = "mta-sts.example.test";
    request.path = "/policy.txt";
    request.addresses = {*IpAddress::parse("127.0.0.1")};
    request.trust = directory.path() + "/tls.crt";
  }
  io::HttpsAnswer get(std::chrono::milliseconds wait = 20s) {
    io::Loop loop;
    server.listener.emplace(std::move(io::listen_on(*Endpoint::parse("127.0.0.1:0")).value()));
    if (request.port == 443) request.port = io::local_of(server.listener->fd()).port;
    loop.spawn(server.serve(loop), "server");
    auto answer = loop.block_on(io::get_https(request, in(wait)));
    loop.end_tasks();
    server.listener.reset();
    return answer;
  }
};

std::string answer(const std::string& status, const std::string& body, const std::string& fields = "Content-Type: text/plain\r\n") {
  return "HTTP/1.1 " + status + "\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

TEST_CASE("a document comes with status and type, for the name though by the address") {
  World w;
  w.server.reply = answer("200 OK", "version: STSv1\n");
  auto got = w.get();
  INFO(got.problem);
  CHECK(got.kind == Kind::answered);
  CHECK(got.status == 200);
  CHECK(got.content_type == "text/plain");
  CHECK(got.body == "version: STSv1\n");
  CHECK(w.server.heard.starts_with("GET /policy.txt HTTP/1.1\nHost: mta-sts.example.test"));
}

TEST_CASE("the next address is tried where the first does not answer") {
  World w;
  w.server.reply = answer("200 OK", "x");
  w.request.addresses.insert(w.request.addresses.begin(), *IpAddress::parse("127.200.0.9"));   // nobody listens there
  CHECK(w.get().kind == Kind::answered);
}

TEST_CASE("a redirect is an answer like others") {
  World w;
  w.server.reply = answer("302 Found", "", "Location: https://mta-sts.example.test/elsewhere\r\n");
  auto got = w.get();
  CHECK(got.kind == Kind::answered);
  CHECK(got.status == 302);
  CHECK(w.server.connections == 1);
}

TEST_CASE("a certificate that is not trusted, or of another name, is no answer") {
  World w;
  w.server.reply = answer("200 OK", "x");
  w.request.trust.clear();
  CHECK(w.get().kind == Kind::not_trusted);
  World other;
  other.server.reply = answer("200 OK", "x");
  other.request.host = "mta-sts.other.test";
  CHECK(other.get().kind == Kind::not_trusted);
  CHECK(other.server.heard.empty());
}

TEST_CASE("a document above the limit is refused, announced or not") {
  World announced;
  announced.request.max_octets = 1000;
  announced.server.reply = answer("200 OK", std::string(1001, 'x'));
  CHECK(announced.get().kind == Kind::too_large);
  World streamed;
  streamed.request.max_octets = 1000;
  streamed.server.reply = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + std::string(100'000, 'x');
  auto got = streamed.get();
  CHECK(got.kind == Kind::too_large);
  CHECK(got.problem == "the document is larger than 1000 octets");
}

TEST_CASE("who hangs, and who is not there, is unreachable") {
  World w;
  auto got = w.get(300ms);
  CHECK(got.kind == Kind::unreachable);
  CHECK(got.problem == "no answer in time");
  World nobody;
  nobody.request.port = 1;
  CHECK(nobody.get().kind == Kind::unreachable);
  World nameless;
  nameless.request.addresses.clear();
  CHECK(nameless.get().problem == "mta-sts.example.test has no address");
}

TEST_CASE("a server without TLS is not trusted") {
  World w;
  w.server.tls = nullptr;
  w.server.reply = "HTTP/1.1 200 OK\r\n\r\n";
  auto got = w.get(2s);
  CHECK(got.kind != Kind::answered);
  CHECK_FALSE(got.problem.empty());
}
