// Lists of senders: a row an entry, and the whole list in memory, as who asks must not wait.
#include "gateway/store/senders.h"

#include "gateway/base/text.h"
#include "gateway/mail/address.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/headers.h"

namespace postern::store {
namespace {

class SetSender : public JobWith<Change> {
 public:
  SetSender(AccountId account, std::string sender, std::optional<mail::SenderWord> word)
      : account_(account), sender_(std::move(sender)), word_(word) {}
  bool grows() const override { return word_.has_value(); }
  bool apply(Group& group) override {
    result = Change();
    if (group.peek_account(account_) == nullptr) return refuse(Outcome::no_mailbox, "no such account");
    if (!set_sender(group, account_, sender_, word_)) {
      return refuse(Outcome::over_quota, "the list has " + std::to_string(mail::kMaxSenders) + " senders already");
    }
    return true;
  }

 private:
  AccountId account_;
  std::string sender_;
  std::optional<mail::SenderWord> word_;
};

std::string envelope_sender(const StoredMessage& message) {
  if (message.held) return message.held->sender;
  mail::HeaderBlock prefix(message.header_prefix);
  const auto* path = prefix.find("Return-Path");
  if (path == nullptr) return "";
  auto addresses = mail::parse_address_list(path->raw, 1);
  return addresses.empty() ? "" : addresses.front().address();
}

}  // namespace

bool set_sender(Group& group, AccountId account, const std::string& sender, std::optional<mail::SenderWord> word) {
  const auto& known = group.peek_account(account)->senders;
  auto found = known ? known->find(sender) : mail::SenderList::const_iterator();
  bool there = known && found != known->end();
  if (there ? word == found->second : !word) return true;
  if (!there && known && known->size() >= mail::kMaxSenders) return false;
  auto list = known ? *known : mail::SenderList();
  if (word) {
    list[sender] = *word;
    group.put(sender_key(account, sender), encode(*word));
  } else {
    list.erase(sender);
    group.erase(sender_key(account, sender));
  }
  group.edit_account(account)->senders = std::make_shared<const mail::SenderList>(std::move(list));
  return true;
}

std::string sender_of(const StoredMessage& message, std::string_view user) {
  auto envelope = mail::EnvelopeView::read(message.envelope);
  auto from = envelope ? envelope->get(mail::EnvelopeView::from) : std::nullopt;
  auto sender = from ? mail::author_of(*from) : std::string();
  if (sender.empty()) {
    auto path = envelope_sender(message);
    if (path.find('@') != std::string::npos) sender = mail::sender_entry(path).value_or("");
  }
  return iequals(sender, user) ? "" : sender;
}

std::shared_ptr<JobWith<Change>> set_sender_job(AccountId account, std::string sender, std::optional<mail::SenderWord> word) {
  return std::make_shared<SetSender>(account, std::move(sender), word);
}

}  // namespace postern::store
