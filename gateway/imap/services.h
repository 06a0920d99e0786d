#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "gateway/base/ip.h"
#include "gateway/imap/recent.h"
#include "gateway/io/signal.h"
#include "gateway/io/stream.h"
#include "gateway/io/task.h"
#include "gateway/io/tls.h"
#include "gateway/io/worker_pool.h"
#include "gateway/store/store.h"

namespace postern::imap {

struct LoginAttempt {
  LoginAttempt(std::string a, std::string p, IpAddress c, std::string s)
      : address(std::move(a)), password(std::move(p)), client(c), session(std::move(s)) {}
  std::string address;
  std::string password;
  IpAddress client;
  std::string session;   // for the log
};

struct LoginResult {
  enum class Kind : std::uint8_t { accepted, refused, not_now };
  LoginResult(Kind k, store::AccountId a, std::string t) : kind(k), account(a), text(std::move(t)) {}
  Kind kind = Kind::refused;
  store::AccountId account = 0;   // when accepted
  std::string text;               // a sentence for the client otherwise; says nothing about which users exist
};

// Who may log in.  Counts failures and delays its answer where it must.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  virtual io::Task<LoginResult> check(LoginAttempt attempt) = 0;
};

struct Limits {
  std::uint64_t max_message_octets = 50ULL << 20;   // [imap] max_append
  std::uint64_t max_command_octets = 1ULL << 20;    // one command with its literals, after login
  std::chrono::milliseconds idle{30 * 60'000};      // [imap] idle_timeout: without a command, after login
  std::chrono::milliseconds append{30 * 60'000};    // for the message of an APPEND, however it trickles
  std::chrono::milliseconds search{10 * 60'000};    // for one SEARCH
  std::chrono::milliseconds look{1000};             // a long command looks so often whether its client is there
};

// What a session works with: one per loop, outlives its sessions.
struct Services {
  store::Store* store = nullptr;
  Authenticator* logins = nullptr;
  io::WorkerPool* workers = nullptr;
  Recent* recent = nullptr;                                    // one for all loops
  std::function<std::shared_ptr<const io::TlsContext>()> tls;  // the newest; nullptr: no STARTTLS
  std::string hostname;
  std::string version;
  std::string spool;                                           // directory for large APPENDs
  bool allow_plaintext_login = false;
  Limits limits;
  std::function<std::uint64_t()> errors_per_session;           // the newest: BAD answers and failed logins; 0: no limit
  io::Signal* drain = nullptr;                                 // notified when the program is to end
  const bool* draining = nullptr;
};

// One connection from greeting to LOGOUT.  Ends when the connection is over and throws nothing of it.
// `services` must outlive the task.
io::Task<void> serve(io::Stream stream, const Services& services, bool implicit_tls);

}  // namespace postern::imap
