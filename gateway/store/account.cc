// Accounts.  An account begins with the mailboxes that its user expects to find.
#include "gateway/store/account.h"

#include "gateway/base/text.h"
#include "gateway/store/names.h"
#include "gateway/store/sweep.h"

namespace postern::store {
namespace {

class CreateAccount : public JobWith<Change> {
 public:
  explicit CreateAccount(Account account) : account_(std::move(account)) {}
  bool grows() const override { return true; }
  bool apply(Group& group) override {
    result = Change();
    if (account_.address.empty()) return refuse(Outcome::cannot, "an account needs an address");
    if (group.address_taken(account_.address, 0)) return refuse(Outcome::exists, "there is an account " + account_.address);
    auto id = group.add_account(account_);
    for (auto use : {SpecialUse::inbox, SpecialUse::drafts, SpecialUse::sent, SpecialUse::junk, SpecialUse::trash,
                     SpecialUse::archive, SpecialUse::quarantine}) {
      std::string name(default_name(use));
      group.add_mailbox(id, name, use);
      group.edit_account(id)->subscriptions.insert(name);
      group.put(subscription_key(id, name), "");
    }
    return true;
  }

 private:
  Account account_;
};

class UpdateAccount : public JobWith<Change> {
 public:
  explicit UpdateAccount(Account account) : account_(std::move(account)) {}
  bool apply(Group& group) override {
    result = Change();
    if (group.peek_account(account_.id) == nullptr) return refuse(Outcome::no_mailbox, "no such account");
    if (account_.address.empty()) return refuse(Outcome::cannot, "an account needs an address");
    if (group.address_taken(account_.address, account_.id)) return refuse(Outcome::exists, "there is an account " + account_.address);
    group.put(account_key(account_.id), encode(account_));
    group.edit_account(account_.id)->account = account_;
    return true;
  }

 private:
  Account account_;
};

class RemoveAccount : public JobWith<Change> {
 public:
  explicit RemoveAccount(AccountId id) : id_(id) {}
  bool apply(Group& group) override {
    result = Change();
    doomed_.clear();
    const auto* state = group.peek_account(id_);
    if (state == nullptr) return refuse(Outcome::no_mailbox, "no such account");
    for (const auto& [name, mailbox] : state->names) doomed_.push_back(mailbox);
    group.remove_account(id_);
    return true;
  }
  std::vector<std::shared_ptr<Job>> successors() override {
    std::vector<std::shared_ptr<Job>> sweeps;
    for (auto mailbox : doomed_) sweeps.push_back(sweep_job(mailbox));
    return sweeps;
  }

 private:
  AccountId id_;
  std::vector<MailboxId> doomed_;
};

}  // namespace

std::shared_ptr<JobWith<Change>> create_account_job(Account account) {
  account.address = ascii_lowered(account.address);
  return std::make_shared<CreateAccount>(std::move(account));
}
std::shared_ptr<JobWith<Change>> update_account_job(Account account) {
  account.address = ascii_lowered(account.address);
  return std::make_shared<UpdateAccount>(std::move(account));
}
std::shared_ptr<JobWith<Change>> remove_account_job(AccountId id) { return std::make_shared<RemoveAccount>(id); }

}  // namespace postern::store
