#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/config/config.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

namespace postern::directory {

// Whose an envelope address is.
struct Resolution {
  enum class Kind {
    account,        // `account` takes the message
    onward,         // of a domain whose mail goes on; its server says whether there is such a recipient
    unknown_user,   // our domain, nobody there: 550 5.1.1
    not_ours,       // relay denied, unless the client is trusted: 550 5.7.1
    malformed,      // no local part, no domain, no valid domain name: 553 5.1.3
    unavailable     // ours by promise (postmaster), but no account takes it now: 451 4.3.0
  };
  enum class By { address, tag, catch_all, postmaster };
  Kind kind = Kind::malformed;
  By by = By::address;
  store::AccountId account = 0;
  std::string account_address;
  std::string tag;                 // of user+tag@: "tag"; the folder stays INBOX
  std::string domain;              // of onward and not_ours, in A-label form or an address literal
  // Of onward: under `account_address` the user has an account for his quarantine once he needs one; `account` is
  // that of the postmaster, who is ours whatever that server says, and 0 for everybody else.
  bool found() const { return kind == Kind::account; }
};

// Domains and users: what RCPT asks.  Local parts are compared without regard to ASCII case, domains
// in lower-case A-label form.  All functions answer from memory and may be called on any loop.
//
// postmaster (RFC 5321 4.5.1) of each of our domains, of our host name, and alone is always accepted.
// Its account: one of that very address, else the configured `postmaster`, else the administrator
// with the lowest id, else "postmaster@<first domain>", which prepare() makes.
class Directory {
 public:
  // `store` must outlive the directory; `config` is copied.
  Directory(const config::Config& config, store::Store& store);

  // At start: makes the postmaster's account when nobody else would take his mail.
  io::Task<Status> prepare();
  // After a reload.
  void configure(const config::Config& config);

  // "user+tag@domain", "\"odd local\"@domain", "postmaster".
  Resolution resolve(std::string_view address) const;
  // The same from the parts of an envelope path, the local part without quotes; `domain` "" only for postmaster.
  Resolution resolve(std::string_view local, std::string_view domain) const;

  bool is_ours(std::string_view domain) const;
  // A-label form, in the order of the configuration; at least one.
  std::vector<std::string> domains() const;

  // The form under which an account is kept, for `user add` and friends: an address in one of our
  // domains, lower case, without '+'.
  Result<std::string> account_address(std::string_view text) const;
  // What a person types as login name: an address, or a local part alone in the first domain.  Always
  // gives something, at most 320 octets, to count failures by.
  std::string login_address(std::string_view login) const;
  std::optional<store::Account> account(std::string_view address) const { return store_.account(address); }
  // What the user has said of senders; never null.
  std::shared_ptr<const mail::SenderList> senders(store::AccountId account) const { return store_.senders(account); }

 private:
  struct Domains;
  std::shared_ptr<const Domains> current() const;
  std::optional<store::Account> postmaster(const Domains& domains, std::string_view domain) const;
  Resolution goes_on(const Domains& domains, std::string_view base, std::string_view domain) const;
  Resolution resolve_in(const Domains& domains, std::string_view local, std::string_view domain) const;

  store::Store& store_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Domains> domains_;
};

}  // namespace postern::directory
