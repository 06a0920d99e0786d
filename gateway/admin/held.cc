// What all quarantines hold.  Of class virus the originals are what counts: a user may throw his notice away.
#include "gateway/admin/held.h"

#include <algorithm>
#include <optional>

#include "gateway/admin/context.h"
#include "gateway/base/text.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/headers.h"
#include "gateway/store/names.h"

namespace postern::admin {
namespace {

using Kind = HeldCopy::Kind;
using store::MailboxInfo;
using store::MessageRow;
using store::SpecialUse;

constexpr std::size_t kBatch = 50;   // a row can have hundreds of KiB
constexpr std::size_t kShown = 300;

// The Quarantine of every account with what lies below it, ours with the originals included, in the order of their ids.
std::vector<MailboxInfo> quarantines(const store::Store& store) {
  std::vector<MailboxInfo> out;
  for (const auto& account : store.accounts()) {
    auto quarantine = store.mailbox(account.id, SpecialUse::quarantine);
    if (!quarantine) continue;
    for (auto& mailbox : store.mailboxes(account.id)) {
      bool holds = !is_user(account) || mailbox.id == quarantine->id || store::is_below(mailbox.name, quarantine->name);
      if (holds) out.push_back(std::move(mailbox));
    }
  }
  std::sort(out.begin(), out.end(), [](const MailboxInfo& a, const MailboxInfo& b) { return a.id < b.id; });
  return out;
}

std::string cut(std::string text) {
  if (text.size() <= kShown) return text;
  auto end = kShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;   // not inside a UTF-8 character
  return text.substr(0, end) + "...";
}

std::string subject_of(const MessageRow& row) {
  auto view = mail::EnvelopeView::read(row.envelope);
  auto subject = view ? view->get(mail::EnvelopeView::subject) : std::nullopt;
  return subject ? cut(mail::readable(*subject)) : "";
}

void set_owner(HeldCopy& copy, const store::Store& store, const MessageRow& original) {
  mail::HeaderBlock prefix(original.header_prefix);
  const auto* delivered_to = prefix.find("Delivered-To");
  if (delivered_to != nullptr) copy.user = trimmed(delivered_to->raw);
  auto recipient = original.held->recipient;
  auto account = recipient != 0 ? store.account(recipient) : store.account(copy.user);
  if (!account) return;
  copy.account = account->id;
  copy.user = account->address;
}

HeldCopy copy_of(const MessageRow& row) {
  HeldCopy out;
  out.place = {row.mailbox, row.uid};
  out.id = row.id;
  out.message_class = row.held->message_class;
  out.reason = cut(row.held->reason);
  out.sender = cut(row.held->sender);
  out.subject = subject_of(row);
  out.score = row.held->score;
  out.released = row.held->released;
  out.date = row.internal_date;
  out.size = row.size();
  return out;
}

HeldCopy copy_of_original(const store::Store& store, const MessageRow& row) {
  auto out = copy_of(row);
  out.kind = row.held->recipient != 0 ? Kind::original : Kind::shared_original;
  set_owner(out, store, row);
  return out;
}

// What a notice stands for; nothing when its original speaks for itself.  The arguments outlive the task, as below.
io::Task<Result<std::optional<HeldCopy>>> copy_of_notice(store::Store& store, const store::Account& account, const MessageRow& notice) {
  std::optional<HeldCopy> out;
  auto found = co_await store.message(notice.held->original_mailbox, notice.held->original_uid);
  if (!found) co_return found.error();
  const auto& original = *found;
  if (!original || !original->held) {
    out = copy_of(notice);
    out->kind = Kind::lone_notice;
  } else {
    out = copy_of_original(store, *original);
    bool speaks = out->kind == Kind::original || out->account == account.id;
    if (speaks) out.reset();
    if (speaks) co_return out;
  }
  out->account = account.id;
  out->user = account.address;
  co_return out;
}

bool is_from(const MessageRow& row, const std::string& sender) {
  if (sender.empty() || ifind(row.held->sender, sender) != std::string::npos) return true;
  auto view = mail::EnvelopeView::read(row.envelope);
  auto from = view ? view->get(mail::EnvelopeView::from) : std::nullopt;
  return from && ifind(mail::readable(*from), sender) != std::string::npos;
}

bool wanted(const MessageRow& row, const HeldFilter& filter) {
  if (!row.held || (filter.open && row.held->released)) return false;
  if (!filter.id.empty() && !iequals(row.id, filter.id)) return false;
  if (!filter.message_class.empty() && row.held->message_class != filter.message_class) return false;
  if (filter.before && row.internal_date >= *filter.before) return false;
  return !(filter.after && row.internal_date < *filter.after);
}

io::Task<Result<std::optional<HeldCopy>>> copy_in(store::Store& store, const store::Account& account, const MessageRow& row) {
  if (row.held->notice) {
    auto stands_for = co_await copy_of_notice(store, account, row);
    co_return stands_for;
  }
  std::optional<HeldCopy> out;
  if (!is_user(account)) {
    out = copy_of_original(store, row);
  } else {
    out = copy_of(row);
    out->account = account.id;
    out->user = account.address;
  }
  co_return out;
}

}  // namespace

io::Task<Result<HeldPage>> held_page(store::Store& store, HeldFilter filter, RowPlace from, std::size_t enough) {
  HeldPage page;
  auto mailboxes = quarantines(store);
  for (const auto& mailbox : mailboxes) {
    auto account = store.account(mailbox.account);
    bool passed_over = mailbox.id < from.mailbox || !account;
    if (passed_over || (is_user(*account) && !filter.user.empty() && !iequals(account->address, filter.user))) continue;
    store::Uid next = mailbox.id == from.mailbox ? from.uid : 1;
    while (next != 0) {
      if (page.copies.size() >= enough) {
        page.next = {mailbox.id, next};
        co_return page;
      }
      auto rows = co_await store.messages(mailbox.id, next, 0xffffffffU, kBatch);
      if (!rows) co_return rows.error();
      next = rows->size() == kBatch ? rows->back().uid + 1 : 0;
      for (const auto& row : *rows) {
        if (!wanted(row, filter)) continue;
        auto read = co_await copy_in(store, *account, row);
        if (!read) co_return read.error();
        auto& copy = *read;
        // A notice's own From is ours; what it stands for has one of its own.
        bool theirs = is_from(row, filter.sender);
        if (copy && theirs && (filter.user.empty() || iequals(copy->user, filter.user))) page.copies.push_back(std::move(*copy));
      }
    }
  }
  co_return page;
}

}  // namespace postern::admin
