// The two pages that monitoring asks for.  RFC 9112, as much of it as a scraper needs.
#include "gateway/admin/http.h"

#include "gateway/base/text.h"
#include "gateway/io/listener.h"
#include "gateway/io/loop.h"
#include "gateway/io/stream.h"

namespace postern::admin {
namespace {

constexpr std::size_t kMaxLine = 8192;
constexpr int kMaxHeaders = 100;

std::string_view reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 503: return "Service Unavailable";
    default: return "Error";
  }
}

io::Task<void> serve_one(io::Stream stream, std::function<HttpAnswer(std::string_view)> answer) {
  auto deadline = in(std::chrono::seconds(10));
  auto request = co_await stream.read_line(kMaxLine, deadline);
  for (int i = 0; i < kMaxHeaders; ++i) {
    auto header = co_await stream.read_line(kMaxLine, deadline);
    if (header.text.empty()) break;
  }
  auto parts = words(request.text);
  HttpAnswer out;
  bool head = !parts.empty() && parts[0] == "HEAD";
  if (parts.size() != 3 || request.too_long) {
    out = {400, out.type, "bad request\n"};
  } else if (parts[0] != "GET" && !head) {
    out = {405, out.type, "only GET\n"};
  } else {
    out = answer(parts[1].substr(0, parts[1].find('?')));
  }
  std::string wire = "HTTP/1.1 " + std::to_string(out.status) + " " + std::string(reason(out.status)) +
                     "\r\nContent-Type: " + out.type + "\r\nContent-Length: " + std::to_string(out.body.size()) +
                     "\r\nConnection: close\r\n\r\n";
  if (!head) wire += out.body;
  co_await stream.write(wire, deadline);
  co_await stream.shutdown(deadline);
}

}  // namespace

io::Task<void> serve_http(io::Fd socket, std::function<HttpAnswer(std::string_view)> answer) {
  io::Listener listener(std::move(socket));
  for (;;) {
    auto stream = co_await listener.accept();
    io::Loop::current().spawn(serve_one(std::move(stream), answer), "http");
  }
}

}  // namespace postern::admin
