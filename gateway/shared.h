#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "gateway/admin/authenticator.h"
#include "gateway/admin/judging.h"
#include "gateway/admin/room.h"
#include "gateway/admin/watch.h"
#include "gateway/base/clock.h"
#include "gateway/config/config.h"
#include "gateway/delivery/abuse.h"
#include "gateway/delivery/deliverer.h"
#include "gateway/delivery/link_release.h"
#include "gateway/delivery/recipient_memory.h"
#include "gateway/delivery/release.h"
#include "gateway/delivery/route.h"
#include "gateway/delivery/send_ledger.h"
#include "gateway/delivery/trace_log.h"
#include "gateway/directory/directory.h"
#include "gateway/directory/ldap.h"
#include "gateway/directory/link_keys.h"
#include "gateway/directory/logins.h"
#include "gateway/imap/services.h"
#include "gateway/io/loop.h"
#include "gateway/io/tls.h"
#include "gateway/io/worker_pool.h"
#include "gateway/pop3/services.h"
#include "gateway/signing/signer.h"
#include "gateway/smtp/limits.h"
#include "gateway/smtp/services.h"
#include "gateway/smtp/settings.h"
#include "gateway/smtp_client/target.h"
#include "gateway/store/store.h"

namespace postern {

// The newest of something immutable, for readers on all loops.
template <class T>
class Newest {
 public:
  std::shared_ptr<const T> get() const {
    std::lock_guard lock(mutex_);
    return value_;
  }
  void set(std::shared_ptr<const T> value) {
    std::lock_guard lock(mutex_);
    value_ = std::move(value);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_;
};

// What all loops share, in the order in which it is built; destroyed the other way round.
struct Shared {
  explicit Shared(config::Config loaded) : config(std::move(loaded)) {}

  config::Config config;
  io::WorkerPool workers{std::max(2U, std::thread::hardware_concurrency())};
  io::Loop main;                             // signals, control socket, metrics, antivirus
  delivery::Routes routes{config};
  delivery::RecipientMemory recipients;      // of the hosts behind and of directories
  directory::LdapDirectories ldap{config};
  std::function<void(std::vector<delivery::Queued>)> tell_queue;   // set before the first session begins
  std::function<void()> reconfigure_queue;                         // likewise; after a reload
  delivery::ReleaseToHost release{routes, [this](std::vector<delivery::Queued> queued) { tell(std::move(queued)); }};
  signing::KeyRing keys;
  signing::Signer signer{keys, workers};
  std::unique_ptr<store::Store> store;
  std::unique_ptr<directory::Directory> directory;
  std::unique_ptr<directory::Logins> logins;
  directory::LinkKeys link_keys;
  std::unique_ptr<delivery::LinkReleases> releases;
  std::unique_ptr<delivery::SendLedger> ledger;
  std::unique_ptr<delivery::AbuseDesk> abuse;
  std::unique_ptr<delivery::TraceLog> trace;
  std::unique_ptr<delivery::Deliverer> deliverer;
  std::unique_ptr<admin::Judging> judging;
  std::unique_ptr<admin::Authenticator> authenticator;
  smtp::ConnectionLimits limits{smtp::LimitSettings()};
  smtp::ConnectionLimits reader_limits{smtp::LimitSettings()};
  admin::Room room{admin::session_capacity()};
  smtp::Counters counters;
  imap::Recent recent{Clock::system().now()};
  pop3::Maildrops maildrops;
  Newest<smtp::Settings> settings;
  Newest<io::TlsContext> tls;
  smtp_client::TlsContexts outward_tls;   // for connections that we open
  admin::Overload overload;
  Time started = Clock::system().now();

  // Any thread.
  void tell(std::vector<delivery::Queued> queued) {
    if (tell_queue) tell_queue(std::move(queued));
  }
};

}  // namespace postern
