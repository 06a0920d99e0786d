#pragma once

#include <algorithm>
#include <map>

#include "gateway/base/check.h"
#include "gateway/store/store.h"

namespace postern::test {

// A store of accounts and general rows in memory; whatever else is asked of it is a mistake of the test.
class AccountsStore : public store::Store {
 public:
  store::AccountId add(std::string address, std::string password_row = {}, bool admin = false) {
    store::Account account;
    account.id = ++last_;
    account.address = std::move(address);
    account.password_row = std::move(password_row);
    account.admin = admin;
    accounts_.push_back(account);
    return last_;
  }
  void forget(std::string_view address) {
    std::erase_if(accounts_, [&](const store::Account& account) { return account.address == address; });
  }
  void set_password(store::AccountId id, std::string row) {
    for (auto& account : accounts_) {
      if (account.id == id) account.password_row = std::move(row);
    }
  }

  void set_deliver(store::AccountId id, std::string deliver) {
    for (auto& account : accounts_) {
      if (account.id == id) account.deliver = deliver;
    }
  }

  std::optional<store::Account> account(std::string_view address) const override {
    for (const auto& account : accounts_) {
      if (account.address == address) return account;
    }
    return std::nullopt;
  }
  std::optional<store::Account> account(store::AccountId id) const override {
    for (const auto& account : accounts_) {
      if (account.id == id) return account;
    }
    return std::nullopt;
  }
  std::vector<store::Account> accounts() const override { return accounts_; }
  io::Task<store::Change> create_account(store::Account account) override {
    store::Change out;
    if (fail_creation) {
      out.outcome = store::Outcome::no_space;
      out.text = "disk full";
    } else {
      add(account.address, account.password_row, account.admin);
    }
    co_return out;
  }
  bool fail_creation = false;

  io::Task<store::Change> update_account(store::Account) override { unexpected(); }
  io::Task<store::Change> remove_account(store::AccountId) override { unexpected(); }
  std::shared_ptr<const mail::SenderList> senders(store::AccountId) const override { return std::make_shared<const mail::SenderList>(); }
  io::Task<store::Change> set_sender(store::AccountId, std::string, std::optional<mail::SenderWord>) override { unexpected(); }
  std::vector<store::MailboxInfo> mailboxes(store::AccountId) const override { unexpected(); }
  std::optional<store::MailboxInfo> mailbox(store::AccountId, std::string_view) const override { unexpected(); }
  std::optional<store::MailboxInfo> mailbox(store::AccountId, store::SpecialUse) const override { unexpected(); }
  std::optional<store::MailboxInfo> mailbox(store::MailboxId) const override { unexpected(); }
  io::Task<store::Created> create_mailbox(store::AccountId, std::string, store::SpecialUse) override { unexpected(); }
  io::Task<store::Change> rename_mailbox(store::AccountId, std::string, std::string) override { unexpected(); }
  io::Task<store::Change> remove_mailbox(store::AccountId, std::string) override { unexpected(); }
  io::Task<store::Change> subscribe(store::AccountId, std::string, bool) override { unexpected(); }
  std::vector<std::string> subscriptions(store::AccountId) const override { unexpected(); }
  io::Task<store::Delivered> deliver(store::Delivery) override { unexpected(); }
  io::Task<store::FlagsChanged> change_flags(store::MailboxId, std::vector<store::Uid>, store::FlagOperation, store::Flags,
                                             std::optional<store::ModSeq>) override { unexpected(); }
  io::Task<store::Copied> copy(store::MailboxId, std::vector<store::Uid>, store::MailboxId) override { unexpected(); }
  io::Task<store::Copied> move(store::MailboxId, std::vector<store::Uid>, store::MailboxId) override { unexpected(); }
  io::Task<store::Expunged> expunge(store::MailboxId, std::optional<std::vector<store::Uid>>) override { unexpected(); }
  io::Task<store::Expunged> erase(store::MailboxId, std::vector<store::Uid>) override { unexpected(); }
  io::Task<Result<std::unique_ptr<store::MailboxWatch>>> watch(store::MailboxId) override { unexpected(); }
  io::Task<Result<std::optional<store::MessageRow>>> message(store::MailboxId, store::Uid) override { unexpected(); }
  io::Task<Result<std::vector<store::MessageRow>>> messages(store::MailboxId, store::Uid, store::Uid, std::size_t) override { unexpected(); }
  io::Task<Result<std::string>> read(const store::MessageRow&, std::uint64_t, std::uint64_t) override { unexpected(); }
  io::Task<Result<std::vector<store::QueueEntry>>> queue(store::QueueId, std::size_t) override { unexpected(); }
  io::Task<Result<std::optional<store::QueueEntry>>> queue_entry(store::QueueId) override { unexpected(); }
  io::Task<Result<std::string>> read(const store::QueueEntry&, std::uint64_t, std::uint64_t) override { unexpected(); }
  io::Task<Result<Octets>> record(const store::QueueEntry&) override { unexpected(); }
  io::Task<store::Change> write(std::vector<store::Row> rows) override {
    store::Change out;
    if (fail_writes) {
      out.outcome = store::Outcome::no_space;
      out.text = "disk full";
      co_return out;
    }
    for (auto& row : rows) {
      if (row.value) general[row.key] = *row.value;
      else general.erase(row.key);
    }
    co_return out;
  }
  io::Task<Result<std::optional<std::string>>> get(std::string key) override {
    auto found = general.find(key);
    std::optional<std::string> out;
    if (found != general.end()) out = found->second;
    co_return out;
  }
  io::Task<Result<std::vector<store::Row>>> scan(std::string prefix, std::string from, std::size_t limit) override {
    std::vector<store::Row> out;
    for (auto at = general.lower_bound(std::max(prefix, from)); at != general.end() && at->first.starts_with(prefix) && out.size() < limit; ++at) {
      out.push_back({at->first, at->second});
    }
    co_return out;
  }
  std::map<std::string, std::string> general;
  bool fail_writes = false;

  store::StoreState state() const override { unexpected(); }
  io::Task<bool> recover() override { unexpected(); }
  std::vector<std::string> verify() override { unexpected(); }
  io::Task<Result<std::vector<std::optional<std::string>>>> get_all(std::vector<std::string>) override { unexpected(); }
  io::Task<store::Change> erase_rows(std::string, std::string) override { unexpected(); }

 private:
  [[noreturn]] static void unexpected() { check_failed("no more than accounts", __FILE__, __LINE__); }
  std::vector<store::Account> accounts_;
  store::AccountId last_ = 0;
};

}  // namespace postern::test
