#pragma once

#include <functional>
#include <memory>
#include <string>

#include "gateway/directory/logins.h"
#include "gateway/io/signal.h"
#include "gateway/io/stream.h"
#include "gateway/io/task.h"
#include "gateway/io/tls.h"
#include "gateway/pop3/maildrops.h"
#include "gateway/store/store.h"

namespace postern::pop3 {

struct Timeouts {
  std::chrono::seconds command{600};     // RFC 1939 3: at least ten minutes
  std::chrono::seconds login_line{60};   // one line before login
  std::chrono::seconds login{180};       // from the connection to the login
  std::chrono::seconds write{300};       // until the client has taken the next octets
};

// What a session works with: one per loop, outlives its sessions.
struct Services {
  store::Store* store = nullptr;
  directory::Logins* logins = nullptr;
  Maildrops* maildrops = nullptr;                              // one for all loops
  std::function<std::shared_ptr<const io::TlsContext>()> tls;  // the newest; nullptr: no STLS
  std::string hostname;
  bool allow_plaintext_login = false;
  Timeouts timeouts;
  io::Signal* drain = nullptr;                                 // notified when the program is to end
  const bool* draining = nullptr;
};

// One connection from greeting to QUIT.  Ends when the connection is over and throws nothing of it.
// `services` must outlive the task.
io::Task<void> serve(io::Stream stream, const Services& services, bool implicit_tls);

}  // namespace postern::pop3
