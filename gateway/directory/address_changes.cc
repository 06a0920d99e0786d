// Aliases and forwards as they are made: what cannot work is refused then, with its reason.
#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/directory/chains.h"
#include "gateway/directory/directory.h"
#include "gateway/directory/domains.h"
#include "gateway/directory/own_hosts.h"
#include "gateway/io/loop.h"
#include "gateway/mail/address.h"

namespace postern::directory {
namespace {

using namespace std::chrono_literals;
using Kind = Resolution::Kind;
using Edit = Addresses::Edit;

void drop_doubles(std::vector<std::string>& targets) {
  std::set<std::string> seen;
  std::erase_if(targets, [&](const std::string& target) { return !seen.insert(target).second; });
}

}  // namespace

Result<std::string> Directory::target_address(std::string_view text) const {
  auto path = mail::parse_address(text);
  if (!path) return Error("\"" + printable(text, 100) + "\" is no address: " + path.error().text);
  if (is_ours(path->domain)) path->local = ascii_lowered(path->local);
  return path->text();
}

Status Directory::check_targets(const View& view, const std::string& address, const std::vector<std::string>& targets) const {
  if (targets.empty()) return Error(address + " needs at least one target");
  for (const auto& target : targets) {
    auto path = mail::parse_address(target);
    bool of_bounce = path && is_ours(path->domain) && returned(path->local).kind != Kind::malformed;
    auto kind = of_bounce ? Kind::returned : resolve_in(view, target).kind;
    if (kind == Kind::account || kind == Kind::alias || kind == Kind::list || kind == Kind::onward || kind == Kind::not_ours) continue;
    if (kind == Kind::unknown_user) return Error(target + ": no such user here, neither account nor alias");
    return Error(target + " cannot be a target of " + address);
  }
  auto chains = Chains(*this, view).follow(address);
  if (!chains) return chains;
  auto leads_to = expand_in(view, resolve_in(view, address), address);
  if (leads_to.cut) return Error(address + " would lead to more than " + std::to_string(kMostTargets) + " addresses");
  if (!leads_to.lost.empty()) return Error(address + " would lead to " + leads_to.lost.front() + ", which nobody has");
  return {};
}

io::Task<Status> Directory::set_alias(std::string address, std::vector<std::string> targets) {
  drop_doubles(targets);
  if (resolve(address).kind == Resolution::Kind::onward && store_.account(address)) {
    co_return Status(Error(address + " is the account of a user whose mail goes on to its own server, which has to send it elsewhere"));
  }
  if (store_.account(address)) {
    co_return Status(Error(address + " is an account; `postern forward set " + address + "` sends its mail on"));
  }
  if (auto is = taken_as(address); !is.empty()) co_return Status(Error(address + " is " + is));
  if (address.starts_with("postmaster@")) {
    co_return Status(Error(address + " is taken by the account that postmaster in the configuration names"));
  }
  Edit edit;
  edit.address = address;
  edit.value = Forward{targets, false};
  // Not asked for under the lock of the addresses: the lists have one of their own.
  Addresses::Good good = [this, address, lists = lists_.current(), targets = std::move(targets)](std::shared_ptr<const Addresses::Table> table) {
    View as_it_would_be{current(), std::move(table), lists};
    return check_targets(as_it_would_be, address, targets);
  };
  auto status = co_await addresses_.change(store_, std::move(edit), std::move(good));
  co_return status;
}

io::Task<Status> Directory::set_forward(std::string account, Forward forward) {
  drop_doubles(forward.targets);
  auto owner = store_.account(account);
  if (!owner) co_return Status(Error(account + " is no account; `postern alias add " + account + "` sends its mail on"));
  if (has_own_hosts(*owner)) {
    co_return Status(Error("the mail of " + account + " goes on to " + owner->deliver + "; `postern user set " + account + " --deliver mailboxes` keeps it here first"));
  }
  if (resolve(account).kind == Resolution::Kind::onward) {   // it would be kept and never asked
    co_return Status(Error("mail for " + account + " goes on to its own server: it has to be forwarded there"));
  }
  Edit edit;
  edit.of = Edit::Of::forward;
  edit.address = account;
  edit.value = forward;
  Addresses::Good good = [this, account, lists = lists_.current(), targets = std::move(forward.targets)](std::shared_ptr<const Addresses::Table> table) {
    View as_it_would_be{current(), std::move(table), lists};
    return check_targets(as_it_would_be, account, targets);
  };
  auto status = co_await addresses_.change(store_, std::move(edit), std::move(good));
  co_return status;
}

io::Task<Status> Directory::remove_alias(std::string address) {
  if (!addresses()->aliases.contains(address)) co_return Status(Error(address + ": no such alias"));
  auto users = named_by(address);
  if (!users.empty()) co_return Status(Error(address + " is a target of the " + join(users, ", the ") + "; remove it there first"));
  Edit edit;
  edit.address = address;
  Addresses::Good good = [](std::shared_ptr<const Addresses::Table>) { return Status(); };
  auto status = co_await addresses_.change(store_, std::move(edit), std::move(good));
  co_return status;
}

io::Task<Status> Directory::remove_forward(std::string account) {
  if (!addresses()->forwards.contains(account)) co_return Status(Error(account + ": nothing is sent on for it"));
  Edit edit;
  edit.of = Edit::Of::forward;
  edit.address = account;
  Addresses::Good good = [](std::shared_ptr<const Addresses::Table>) { return Status(); };
  auto status = co_await addresses_.change(store_, std::move(edit), std::move(good));
  co_return status;
}

std::vector<std::string> Directory::named_by(std::string_view address) const {
  auto now = view();
  std::vector<std::string> out;
  auto names = [&](const std::vector<std::string>& targets) {
    return std::any_of(targets.begin(), targets.end(), [&](const std::string& target) { return resolve_in(now, target).account_address == address; });
  };
  for (const auto& [alias, targets] : now.addresses->aliases) {
    if (names(targets)) out.push_back("alias " + alias);
  }
  for (const auto& [account, forward] : now.addresses->forwards) {
    if (names(forward.targets)) out.push_back("forward of " + account);
  }
  for (const auto& [list, settings] : *now.lists) {
    std::vector<std::string> all = settings->owners;
    all.insert(all.end(), settings->moderators.begin(), settings->moderators.end());
    for (const auto& [key, member] : settings->members) all.push_back(member.address);
    if (names(all)) out.push_back("list " + list);
  }
  return out;
}

io::Task<void> Directory::keep_keys() {
  for (;;) {
    co_await io::sleep_until(in(1h));
    auto kept = co_await keys_.prepare(store_);
    if (!kept) log::error("srs.keys", {{"what", kept.error().text}});
  }
}

}  // namespace postern::directory
