#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/config/config.h"
#include "gateway/directory/addresses.h"
#include "gateway/directory/lists.h"
#include "gateway/directory/srs_keys.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

namespace postern::directory {

// Whose an envelope address is.
struct Resolution {
  enum class Kind {
    account,        // `account` takes the message
    alias,          // `account_address` is one of our aliases; expand() says who takes the message
    list,           // `account_address` is one of our mailing lists, `list_role` what its address is for
    returned,       // a bounce to what we sent on: `original` is whom it is for, expand() says so too
    forged,         // looks like such an address, and none of our keys made it: 550
    expired,        // one of ours, but too old: 550
    onward,         // of a domain whose mail goes on; its server says whether there is such a recipient.  Or of a user whose mail goes on to hosts of his own
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
  std::string domain;              // of onward and not_ours, in A-label form or an address literal; the user's address where he has hosts of his own
  std::string original;            // of returned; of list: the member that the address names, "" for none
  ListRole list_role = ListRole::post;
  // Of onward: under `account_address` the user has an account for his quarantine once he needs one; `account` is
  // that of the postmaster, who is ours whatever that server says, and 0 for everybody else.
  bool found() const { return kind == Kind::account; }
  // Of onward: to hosts that the administrator named for this user, who is known therefore.
  bool has_own_hosts() const { return kind == Kind::onward && domain.find('@') != std::string::npos; }
};

// Where an address leads in the end.
struct Expansion {
  struct Target {
    Resolution::Kind kind = Resolution::Kind::account;   // account, onward, not_ours or list
    std::string address;           // an account's with the tag that was given
    store::AccountId account = 0;
    std::string account_address;   // of list: its address
    std::string domain;            // of onward and not_ours
    // Of not_ours: the address of ours that sends it on, an alias or what a bounce came back to.
    std::string sent_by;
    // Of account: where its owner has good mail sent on to, foreign addresses all; and whether he keeps a copy.
    std::vector<std::string> forward;
    bool keep = true;
  };
  std::vector<Target> targets;     // nobody twice
  std::vector<std::string> lost;   // that an alias names and nobody has (any more)
  bool cut = false;                // there are more than kMostTargets
};

// Domains and users: what RCPT asks.  Local parts are compared without regard to ASCII case, domains
// in lower-case A-label form.  All functions answer from memory and may be called on any loop.
//
// postmaster (RFC 5321 4.5.1) of each of our domains, of our host name, and alone is always accepted.
// Its account: one of that very address, else the configured `postmaster`, else the administrator
// with the lowest id, else "postmaster@<first domain>", which prepare() makes.
class Directory {
 public:
  // `store` and `clock` must outlive the directory; `config` is copied.
  Directory(const config::Config& config, store::Store& store, const Clock& clock = Clock::system());

  // At start: reads aliases, forwards, lists and the keys of rewritten senders, and makes the postmaster's account when nobody
  // else would take his mail.
  io::Task<Status> prepare();
  // Aliases, forwards and lists alone, for a program that takes no mail.
  io::Task<Status> load();
  // Looks each hour whether it is time for a new key, for ever.
  io::Task<void> keep_keys();
  // After a reload.
  void configure(const config::Config& config);

  // "user+tag@domain", "\"odd local\"@domain", "postmaster".
  Resolution resolve(std::string_view address) const;
  // The same from the parts of an envelope path, the local part without quotes; `domain` "" only for postmaster.
  Resolution resolve(std::string_view local, std::string_view domain) const;

  // May who is logged in as `account` write in the name of `address`, "user+tag@domain"?  His own address with any
  // tag, an alias that leads to him, and what he takes as postmaster; not what only a catch-all gives him: that would be everybody's who has left.
  bool may_send_as(const store::Account& account, std::string_view address) const;

