// Accepting connections.
#include "gateway/io/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/io/errors.h"
#include "gateway/io/loop.h"
#include "gateway/io/readiness.h"

namespace postern::io {

Task<Fd> Listener::accept() {
  for (;;) {
    Fd fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.valid()) {
      int one = 1;
      setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      co_return fd;
    }
    if (errno == EAGAIN) {
      co_await Readable(socket_.get(), Deadline::max());
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
