// Accepting connections.
#include "gateway/io/listener.h"

#include <event2/event.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/io/edge.h"
#include "gateway/io/errors.h"
#include "gateway/io/loop.h"
#include "gateway/io/socket.h"

namespace postern::io {

Listener::Listener(Fd socket) : socket_(std::move(socket)) {}
Listener::Listener(Listener&&) noexcept = default;
Listener::~Listener() = default;

Task<Stream> Listener::accept() {
  for (;;) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    Fd fd(::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.valid()) co_return Stream(std::move(fd), from_sockaddr(address));
    if (errno == EAGAIN) {
      if (!edge_) edge_ = std::make_unique<Edge>(socket_.get(), EV_READ);
      co_await edge_->wait(Deadline::max());
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      log::warning("accept.paused", {{"why", std::strerror(errno)}});
      co_await sleep_until(in(std::chrono::milliseconds(100)));
    } else if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK) {
      throw Closed(std::string("accept: ") + std::strerror(errno));
    }
    // Anything else belongs to a connection that died in the queue (ECONNABORTED, EPROTO ...).
  }
}

}  // namespace postern::io
