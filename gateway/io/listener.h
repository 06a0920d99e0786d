#pragma once

#include <memory>

#include "gateway/io/fd.h"
#include "gateway/io/stream.h"
#include "gateway/io/task.h"

namespace postern::io {

// Accepts connections of one listening socket on this loop, before which it must end.
class Listener {
 public:
  // Takes over a socket from listen_on().
  explicit Listener(Fd socket);
  Listener(Listener&&) noexcept;
  ~Listener();

  // The next connection: close-on-exec, TCP_NODELAY.  When the process is out of
  // descriptors it pauses 100 ms and goes on: the kernel's queue is the waiting room.  Throws
  // Closed when the socket itself fails.
  Task<Stream> accept();

  int fd() const { return socket_.get(); }

 private:
  Fd socket_;
  std::unique_ptr<Edge> edge_;   // from the first wait on, on the loop that accepts
};

}  // namespace postern::io
