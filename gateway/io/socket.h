#pragma once

#include <sys/socket.h>

#include "gateway/base/ip.h"
#include "gateway/base/result.h"
#include "gateway/io/fd.h"

namespace postern::io {

// Fills `address` and gives its length.
socklen_t to_sockaddr(const Endpoint& endpoint, sockaddr_storage& address);
Endpoint from_sockaddr(const sockaddr_storage& address);
Endpoint peer_of(int fd);
Endpoint local_of(int fd);

// A bound, non-blocking TCP socket with SO_REUSEPORT, so that each loop has its own queue.  No
// connection comes to it before start_listening().  [::] means IPv4 as well.  The error names the endpoint.
Result<Fd> bind_to(const Endpoint& endpoint);
// An Error where somebody listens there already: with SO_REUSEPORT two programs of one user would share the connections
// without a word.
Status check_free(const Endpoint& endpoint);
Status start_listening(const Fd& socket, int backlog = 1024);
// Both at once.
Result<Fd> listen_on(const Endpoint& endpoint);
// A listening unix socket at `path` (an old one is removed), mode 0600.
Result<Fd> listen_on_path(const std::string& path);

}  // namespace postern::io
