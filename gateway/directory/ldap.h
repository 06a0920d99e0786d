#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/config/config.h"
#include "gateway/directory/ldap_connection.h"
#include "gateway/io/task.h"
#include "gateway/io/worker_pool.h"

namespace postern::directory {

struct LdapAnswer {
  enum class Kind {
    yes,       // somebody has this address; the password is his
    no,
    unsure,    // it cannot be asked now, or does not answer the question: `words`
    too_late   // the question was taken back before it was put
  };
  Kind kind = Kind::unsure;
  std::string words;   // printable, for the log
};

// One directory, [ldap.NAME]: its servers, the connections that are kept to them, and how it does.  Any loop may ask.
//
// The servers are tried in order; one that did not answer is passed over for half a minute as long as another is left.
// When none takes us questions are answered `unsure` at once for some seconds, for a minute where our own password is refused.
class Ldap : public std::enable_shared_from_this<Ldap> {
 public:
  // `workers` must be stopped before this is destroyed: by who has made both.
  Ldap(config::Ldap settings, io::WorkerPool& workers);

  const std::string& name() const { return settings_.name; }
  // Equal for directories that are asked in the same way; printable, without white space.
  const std::string& key() const { return key_; }

  // Does anybody have this address, "local@domain" in lower case?
  io::Task<LdapAnswer> find(std::string address);
  // Is it the password of the one who has this address?  Of an address that several have nobody's password is right.  An
  // empty password is nobody's and never asked.  `still`: asked on a worker's thread just before; false: too_late.
  // An address that nobody has takes as long as a wrong password.
  io::Task<LdapAnswer> check_password(std::string address, std::string password, std::function<bool()> still);

  struct State {
    std::uint64_t questions = 0, troubles = 0;
    std::string problem;   // what came of the last question; "": it was answered, or there was none
  };
  State state() const;
  // No pause any more.
  void try_again();

 private:
  using Use = std::function<LdapOutcome(LdapConnection&)>;
  enum class Purpose { search, bind };
  struct Kept {
    std::unique_ptr<LdapConnection> connection;
    Deadline until{};
  };
  struct Server {
    std::string url;
    Deadline silent_until{};
  };

  std::shared_ptr<Ldap> turn();

  // On a worker's thread.
  LdapAnswer find_now(const std::string& address);
  LdapAnswer check_now(const std::string& address, const std::string& password);
  LdapOutcome ask(Purpose purpose, const Use& use);
  LdapOutcome ask_kept(Purpose purpose, const Use& use);
  LdapOutcome note(LdapOutcome outcome, std::chrono::seconds pause);

  std::unique_ptr<LdapConnection> take_kept(Purpose purpose);
  void keep(Purpose purpose, std::unique_ptr<LdapConnection> connection);
  std::vector<std::string> servers_in_order() const;
  void set_silent(const std::string& url, bool silent);
  bool is_closed(std::string& why) const;

  const config::Ldap settings_;
  io::WorkerPool& workers_;
  std::string key_;
  std::atomic<std::size_t> waiting_{0};
  mutable std::mutex mutex_;
  std::vector<Server> servers_;
  std::vector<Kept> kept_[2];   // by Purpose
  Deadline closed_until_{};
  State state_;
};

// All directories of the configuration, and the threads that ask them: of each directory its own, so that a slow one holds
// up no other.  Any thread.
class LdapDirectories {
 public:
  explicit LdapDirectories(const config::Config& config) { configure(config); }
  // After a reload: a directory whose settings are the same keeps its connections.
  void configure(const config::Config& config);
  // That the domain's users log in by and that is asked for them; nullptr: none.
  std::shared_ptr<Ldap> of_domain(std::string_view domain) const;
  std::vector<std::shared_ptr<Ldap>> all() const;
  // Before the loops that ask end.
  void stop();

 private:
  struct Table;
  io::WorkerPool& workers_of(const std::string& name);

  mutable std::mutex mutex_;
  std::shared_ptr<const Table> table_;
  // Last: their jobs end first.  By name, kept when a directory goes: its last jobs may still run.
  std::map<std::string, std::unique_ptr<io::WorkerPool>> workers_;
};

}  // namespace postern::directory
