// CREATE, RENAME, DELETE and SUBSCRIBE.
#include "gateway/store/mailbox.h"

#include "gateway/store/names.h"
#include "gateway/store/sweep.h"
#include "gateway/store/transfer.h"

namespace postern::store {

MailboxId ensure_mailbox(Group& group, AccountId account, const std::string& name, SpecialUse use) {
  if (const auto* found = group.find(account, name)) return found->info.id;
  for (const auto& parent : parents_of(name)) {
    if (group.find(account, parent) == nullptr) group.add_mailbox(account, parent, SpecialUse::none);
  }
  return group.add_mailbox(account, name, use)->info.id;
}

namespace {

constexpr std::size_t kMaxMailboxes = 10'000;   // of one account, as of its subscriptions

bool has_room(const AccountState& owner, const std::string& name) {
  // The account of the originals of class virus has some for each user; nobody else makes mailboxes there.
  if (owner.account.address.find('@') == std::string::npos) return true;
  return owner.names.size() + parents_of(name).size() < kMaxMailboxes;   // the parents may have to be made
}

class CreateMailbox : public JobWith<Created> {
 public:
  CreateMailbox(AccountId account, std::string name, SpecialUse use) : account_(account), name_(std::move(name)), use_(use) {}
  bool grows() const override { return true; }
  bool apply(Group& group) override {
    result = Created();
    auto name = mailbox_name(name_);
    if (!name) return refuse(Outcome::cannot, name.error().text);
    const auto* owner = group.peek_account(account_);
    if (owner == nullptr) return refuse(Outcome::no_mailbox, "no such account");
    if (group.find(account_, *name) != nullptr) return refuse(Outcome::exists, "there is a mailbox " + *name);
    if (!has_room(*owner, *name)) return refuse(Outcome::over_quota, "too many mailboxes");
    if (use_ != SpecialUse::none && group.find(account_, use_) != nullptr) {
      return refuse(Outcome::exists, "there is a mailbox for that use");
    }
    auto id = ensure_mailbox(group, account_, *name, use_);
    result.mailbox = group.peek_mailbox(id)->info;
    return true;
  }

 private:
  AccountId account_;
  std::string name_;
  SpecialUse use_;
};

class RenameMailbox : public JobWith<Change> {
 public:
  RenameMailbox(AccountId account, std::string from, std::string to)
      : account_(account), from_(std::move(from)), to_(std::move(to)) {}

  bool apply(Group& group) override {
    result = Change();
    auto from = mailbox_name(from_);
    auto to = mailbox_name(to_);
    if (!from) return refuse(Outcome::no_mailbox, from.error().text);
    if (!to) return refuse(Outcome::cannot, to.error().text);
    if (moving_) return move_inbox(group, moving_);
    const auto* source = group.find(account_, *from);
    if (source == nullptr) return refuse(Outcome::no_mailbox, "no mailbox " + *from);
    if (group.find(account_, *to) != nullptr) return refuse(Outcome::exists, "there is a mailbox " + *to);
    if (!has_room(*group.peek_account(account_), *to)) return refuse(Outcome::over_quota, "too many mailboxes");
    if (source->info.use == SpecialUse::quarantine || is_sender_folder(*from)) return refuse(Outcome::cannot, "the quarantine keeps its name");
    if (is_below(*to, *from) && *from != "INBOX") return refuse(Outcome::cannot, "a mailbox cannot move into itself");
    if (*from == "INBOX") {
      planned_ = ensure_mailbox(group, account_, *to, SpecialUse::none);
      return move_inbox(group, planned_);
    }
    return rename(group, *from, *to);
  }

  void committed() override { moving_ = planned_; }

