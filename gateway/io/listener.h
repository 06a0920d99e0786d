#pragma once

#include "gateway/io/fd.h"
#include "gateway/io/task.h"

namespace postern::io {

// Accepts connections of one listening socket on this loop.
class Listener {
 public:
  // Takes over a socket from listen_on().
  explicit Listener(Fd socket) : socket_(std::move(socket)) {}

  // The next connection: non-blocking, close-on-exec, TCP_NODELAY.  When the process is out of
  // descriptors it pauses 100 ms and goes on: the kernel's queue is the waiting room.  Throws
  // Closed when the socket itself fails.
  Task<Fd> accept();

  int fd() const { return socket_.get(); }

 private:
  Fd socket_;
};

}  // namespace postern::io
