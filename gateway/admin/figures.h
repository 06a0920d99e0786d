#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "gateway/admin/backups.h"
#include "gateway/admin/http.h"
#include "gateway/admin/judging.h"
#include "gateway/admin/room.h"
#include "gateway/delivery/abuse.h"
#include "gateway/delivery/queue.h"
#include "gateway/delivery/tls_results.h"
#include "gateway/directory/logins.h"
#include "gateway/signing/signer.h"
#include "gateway/smtp/services.h"
#include "gateway/store/store.h"

namespace postern::admin {

// The state of the running gateway, for `postern status`, /metrics and /healthz.
struct Figures {
  const config::Config& config;
  store::Store& store;
  Judging& judging;
  smtp::Counters& counters;
  directory::Logins& logins;
  const Room& room;
  const delivery::QueueFigures& queue;
  const delivery::TlsResults& tls;
  const LastBackup& backup;
  Time started;
  const signing::KeyRing& keys;
  const signing::SignerFigures& signing;
  const directory::LdapDirectories& ldap;
  const delivery::AbuseDesk& abuse;

  nlohmann::json status() const;
  // "/metrics": the text format of Prometheus; "/healthz": 200 or 503 with the reason.
  HttpAnswer page(std::string_view path) const;

 private:
  nlohmann::json abuse_status() const;
  std::string metrics() const;
  HttpAnswer health() const;
};

}  // namespace postern::admin
