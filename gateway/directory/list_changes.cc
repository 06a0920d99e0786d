// Mailing lists as they are made and changed: what cannot work is refused then, with its reason.
#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/directory/chains.h"
#include "gateway/directory/directory.h"
#include "gateway/directory/domains.h"

namespace postern::directory {
namespace {

using Kind = Resolution::Kind;

// What can stand in a mailbox's name, a mailto: link and a List-Id alike.
bool is_list_local(std::string_view local) {
  return !local.empty() && local.size() <= 40 && std::all_of(local.begin(), local.end(), [](char c) {
    return is_alpha(c) || is_digit(c) || c == '.' || c == '-' || c == '_';
  });
}

std::string folder_for(const std::string& address, const Lists::Table& lists) {
  auto local = address.substr(0, address.rfind('@'));
  bool taken = std::any_of(lists.begin(), lists.end(), [&](const auto& each) { return each.first != address && each.second->folder == local; });
  return taken ? address : local;
}

constexpr ListRole kOwnAddresses[] = {ListRole::owner, ListRole::request, ListRole::subscribe, ListRole::unsubscribe, ListRole::bounces};

}  // namespace

// What of a list an address is: "an address of the list team@corp.example"; "" for nothing.
std::string Directory::taken_as(std::string_view address) const {
  auto at = address.rfind('@');
  auto found = list_in(view(), address.substr(0, at), address.substr(at + 1));
  if (!found) return "";
  bool itself = found->account_address == address;
  return itself ? "a mailing list; `postern list show " + std::string(address) + "` tells of it" : "an address of the list " + found->account_address;
}

// Of what was there before nothing is said: who was removed since must not keep others from leaving.
Status Directory::check_list(const View& view, const std::string& address, const List* before) const {
  const auto& list = *view.lists->find(address)->second;
  if (list.owners.empty()) return Error(address + " needs an owner");
  if (list.members.size() > kMostMembers) return Error(address + " would have more than " + std::to_string(kMostMembers) + " members");
  for (const auto* all : {&list.owners, &list.moderators}) {
    for (const auto& who : *all) {
      bool known = before != nullptr && before->is_run_by(who);
      if (!known && !store_.account(who)) return Error(who + " is no account here: who runs a list decides in his own mailbox");
    }
  }
  for (const auto& [key, member] : list.members) {
    if (before != nullptr && before->members.contains(key)) continue;
    auto kind = resolve_in(view, member.address).kind;
    if (kind == Kind::account || kind == Kind::alias || kind == Kind::list || kind == Kind::onward || kind == Kind::not_ours) continue;
    return Error(member.address + (kind == Kind::unknown_user ? ": no such user here" : " cannot be a member of " + address));
  }
  return Chains(*this, view).follow(address);
}

io::Task<Status> Directory::make_list(std::string address, List list) {
  auto local = address.substr(0, address.rfind('@'));
  if (!is_list_local(local)) {
    co_return Status(Error(address + ": the name of a list has at most 40 letters, digits, '.', '-' and '_'"));
  }
  if (address.starts_with("postmaster@")) co_return Status(Error(address + " is taken by the account that postmaster in the configuration names"));
  std::vector<std::string> all(1, address);
  for (auto role : kOwnAddresses) all.push_back(list_address(address, role));
  for (const auto& each : all) {
    if (store_.account(each)) co_return Status(Error(each + " is an account"));
    if (addresses()->aliases.contains(each)) co_return Status(Error(each + " is an alias; remove it first"));
    if (auto is = taken_as(each); !is.empty()) co_return Status(Error(each + " is " + is));
  }
  list.folder = folder_for(address, *lists());
  Lists::Edit edit = [&address, &list](std::optional<List>& there) -> Status {
    if (there) return Error(address + " is a mailing list already");
    there = list;
    return {};
  };
  // What it is checked against is asked for before the lock: addresses have one of their own.
  Lists::Good good = [this, address, now = view()](std::shared_ptr<const Lists::Table> with_it) {
    return check_list({now.domains, now.addresses, std::move(with_it)}, address, nullptr);
  };
  auto status = co_await lists_.change(store_, address, std::move(edit), std::move(good));
  co_return status;
}

io::Task<Status> Directory::change_list(std::string address, ListEdit change) {
  auto before = list(address);
  if (!before) co_return Status(Error(address + ": no such mailing list"));
  Lists::Edit edit = [address, change = std::move(change)](std::optional<List>& there) -> Status {
    if (!there) return Error(address + ": no such mailing list");
    return change(*there);
  };
  Lists::Good good = [this, address, before, now = view()](std::shared_ptr<const Lists::Table> all) {
    return check_list({now.domains, now.addresses, std::move(all)}, address, before.get());
  };
  auto status = co_await lists_.change(store_, address, std::move(edit), std::move(good));
  co_return status;
}

io::Task<Status> Directory::remove_list(std::string address) {
  if (!list(address)) co_return Status(Error(address + ": no such mailing list"));
  auto users = named_by(address);
  std::erase(users, "list " + address);
  if (!users.empty()) co_return Status(Error(address + " is named by the " + join(users, ", the ") + "; remove it there first"));
  Lists::Edit edit = [](std::optional<List>& there) {
    there.reset();
    return Status();
  };
  Lists::Good good = [](std::shared_ptr<const Lists::Table>) { return Status(); };
  auto status = co_await lists_.change(store_, address, std::move(edit), std::move(good));
  co_return status;
}

}  // namespace postern::directory
