// Aliases and forwards from the administrator's side.
#include "gateway/admin/address_commands.h"

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/directory/directory.h"

namespace postern::admin {
namespace {

using nlohmann::json;
using directory::Directory;
using Words = std::vector<std::string>;

json done(const std::string& command, const std::string& address, const Status& status) {
  if (!status) return failure(status.error().text);
  log::info("address.changed", {{"command", command}, {"address", address}, {"by", "administrator"}});
  return {{"ok", true}, {"address", address}};
}

Result<Words> targets_of(const Directory& directory, const json& request) {
  Words out;
  for (const auto& given : request.value("targets", Words())) {
    auto target = directory.target_address(given);
    if (!target) return target.error();
    out.push_back(std::move(*target));
  }
  return out;
}

json list_aliases(const Directory& directory) {
  json rows = json::array();
  for (const auto& [alias, targets] : directory.addresses()->aliases) rows.push_back({{"alias", alias}, {"targets", targets}});
  return {{"ok", true}, {"rows", std::move(rows)}};
}

json list_forwards(const Directory& directory) {
  json rows = json::array();
  for (const auto& [account, forward] : directory.addresses()->forwards) {
    rows.push_back({{"account", account}, {"targets", forward.targets}, {"keep", forward.keep}});
  }
  return {{"ok", true}, {"rows", std::move(rows)}};
}

// Where its mail comes to in the end.
json show(const Directory& directory, const std::string& address) {
  auto table = directory.addresses();
  auto alias = table->aliases.find(address);
  if (alias == table->aliases.end()) return failure(address + ": no such alias");
  auto leads_to = directory.expand(directory.resolve(address), address);
  Words reaches;
  for (const auto& target : leads_to.targets) {
    if (target.keep) reaches.push_back(target.address);
    reaches.insert(reaches.end(), target.forward.begin(), target.forward.end());
  }
  json row{{"alias", address}, {"targets", alias->second}, {"reaches", reaches}, {"named_by", directory.named_by(address)}};
  if (!leads_to.lost.empty()) row["lost"] = leads_to.lost;
  return {{"ok", true}, {"rows", json::array({row})}};
}

io::Task<json> add(Directory& directory, std::string address, Words targets) {
  auto table = directory.addresses();
  Words all;
  if (auto there = table->aliases.find(address); there != table->aliases.end()) all = there->second;
  all.insert(all.end(), targets.begin(), targets.end());
  auto status = co_await directory.set_alias(address, std::move(all));
  co_return done("alias add", address, status);
}

io::Task<json> remove(Directory& directory, std::string address, Words targets) {
  auto table = directory.addresses();
  auto there = table->aliases.find(address);
  if (there == table->aliases.end()) co_return failure(address + ": no such alias");
  auto left = there->second;
  for (const auto& target : targets) {
    if (std::erase(left, target) == 0) co_return failure(target + " is no target of " + address);
  }
  Status status;
  if (targets.empty() || left.empty()) status = co_await directory.remove_alias(address);
  else status = co_await directory.set_alias(address, std::move(left));
  co_return done("alias remove", address, status);
}

}  // namespace

io::Task<json> run_alias_command(Context& context, json request) {
  auto& directory = *context.directory;
  std::string command = request.value("command", "");
  if (command == "alias list") co_return list_aliases(directory);
  auto address = directory.account_address(request.value("address", ""));
  if (!address) co_return failure(address.error().text);
  if (command == "alias show") co_return show(directory, *address);
  auto targets = targets_of(directory, request);
  if (!targets) co_return failure(targets.error().text);
  json answer = failure("unknown command " + command);
  if (command == "alias add") answer = co_await add(directory, *address, std::move(*targets));
  if (command == "alias remove") answer = co_await remove(directory, *address, std::move(*targets));
  co_return answer;
}

io::Task<json> run_forward_command(Context& context, json request) {
  auto& directory = *context.directory;
  std::string command = request.value("command", "");
  if (command == "forward list") co_return list_forwards(directory);
  auto account = directory.account_address(request.value("address", ""));
  if (!account) co_return failure(account.error().text);
  auto targets = targets_of(directory, request);
  if (!targets) co_return failure(targets.error().text);
  Status status = Error("unknown command " + command);
  directory::Forward forward;
  forward.targets = std::move(*targets);
  forward.keep = request.value("keep", false);
  if (command == "forward set") status = co_await directory.set_forward(*account, std::move(forward));
  if (command == "forward remove") status = co_await directory.remove_forward(*account);
  co_return done(command, *account, status);
}

}  // namespace postern::admin
