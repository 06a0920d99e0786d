// Mailing lists from the administrator's side.
#include "gateway/admin/list_commands.h"

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/delivery/list_post.h"
#include "gateway/directory/directory.h"

namespace postern::admin {
namespace {

using directory::Directory;
using directory::List;
using nlohmann::json;
using Words = std::vector<std::string>;

constexpr std::size_t kMaxPrefix = 40, kMaxName = 100;

Status take_accounts(const Directory& directory, const json& request, const char* member, Words& into) {
  if (!request.contains(member)) return {};
  Words out;
  for (const auto& given : request.value(member, Words())) {
    if (given.empty()) continue;   // "": nobody any more
    auto account = directory.account_address(given);
    if (!account) return account.error();
    if (std::find(out.begin(), out.end(), *account) == out.end()) out.push_back(std::move(*account));
  }
  into = std::move(out);
  return {};
}

// One of two words.
Status take_choice(const json& request, const char* member, const char* yes, const char* no, bool& into) {
  auto word = request.value(member, "");
  if (word.empty()) return {};
  if (word != yes && word != no) return Error("\"" + printable(word) + "\" is neither " + yes + " nor " + no);
  into = word == yes;
  return {};
}

Status take_texts(const json& request, List& list) {
  if (request.contains("prefix")) {
    auto prefix = request.value("prefix", "");
    bool fits = prefix.size() <= kMaxPrefix && std::all_of(prefix.begin(), prefix.end(), [](char c) { return c >= ' ' && c <= '~'; });
    if (!fits) return Error("a prefix has at most " + std::to_string(kMaxPrefix) + " ASCII characters");
    list.prefix = trimmed(prefix);
  }
  if (request.contains("name")) {
    auto name = request.value("name", "");
    bool fits = name.size() <= kMaxName && is_utf8(name) && std::none_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
    if (!fits) return Error("a name has at most " + std::to_string(kMaxName) + " octets of UTF-8 in one line");
    list.name = trimmed(name);
  }
  return {};
}

Status take_settings(const Directory& directory, const json& request, List& list) {
  auto status = take_accounts(directory, request, "owners", list.owners);
  if (status) status = take_accounts(directory, request, "moderators", list.moderators);
  if (status) status = take_choice(request, "subscription", "open", "closed", list.open);
  if (status) status = take_choice(request, "archive", "yes", "no", list.archive);
  if (status) status = take_choice(request, "reply_to", "list", "author", list.reply_to_list);
  if (status) status = take_texts(request, list);
  if (!status) return status;
  if (auto word = request.value("post", ""); !word.empty()) {
    auto post = directory::post_named(word);
    if (!post) return Error("\"" + printable(word) + "\" may write? It is anyone, members or moderators");
    list.post = *post;
  }
  if (request.contains("bounces")) list.bounces = request.value("bounces", list.bounces);
  if (list.owners.empty()) return Error("a list needs an owner: --owner ACCOUNT");
  return {};
}

json done(const std::string& command, const std::string& address, const Status& status) {
  if (!status) return failure(status.error().text);
  log::info("list.changed", {{"command", command}, {"list", address}, {"by", "administrator"}});
  return {{"ok", true}, {"address", address}};
}

json member_row(const directory::ListMember& member) {
  json out{{"address", member.address}, {"mail", member.gets_mail()}};
  if (!member.suspended.empty()) out["suspended"] = member.suspended;
  if (member.bounces != 0) out["bounces"] = member.bounces;
  return out;
}

json row(const std::string& address, const List& list) {
  return {{"list", address}, {"name", list.name}, {"folder", "Lists/" + list.folder}, {"owners", list.owners}, {"moderators", list.moderators},
          {"post", directory::name(list.post)}, {"subscription", list.open ? "open" : "closed"}, {"archive", list.archive},
          {"reply_to", list.reply_to_list ? "list" : "author"}, {"prefix", list.prefix}, {"bounces", list.bounces}, {"members", list.members.size()}};
}

json show(const std::string& address, const List& list) {
  auto out = row(address, list);
  auto& members = out["members"] = json::array();
  for (const auto& [key, member] : list.members) members.push_back(member_row(member));
  return {{"ok", true}, {"rows", json::array({std::move(out)})}};
}

json list_all(const Directory& directory) {
  json rows = json::array();
  for (const auto& [address, list] : *directory.lists()) rows.push_back(row(address, *list));
  return {{"ok", true}, {"rows", std::move(rows)}};
}

Result<Words> members_of(const Directory& directory, const json& request) {
  Words out;
  for (const auto& given : request.value("members", Words())) {
    auto member = directory.target_address(given);
    if (!member) return member.error();
    out.push_back(std::move(*member));
  }
  return out;
}

io::Task<Status> subscribe(Directory& directory, std::string address, Words members, bool mail) {
  Directory::ListEdit edit = [members = std::move(members), mail](List& list) -> Status {
    for (const auto& each : members) {
      auto& member = list.members[ascii_lowered(each)];
      member = directory::ListMember();
      member.address = each;
      member.mail = mail;
    }
    return {};
  };
  auto status = co_await directory.change_list(address, std::move(edit));
  co_return status;
}

io::Task<Status> unsubscribe(Directory& directory, std::string address, Words members) {
  Directory::ListEdit edit = [members = std::move(members), address](List& list) -> Status {
    for (const auto& each : members) {
      if (list.members.erase(ascii_lowered(each)) == 0) return Error(each + " is no member of " + address);
    }
    return {};
  };
  auto status = co_await directory.change_list(address, std::move(edit));
  co_return status;
}

io::Task<Status> add(Directory& directory, std::string address, json request) {
  List list;
  auto taken = take_settings(directory, request, list);
  if (!taken) co_return taken;
  auto status = co_await directory.make_list(address, std::move(list));
  co_return status;
}

io::Task<Status> set(Directory& directory, std::string address, json request) {
  Directory::ListEdit edit = [&directory, &request](List& list) { return take_settings(directory, request, list); };
  auto status = co_await directory.change_list(address, std::move(edit));
  co_return status;
}

}  // namespace

io::Task<json> run_list_command(Context& context, json request) {
  auto& directory = *context.directory;
  std::string command = request.value("command", "");
  if (command == "list list") co_return list_all(directory);
  auto address = directory.account_address(request.value("address", ""));
  if (!address) co_return failure(address.error().text);
  auto members = members_of(directory, request);
  if (!members) co_return failure(members.error().text);
  if (command == "list show") {
    auto list = directory.list(*address);
    co_return list ? show(*address, *list) : failure(*address + ": no such mailing list");
  }
  Status status = Error("unknown command " + command);
  if (command == "list add") status = co_await add(directory, *address, request);
  if (command == "list set") status = co_await set(directory, *address, request);
  if (command == "list remove") status = co_await directory.remove_list(*address);
  if (command == "list subscribe") status = co_await subscribe(directory, *address, std::move(*members), request.value("mail", true));
  if (command == "list unsubscribe") status = co_await unsubscribe(directory, *address, std::move(*members));
  auto list = status ? directory.list(*address) : nullptr;
  if (list) co_await delivery::make_list_mailboxes(*context.store, list);
  co_return done(command, *address, status);
}

}  // namespace postern::admin