 private:
  bool rename(Group& group, const std::string& from, const std::string& to) {
    std::vector<std::pair<std::string, std::string>> names;
    for (const auto& [name, id] : group.peek_account(account_)->names) {
      if (name != from && !is_below(name, from)) continue;
      auto renamed = mailbox_name(to + name.substr(from.size()));
      if (!renamed) return refuse(Outcome::cannot, renamed.error().text);
      if (group.find(account_, *renamed) != nullptr) return refuse(Outcome::exists, "there is a mailbox " + *renamed);
      names.emplace_back(name, *renamed);
    }
    for (const auto& parent : parents_of(to)) ensure_mailbox(group, account_, parent, SpecialUse::none);
    auto* owner = group.edit_account(account_);
    for (const auto& [name, renamed] : names) {
      auto entry = owner->names.extract(name);
      auto* state = group.edit_mailbox(entry.mapped());
      state->info.name = renamed;
      owner->names[renamed] = state->info.id;
    }
    return true;
  }

  // RFC 3501 6.3.5: the messages of INBOX move, INBOX stays.
  bool move_inbox(Group& group, MailboxId to) {
    const auto* inbox = group.find(account_, "INBOX");
    if (inbox == nullptr || group.peek_mailbox(to) == nullptr) return true;
    return move_slice(group, inbox->info.id, to);
  }

  AccountId account_;
  std::string from_, to_;
  MailboxId planned_ = 0;   // where INBOX's messages go, in the group under way
  MailboxId moving_ = 0;    // the same, durable
};

class RemoveMailbox : public JobWith<Change> {
 public:
  RemoveMailbox(AccountId account, std::string name) : account_(account), name_(std::move(name)) {}
  bool apply(Group& group) override {
    result = Change();
    doomed_ = 0;
    auto name = mailbox_name(name_);
    const auto* state = name ? group.find(account_, *name) : nullptr;
    if (state == nullptr) return refuse(Outcome::no_mailbox, "no such mailbox");
    if (state->info.use == SpecialUse::inbox || state->info.use == SpecialUse::quarantine || is_sender_folder(*name)) {
      return refuse(Outcome::cannot, *name + " cannot be removed");
    }
    doomed_ = state->info.id;
    group.remove_mailbox(doomed_);
    return true;
  }
  std::vector<std::shared_ptr<Job>> successors() override {
    if (doomed_ == 0) return {};
    return {sweep_job(doomed_)};
  }

 private:
  AccountId account_;
  std::string name_;
  MailboxId doomed_ = 0;
};

class Subscribe : public JobWith<Change> {
 public:
  Subscribe(AccountId account, std::string name, bool subscribed) : account_(account), name_(std::move(name)), subscribed_(subscribed) {}
  bool apply(Group& group) override {
    result = Change();
    auto name = mailbox_name(name_);
    if (!name) return refuse(Outcome::cannot, name.error().text);
    const auto* owner = group.peek_account(account_);
    if (owner == nullptr) return refuse(Outcome::no_mailbox, "no such account");
    if (owner->subscriptions.contains(*name) == subscribed_) return true;
    if (subscribed_ && owner->subscriptions.size() >= kMaxSubscriptions) {
      return refuse(Outcome::over_quota, "too many subscriptions");
    }
    auto& names = group.edit_account(account_)->subscriptions;
    if (subscribed_) {
      names.insert(*name);
      group.put(subscription_key(account_, *name), "");
    } else {
      names.erase(*name);
      group.erase(subscription_key(account_, *name));
    }
    return true;
  }

 private:
  static constexpr std::size_t kMaxSubscriptions = 10'000;
  AccountId account_;
  std::string name_;
  bool subscribed_;
};

}  // namespace

std::shared_ptr<JobWith<Created>> create_mailbox_job(AccountId account, std::string name, SpecialUse use) {
  return std::make_shared<CreateMailbox>(account, std::move(name), use);
}
std::shared_ptr<JobWith<Change>> rename_mailbox_job(AccountId account, std::string from, std::string to) {
  return std::make_shared<RenameMailbox>(account, std::move(from), std::move(to));
}
std::shared_ptr<JobWith<Change>> remove_mailbox_job(AccountId account, std::string name) {
  return std::make_shared<RemoveMailbox>(account, std::move(name));
}
std::shared_ptr<JobWith<Change>> subscribe_job(AccountId account, std::string name, bool subscribed) {
  return std::make_shared<Subscribe>(account, std::move(name), subscribed);
}

}  // namespace postern::store
