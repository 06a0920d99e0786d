// What comes to an address of a mailing list, at the moment when it is stored.
#include <iterator>

#include "gateway/base/log.h"
#include "gateway/delivery/deliverer.h"
#include "gateway/delivery/headers.h"
#include "gateway/delivery/hold.h"
#include "gateway/delivery/list_post.h"
#include "gateway/delivery/route.h"

namespace postern::delivery {
namespace {

using directory::ListRole;

bool is_held(const smtp::RecipientVerdict& copy) { return copy.action == smtp::Action::quarantine || copy.refused(); }

// In whose quarantine lies what is held; the postmaster where no owner has an account any more.
store::Account owner_of(const store::Store& store, const directory::Directory& directory, const directory::List* list) {
  if (list != nullptr) {
    for (const auto& owner : list->owners) {
      if (auto account = store.account(owner)) return *account;
    }
  }
  auto postmaster = directory.resolve("postmaster");
  return store.account(postmaster.account).value_or(store::Account());
}

}  // namespace

// Nothing: it is no list's.
std::optional<directory::Resolution> Deliverer::list_of(const Judged& message, std::size_t i) const {
  const auto& recipient = message.recipients[i];
  if (!recipient.onward.empty() || store_.account(recipient.account)) return std::nullopt;
  auto to = directory_.resolve(recipient.address);
  if (to.kind != directory::Resolution::Kind::list) return std::nullopt;
  return to;
}

io::Task<void> Deliverer::give_to_list(Judged& message, std::size_t i, directory::Resolution to, PlanAccounts& accounts, std::vector<store::Item>& notes) {
  const auto& recipient = message.recipients[i];
  const auto& copy = message.verdict.recipients[i];
  auto list = directory_.list(to.account_address);
  auto owner = owner_of(store_, directory_, list.get());
  auto redirect = redirected(message, i);   // may decide that it is held
  bool elsewhere = redirect.account != 0 || !redirect.onward.domain.empty();
  if (!is_held(copy) && !elsewhere) {
    auto unfit = list ? unfit_for_list(message.received.view(), to.account_address, to.list_role) : "this list was removed";
    bool takes_bounces = to.list_role == ListRole::bounces || to.list_role == ListRole::owner;
    if (unfit.empty() && message.sender.address.empty() && !takes_bounces) unfit = "it names no sender: a machine wrote it";
    bool bad_request = to.list_role != ListRole::post && !is_good(copy);
    if (!unfit.empty()) hold(message, i, "policy", unfit, "list");
    else if (bad_request) hold(message, i, "spam", "junk is no request to a list", "list");
  }
  accounts.recipients.push_back(owner.id);
  accounts.owners.push_back(owner.address);
  accounts.redirects.push_back(redirect.account);
  accounts.onward.push_back(std::move(redirect.onward));
  accounts.forwarding.emplace_back();
  if (is_held(copy) || elsewhere) co_return;

  auto post = list_post_of(message, to);
  OnwardCopy own;
  own.domain = std::string(kListLane) + to.account_address;
  own.address = directory::list_address(to.account_address, to.list_role);
  own.account = owner.address;
  own.notify = recipient.notify;
  own.orcpt = recipient.orcpt;
  own.sent_by = to.account_address;
  own.post = encode(post);
  std::string why;
  if (to.list_role == ListRole::post) why = is_good(copy) ? needs_approval(directory_, *list, post) : "it looks like spam";
  if (why.empty()) {
    accounts.onward.back() = std::move(own);
    co_return;
  }
  co_await make_list_mailboxes(store_, list);
  bool again = false;   // by another address of the same list
  for (std::size_t k = 0; k < accounts.set_aside.size(); ++k) again = again || (accounts.set_aside[k] && message.recipients[k].account == recipient.account);
  accounts.set_aside.resize(i + 1);
  accounts.set_aside[i] = true;
  if (again) co_return;
  auto shown = header_prefix(message, i, hostname_) + "X-Postern-Why: list moderation: " + why + "\r\n";
  Waiting waiting{forwarded_prefix(message, own.sent_by, hostname_), encode(state_of(own, message))};
  auto copies = moderators_copies(store_, *list, waiting, shown, message.sender.address, why);
  if (copies.empty()) {   // it must not be lost
    accounts.set_aside[i] = false;
    hold(message, i, "policy", "nobody decides on " + to.account_address + " any more", "list");
    co_return;
  }
  std::move(copies.begin(), copies.end(), std::back_inserter(accounts.more));
  for (auto& note : moderators_notes(store_, directory_, to.account_address, *list, message.received.view(), why)) notes.push_back(std::move(note));
  log::info("list.waits", {{"message", message.id}, {"list", to.account_address}, {"author", post.author}, {"why", why}});
}

}  // namespace postern::delivery
