#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "gateway/io/signal.h"
#include "gateway/io/tls.h"
#include "gateway/smtp/judge.h"
#include "gateway/smtp/limits.h"
#include "gateway/smtp/settings.h"

namespace postern::directory {
class Directory;
class LdapDirectories;
class Logins;
}
namespace postern::delivery {
class AbuseDesk;
class Deliverer;
class LdapCheck;
class LinkReleases;
class RecipientCheck;
class Routes;
class SendLedger;
class Through;
class TraceLog;
}

namespace postern::smtp {

// Counters for /metrics and status; shared by all loops.
struct Counters {
  std::atomic<std::uint64_t> connections{0}, refused_connections{0}, open{0};
  std::atomic<std::uint64_t> refused_at_connect{0}, refused_at_mail{0};   // rejected or deferred by a rule
  // A message that could not be stored counts as deferred, whatever its verdict.
  std::atomic<std::uint64_t> messages{0}, ham{0}, junk{0}, quarantine{0}, rejected{0}, deferred{0};
  std::atomic<std::uint64_t> recipients_refused{0}, bare_newlines{0}, early_talkers{0}, octets{0};
};

// What a session works with: one per loop, outlives its sessions.
struct Services {
  std::function<std::shared_ptr<const Settings>()> settings;              // the newest
  std::function<std::shared_ptr<const io::TlsContext>()> tls;             // the newest; nullptr: no STARTTLS
  std::function<std::string()> overload;                                  // why nothing more is taken, or ""
  directory::Directory* directory = nullptr;
  directory::Logins* logins = nullptr;                   // of submission; nullptr: nobody can log in
  bool allow_plaintext_login = false;                    // AUTH without TLS
  delivery::Deliverer* deliverer = nullptr;
  const delivery::SendLedger* ledger = nullptr;          // of submission: who was stopped; nullptr: nobody
  delivery::AbuseDesk* abuse = nullptr;                  // of submission: to whom nobody may write; nullptr: to all
  const delivery::Routes* routes = nullptr;              // nullptr: nothing goes on
  delivery::RecipientCheck* recipients = nullptr;        // with routes
  const delivery::LinkReleases* releases = nullptr;      // nullptr: no address releases anything
  const directory::LdapDirectories* directories = nullptr;   // nullptr: who is to be asked there is not known now
  delivery::LdapCheck* ldap_recipients = nullptr;        // with directories
  delivery::Through* through = nullptr;                  // nullptr: nothing is handed on before its 250
  Judge* judge = nullptr;
  ConnectionLimits* limits = nullptr;
  Counters* counters = nullptr;
  io::Signal* drain = nullptr;            // notified when the program is to end
  const bool* draining = nullptr;
  delivery::TraceLog* trace = nullptr;    // nullptr: what is refused is in the log alone
};

}  // namespace postern::smtp
