#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

#include "gateway/io/task.h"

namespace postern::config {
struct Config;
}
namespace postern::store {
class Store;
struct Account;
}
namespace postern::directory {
class Directory;
class LinkKeys;
class Logins;
}
namespace postern::delivery {
class AbuseDesk;
class Deliverer;
class Digests;
class Queue;
class SendLedger;
class TraceLog;
}
namespace postern::signing {
class KeyRing;
}
namespace postern::io {
class WorkerPool;
}

namespace postern::admin {

struct LastBackup;

// What a command of the administrator works on: in the running server, or in a program of its own
// that opened the store because no server runs.  Pointers that a lone command has not are null.
struct Context {
  const config::Config* config = nullptr;
  store::Store* store = nullptr;
  io::WorkerPool* workers = nullptr;
  directory::Directory* directory = nullptr;
  directory::Logins* logins = nullptr;                   // null: no server runs
  delivery::Queue* queue = nullptr;                      // null: no server runs
  signing::KeyRing* keys = nullptr;                      // null: no server runs
  delivery::SendLedger* ledger = nullptr;                // null: no server runs
  delivery::AbuseDesk* abuse = nullptr;                  // null: no server runs
  delivery::Deliverer* deliverer = nullptr;              // null: no server runs
  directory::LinkKeys* link_keys = nullptr;              // null: no server runs
  delivery::Digests* digests = nullptr;                  // null: no server runs
  LastBackup* last_backup = nullptr;                     // null: no server runs
  std::function<nlohmann::json()> status;                // empty: no server runs
  std::function<io::Task<nlohmann::json>()> reload;      // empty: no server runs
  std::set<std::uint64_t> busy;                          // accounts whose Held a command is at work on
  delivery::TraceLog* trace = nullptr;                   // null: no server runs
};

// Not the account of ours that keeps the originals of class virus.
bool is_user(const store::Account& account);

nlohmann::json failure(std::string text);
// The answer of a command: what it prints with --json, and the words for people.
//   {"ok": true, "rows": [...]} or {"ok": false, "error": "..."}
// `request`: {"command": "user add", ...its arguments}.  Never throws for what the request holds.
io::Task<nlohmann::json> run_command(Context& context, nlohmann::json request);

}  // namespace postern::admin
