// Mailboxes and passwords.
#include "gateway/admin/user_commands.h"

#include <nlohmann/json.hpp>

#include "gateway/admin/sending_commands.h"
#include "gateway/base/log.h"
#include "gateway/delivery/release.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/directory/directory.h"
#include "gateway/directory/logins.h"
#include "gateway/directory/own_hosts.h"
#include "gateway/directory/passwords.h"
#include "gateway/io/worker_pool.h"
#include "gateway/store/store.h"

namespace postern::admin {
namespace {

using nlohmann::json;

json outcome(const store::Change& change, const std::string& address) {
  if (!change.ok()) return failure(address + ": " + change.text);
  return {{"ok", true}, {"user", address}};
}

io::Task<json> list(Context& context) {
  json rows = json::array();
  for (const auto& account : context.store->accounts()) {
    if (!is_user(account)) continue;
    std::uint64_t messages = 0;
    std::uint64_t octets = 0;
    for (const auto& mailbox : context.store->mailboxes(account.id)) {
      messages += mailbox.messages;
      octets += mailbox.octets;
    }
    rows.push_back({{"user", account.address}, {"admin", account.admin}, {"groups", account.groups},
                    {"messages", messages}, {"octets", octets}, {"created", rfc3339(account.created)}, {"deliver", account.deliver}});
  }
  auto answer = co_await with_sending(context, std::move(rows));
  co_return answer;
}

// As RCPT would find it, for `explain`.  Of an alias that leads to several the first one stands for all.
json resolve(const Context& context, const directory::Directory& directory, const std::string& address) {
  auto found = directory.resolve(address);
  if (found.kind == directory::Resolution::Kind::alias) {
    auto leads_to = directory.expand(found, address).targets;
    if (!leads_to.empty() && leads_to.front().account != 0) found = directory.resolve(leads_to.front().address);
  }
  bool known = found.found() || found.has_own_hosts();
  auto account = known ? context.store->account(found.account_address) : std::nullopt;
  if (!account) return failure(address + ": no such user");
  json senders = json::object();
  for (const auto& [sender, word] : *context.store->senders(account->id)) senders[sender] = mail::name(word);
  return {{"ok", true}, {"user", account->address}, {"groups", account->groups}, {"senders", std::move(senders)}, {"deliver", account->deliver}};
}

// Argon2id and SCRAM take a tenth of a second: on a worker.
io::Task<Result<std::string>> password_row(Context& context, std::string password) {
  auto job = [password = std::move(password)] { return directory::make_password_row(password); };
  auto row = co_await context.workers->run(std::move(job));
  co_return row;
}

// What --deliver says; nothing where it is not given.
Result<std::optional<std::string>> deliver_in(const json& request) {
  auto text = request.value("deliver", "");
  if (text.empty()) return std::optional<std::string>();
  auto deliver = directory::deliver_of(text);
  if (!deliver) return deliver.error();
  return std::optional(std::move(*deliver));
}

// Whose mail goes on has an account for his quarantine, with the folder that a release goes to.
io::Task<void> make_folders(Context& context, std::string address) {
  auto account = context.store->account(address);
  bool goes_on = account && !delivery::goes_on_to(delivery::Routes(*context.config), *account).empty();
  if (goes_on) co_await delivery::make_release_folder(*context.store, account->id);
}

io::Task<json> add(Context& context, std::string address, json request) {
  auto deliver = deliver_in(request);
  if (!deliver) co_return failure(deliver.error().text);
  store::Account account;
  account.address = address;
  account.deliver = deliver->value_or("");
  if (!request.value("no_password", false)) {
    auto row = co_await password_row(context, request.value("password", ""));
    if (!row) co_return failure(row.error().text);
    account.password_row = std::move(*row);
  }
  account.admin = request.value("admin", false);
  account.groups = request.value("groups", std::vector<std::string>());
  account.created = Clock::system().now();
  auto created = co_await context.store->create_account(std::move(account));
  if (created.ok()) co_await make_folders(context, address);
  co_return outcome(created, address);
}

io::Task<json> set(Context& context, store::Account account, json request) {
  auto deliver = deliver_in(request);
  if (!deliver) co_return failure(deliver.error().text);
  bool no_password = request.value("no_password", false);
  if (!*deliver && !no_password) co_return failure("nothing is to be changed: give --deliver or --no-password");
  if (no_password) account.password_row = "none " + new_id();   // never the same again: an old invitation must not be good again
  if (*deliver) account.deliver = std::move(**deliver);
  auto address = account.address;
  if (directory::has_own_hosts(account) && context.directory->addresses()->forwards.contains(address)) {
    co_return failure("the good mail of " + address + " is sent on already; `postern forward remove " + address + "` ends that first");
  }
  auto updated = co_await context.store->update_account(std::move(account));
  if (updated.ok()) co_await make_folders(context, address);
  co_return outcome(updated, address);
}

io::Task<json> set_password(Context& context, store::Account account, json request) {
  auto row = co_await password_row(context, request.value("password", ""));
  if (!row) co_return failure(row.error().text);
  auto fresh = context.store->account(account.id);   // what was changed meanwhile stays
  if (!fresh) co_return failure(account.address + ": no such user");
  account = std::move(*fresh);
  account.password_row = std::move(*row);
  auto address = account.address;
  auto updated = co_await context.store->update_account(std::move(account));
  co_return outcome(updated, address);
}

// Why a mailbox cannot come or go; "": nothing stands against it.
std::string address_in_use(const directory::Directory& directory, const std::string& command, const std::string& address) {
  if (command == "user add" && directory.addresses()->aliases.contains(address)) {
    return address + " is an alias; `postern alias remove " + address + "` makes room for a mailbox";
  }
  if (auto is = command == "user add" ? directory.taken_as(address) : ""; !is.empty()) {
    return address + " is " + is;
  }
  auto users = command == "user remove" ? directory.named_by(address) : std::vector<std::string>();
  if (users.empty()) return "";
  return address + " is a target of the " + join(users, ", the ") + "; remove it there first, or nobody would get that mail";
}

io::Task<json> remove(Context& context, store::Account account) {
  if (context.directory->addresses()->forwards.contains(account.address)) {
    auto forward = co_await context.directory->remove_forward(account.address);
    if (!forward) co_return failure(forward.error().text);
  }
  auto removed = co_await context.store->remove_account(account.id);
  co_return outcome(removed, account.address);
}

}  // namespace

io::Task<json> run_user_command(Context& context, json request) {
  std::string command = request.value("command", "");
  if (command == "user list") {
    auto answer = co_await list(context);
    co_return answer;
  }
  std::string given = request.value("address", "");
  if (command == "user unban") {
    if (context.logins == nullptr) co_return failure("no server runs, and refusals end with it");
    bool known = context.logins->unban(given);
    co_return known ? json{{"ok", true}, {"user", given}} : failure(given + ": nothing is refused there");
  }
  auto& directory = *context.directory;
  if (command == "user resolve") co_return resolve(context, directory, given);
  auto address = directory.account_address(given);
  if (!address) co_return failure(address.error().text);
  auto account = context.store->account(*address);
  bool adding = command == "user add";
  auto problem = address_in_use(directory, command, *address);
  if (!problem.empty()) co_return failure(problem);
  if (adding && account) co_return failure(*address + ": there is such a user already");
  if (!adding && !account) co_return failure(*address + ": no such user; `postern user add` makes one");
  json answer;
  if (adding) {
    answer = co_await add(context, *address, std::move(request));
  } else if (command == "user password") {
    answer = co_await set_password(context, std::move(*account), std::move(request));
  } else if (command == "user set") {
    answer = co_await set(context, std::move(*account), std::move(request));
  } else if (command == "user stop") {
    answer = co_await stop_sending(context, std::move(*account), request.value("reason", ""));
  } else if (command == "user resume") {
    answer = co_await resume_sending(context, std::move(*account), request.value("held", ""));
  } else if (command == "user remove") {
    answer = co_await remove(context, *account);
  } else {
    answer = failure("unknown command " + command);
  }
  if (answer.value("ok", false)) log::info("user.changed", {{"command", command}, {"user", *address}});
  co_return answer;
}

}  // namespace postern::admin