  // Of kind account, alias, list or returned: all who take the message, at most kMostTargets.  A list is where it ends,
  // but for "<list>-owner", which leads to its owners.  Whatever the aliases and forwards
  // are like it ends, and nobody stands there twice; who does not keep his mail and whose forwards lead nowhere keeps it.
  Expansion expand(const Resolution& resolution, std::string_view address) const;
  static constexpr std::size_t kMostTargets = 1000;

  // The sender of a message that `sent_by` of ours sends on: an address of ours, so that SPF names us, from which bounces
  // come back.  The null sender and senders of ours stay; a sender that cannot be rewritten becomes `sent_by`.
  // RFC 5321 3.9, RFC 7208 D; nothing: there is no key.
  std::optional<std::string> sender_of_forwarded(const std::string& sender, const std::string& sent_by) const;

  // --- aliases and forwards; every Error is a sentence for who gave the command
  std::shared_ptr<const Addresses::Table> addresses() const { return addresses_.current(); }
  // In the form in which they are kept: of an alias or an account, of what they name.
  Result<std::string> target_address(std::string_view text) const;
  // Makes the alias, or gives it these targets instead of the ones that it has.  Refused: a loop (its chain is named), a
  // target that nobody has, an address that is an account or postmaster's, more than kMostTargets in the end.
  io::Task<Status> set_alias(std::string address, std::vector<std::string> targets);
  io::Task<Status> set_forward(std::string account, Forward forward);
  io::Task<Status> remove_alias(std::string address);
  io::Task<Status> remove_forward(std::string account);
  // The aliases, forwards and lists that name it.
  std::vector<std::string> named_by(std::string_view address) const;

  // Where our own notes to the postmaster go when the mail of his domain goes on: the configured address, or
  // postmaster@ the first domain.
  std::string postmaster_address() const;

  // --- mailing lists
  std::shared_ptr<const Lists::Table> lists() const { return lists_.current(); }
  std::shared_ptr<const List> list(std::string_view address) const { return lists_.find(address); }
  // Refused: an address that is something else already, also one of those that belong to the list; owners and moderators
  // that are no accounts; a list that would be its own member, by whatever chain (it is named).  `folder` is chosen here.
  io::Task<Status> make_list(std::string address, List list);
  // `edit` may refuse.  It is asked under a lock: no call back into the directory.
  using ListEdit = std::function<Status(List&)>;
  io::Task<Status> change_list(std::string address, ListEdit edit);
  io::Task<Status> remove_list(std::string address);
  // What of a list this address is, in words for a complaint: "an address of the list team@corp.example"; "": nothing.
  std::string taken_as(std::string_view address) const;
  // An address of the list that stands for this member: where his bounces come to, or what confirms that he wants to be
  // subscribed or not.  Nothing: there is no key, or his address cannot be written so.
  std::optional<std::string> list_address_for(std::string_view list, ListRole role, std::string_view member) const;

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
  // What is looked up: the same domains and addresses from beginning to end.
  struct View {
    std::shared_ptr<const Domains> domains;
    std::shared_ptr<const Addresses::Table> addresses;
    std::shared_ptr<const Lists::Table> lists;
  };
  View view() const;
  Resolution resolve_in(const View& view, std::string_view local, std::string_view domain) const;
  Resolution resolve_in(const View& view, std::string_view address) const;
  Resolution returned(std::string_view local) const;
  std::optional<Resolution> alias_in(const View& view, std::string_view local, std::string_view base, std::string_view domain) const;
  std::optional<Resolution> list_in(const View& view, std::string_view local, std::string_view domain) const;
  Status check_list(const View& view, const std::string& address, const List* before) const;
  class Walk;
  Expansion expand_in(const View& view, const Resolution& resolution, std::string_view address) const;
  Status check_targets(const View& view, const std::string& address, const std::vector<std::string>& targets) const;
  class Chains;

  store::Store& store_;
  const Clock& clock_;
  Addresses addresses_;
  Lists lists_;
  SrsKeys keys_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Domains> domains_;
};

}  // namespace postern::directory
