// The two pages that monitoring asks for.
#include "gateway/admin/http.h"

#include "gateway/http/serve.h"
#include "gateway/io/listener.h"
#include "gateway/io/loop.h"

namespace postern::admin {
namespace {

using Page = std::function<HttpAnswer(std::string_view)>;

io::Task<HttpAnswer> look_up(Page page, http::Request request) {
  if (!request.only_looks()) co_return http::refusal(405, "only GET");
  co_return page(request.path);
}

io::Task<void> serve_one(io::Stream stream, Page page) {
  http::ServeLimits limits;
  limits.body = 4096;
  http::Handle handle = [&page](http::Request request) { return look_up(page, std::move(request)); };
  co_await http::serve_one(stream, std::move(handle), limits);
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
