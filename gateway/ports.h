#pragma once

#include <vector>

#include "gateway/admin/room.h"
#include "gateway/base/result.h"
#include "gateway/config/config.h"
#include "gateway/io/fd.h"

// The sockets that the program listens on.
namespace postern {

enum class Protocol { smtp, submission, submissions, lmtp, imap, imaps, pop3, pop3s };

struct Socket {
  Protocol protocol;
  io::Fd fd;
};

admin::Service service_of(Protocol protocol);

// An Error names the first port of [listen] that another program has.
Status check_ports_free(const config::Listen& listen);

// A set of bound sockets for each loop.  Port 0 in `listen` becomes the port that was found.
Result<std::vector<std::vector<Socket>>> bind_for_loops(config::Listen& listen, std::size_t loops);

// Those of [listen] links, which one loop serves.  Likewise with port 0.
Result<std::vector<io::Fd>> bind_links(config::Listen& listen);

// The ports are bound while we may still be root, but nobody is let in before the store is ours: SO_REUSEPORT
// would give a second server its share of the first one's connections.
Status listen_on_all(const std::vector<std::vector<Socket>>& sockets, const io::Fd& admin_socket, const std::vector<io::Fd>& link_sockets);

}  // namespace postern
