// Accounts.  An account begins with the mailboxes that its user expects to find.
#include "gateway/store/account.h"

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/store/names.h"
#include "gateway/store/sweep.h"

namespace postern::store {
namespace {

// The account that keeps the originals of class virus is nobody's and has no '@'.
bool is_user(const Account& account) { return account.address.find('@') != std::string::npos; }

void add_subscribed(Group& group, AccountId id, const std::string& name, SpecialUse use) {
  group.add_mailbox(id, name, use);
  if (group.edit_account(id)->subscriptions.insert(name).second) group.put(subscription_key(id, name), "");
}

constexpr std::string_view kSenderFolders[] = {kAlwaysAllow, kAlwaysBlock};

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
      add_subscribed(group, id, std::string(default_name(use)), use);
    }
    if (!is_user(account_)) return true;
    for (auto name : kSenderFolders) add_subscribed(group, id, std::string(name), SpecialUse::none);
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

class CompleteAccounts : public Job {
 public:
  explicit CompleteAccounts(std::vector<AccountId> accounts) : accounts_(std::move(accounts)) {}
  bool grows() const override { return true; }
  bool apply(Group& group) override {
    next_ = done_;
    for (std::size_t i = 0; i < kSlice && next_ < accounts_.size(); ++i, ++next_) complete(group, accounts_[next_]);
    return next_ == accounts_.size();
  }
  void committed() override { done_ = next_; }
  void fail(Outcome, std::string text) override {   // begun again at the next start
    log::warning("store.accounts", {{"what", "the folders of the quarantine are not made: " + text}});
  }

 private:
  static void complete(Group& group, AccountId id) {
    if (group.peek_account(id) == nullptr || group.find(id, SpecialUse::quarantine) == nullptr) return;
    for (auto name : kSenderFolders) {
      if (group.find(id, name) == nullptr) add_subscribed(group, id, std::string(name), SpecialUse::none);
    }
  }

  static constexpr std::size_t kSlice = 100;
  std::vector<AccountId> accounts_;
  std::size_t done_ = 0, next_ = 0;   // durable, planned
};

}  // namespace

std::shared_ptr<Job> complete_accounts_job(const Catalog& catalog) {
  std::vector<AccountId> wanting;
  for (const auto& account : catalog.accounts()) {
    bool whole = catalog.mailbox(account.id, kAlwaysAllow) && catalog.mailbox(account.id, kAlwaysBlock);
    if (is_user(account) && !whole) wanting.push_back(account.id);
  }
  if (wanting.empty()) return nullptr;
  return std::make_shared<CompleteAccounts>(std::move(wanting));
}

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
