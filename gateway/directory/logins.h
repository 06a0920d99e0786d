#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/ip.h"
#include "gateway/directory/directory.h"
#include "gateway/directory/failures.h"
#include "gateway/directory/ldap.h"
#include "gateway/directory/remembered.h"
#include "gateway/io/task.h"
#include "gateway/io/worker_pool.h"
#include "gateway/store/types.h"

namespace postern::directory {

struct Attempt {
  Attempt(std::string name, std::string secret, IpAddress from, std::string_view over, std::string session_id = {})
      : login(std::move(name)), password(std::move(secret)), client(from), protocol(over), session(std::move(session_id)) {}
  std::string login;      // as typed
  std::string password;
  IpAddress client;       // by XCLIENT or PROXY where that is trusted
  std::string protocol;   // "imap", "pop3", "smtp": for the log; the counters are common to all
  std::string session;    // for the log
};

struct Login {
  enum class Kind {
    good,
    bad,           // wrong name or password: which of them is not told; [AUTHENTICATIONFAILED], [AUTH]
    refused,       // too many failures: `refused_for`; not even a right password passes
    busy           // too many logins at once, or the directory cannot be asked: [UNAVAILABLE], [SYS/TEMP]
  };
  Kind kind = Kind::bad;
  store::Account account;               // when good
  std::chrono::seconds refused_for{0};
  std::string text;                     // for the reply, a sentence without a dot
  bool ok() const { return kind == Kind::good; }
};

struct LoginOptions {
  LoginOptions();
  Failures::Policy account, address, network;
  std::chrono::seconds remember_good{5 * 60};
  // Of passwords that a directory called wrong: soon it may call them right, by a word of its administrator.
  std::chrono::seconds remember_bad_ldap{5 * 60};
  std::size_t hashes_at_once = 0;   // 0: one a core; each takes 19 MiB
};

// Checks passwords for all protocols and loops.  Thread-safe.
//
// An attempt of a name, address or network with failures behind it waits first, good or bad, so
// nothing can be learnt from an answer's time; unknown names cost the same hash and the same delays.
// A name is not refused to an address that it logged in from lately: otherwise anybody could lock
// anybody out.  The same wrong password again from the same address (a telephone with an old
// password) is neither counted nor hashed again.
//
// Who has a password here logs in by that.  Others log in by their domain's directory, if it has one: it is asked whose the
// name is, and then bound to with his password.
class Logins {
 public:
  // Gives the account of somebody whose mail goes on, who has proved that he is there; makes it when he first comes.
  using MakeAccount = std::function<io::Task<std::optional<store::Account>>(std::string address)>;

  Logins(const Directory& directory, LoginOptions options = {});

  // Before the first login.  `directories` must outlive this.
  void ask(const LdapDirectories& directories, MakeAccount make_account);

  io::Task<Login> check(Attempt attempt);

  // An account's address, an IP address or a network: its failures are forgotten.
  bool unban(std::string_view name);
  // Names with their time left: accounts, addresses, networks.
  std::vector<Failures::Refused> refused() const;

 private:
  struct Names {
    std::string account, address, network;
    std::string place;   // account and address together
  };
  enum class Memory { nothing, good, bad };
  using LdapPtr = std::shared_ptr<Ldap>;

  Names names_of(const Attempt& attempt) const;
  Failures::Standing standing(const Names& names) const;
  Memory recall(const std::string& token) const;
  void count_failure(const Names& names, const std::string& token, bool by_ldap = false);
  LdapPtr ldap_of(const std::string& name, const std::optional<store::Account>& account) const;
  io::Task<Login> check_by_ldap(LdapPtr ldap, Attempt attempt, Names names, std::string token);
  io::Task<std::optional<store::Account>> account_of(std::string name);
  void note_success(const Names& names, const std::string& token);
  std::string token_of(const Names& names, std::string_view row, std::string_view password) const;
  io::Task<std::optional<bool>> hash(Names names, std::string row, std::string password);
  Login finish(const Attempt& attempt, const Names& names, Login login) const;

  const Directory& directory_;
  LoginOptions options_;
  const std::string key_;   // of this process: tokens say nothing in a core dump of another
  mutable std::mutex mutex_;
  Failures accounts_, addresses_, networks_;
  Remembered good_, bad_, bad_ldap_, places_;
  const LdapDirectories* directories_ = nullptr;
  MakeAccount make_account_;
  std::atomic<std::size_t> waiting_{0};
  io::WorkerPool hashers_;  // last: its jobs use what stands above
};

}  // namespace postern::directory
