// Whom users want to hear and whom not, from the administrator's side.
#include "gateway/admin/sender_commands.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/directory/directory.h"
#include "gateway/mail/sender_list.h"
#include "gateway/store/store.h"

namespace postern::admin {
namespace {

using nlohmann::json;

json list(const Context& context, const store::Account& account) {
  json rows = json::array();
  auto senders = context.store->senders(account.id);
  for (const auto& [sender, word] : *senders) rows.push_back({{"sender", sender}, {"list", mail::name(word)}});
  return {{"ok", true}, {"rows", std::move(rows)}};
}

}  // namespace

bool is_sender_command(std::string_view command) {
  return command == "user lists" || command == "quarantine allow" || command == "quarantine block" || command == "quarantine forget";
}

io::Task<json> run_sender_command(Context& context, json request) {
  std::string command = request.value("command", "");
  directory::Directory directory(*context.config, *context.store);
  auto address = directory.account_address(request.value(command == "user lists" ? "address" : "user", ""));
  if (!address) co_return failure(address.error().text);
  auto account = context.store->account(*address);
  if (!account) co_return failure(*address + ": no such user");
  if (command == "user lists") co_return list(context, *account);

  auto sender = mail::sender_entry(request.value("sender", ""));
  if (!sender) co_return failure(sender.error().text);
  bool blocks = command == "quarantine block";
  // Spam bears the recipient's own address gladly; he would shut out himself.
  if (blocks && iequals(*sender, account->address)) co_return failure(*sender + " is the user himself");
  std::optional<mail::SenderWord> word;
  if (command != "quarantine forget") word = blocks ? mail::SenderWord::block : mail::SenderWord::allow;
  auto said = word ? std::string(mail::name(*word)) : std::string("forget");
  if (!word && !context.store->senders(account->id)->contains(*sender)) {
    co_return failure(*sender + ": not on a list of " + account->address);
  }
  auto changed = co_await context.store->set_sender(account->id, *sender, word);
  if (!changed.ok()) co_return failure(account->address + ": " + changed.text);
  log::info("quarantine.sender", {{"user", account->address}, {"sender", *sender}, {"word", said}, {"by", "administrator"}});
  co_return json{{"ok", true}, {"rows", json::array({{{"user", account->address}, {"sender", *sender}, {"list", said}}})}};
}

}  // namespace postern::admin
