// To whom elsewhere users of ours may not send, from the administrator's side.
#include "gateway/admin/suppression_commands.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/config/config.h"
#include "gateway/delivery/abuse.h"
#include "gateway/directory/directory.h"
#include "gateway/mail/address.h"
#include "gateway/store/store.h"

namespace postern::admin {
namespace {

using nlohmann::json;

// The server's, or one of our own while none runs.
class Desk {
 public:
  explicit Desk(Context& context) : desk_(context.abuse) {
    if (desk_ != nullptr) return;
    delivery::AbuseDesk::Parts parts{*context.store, *context.directory, nullptr, context.config->hostname};
    own_ = std::make_unique<delivery::AbuseDesk>(std::move(parts));
    desk_ = own_.get();
  }
  io::Task<Status> load() {
    auto loaded = Status();
    if (own_) loaded = co_await own_->load();
    co_return loaded;
  }
  delivery::AbuseDesk* operator->() const { return desk_; }

 private:
  delivery::AbuseDesk* desk_;
  std::unique_ptr<delivery::AbuseDesk> own_;
};

json row_of(const store::Store& store, const delivery::Suppression& suppression) {
  auto account = suppression.account == 0 ? std::nullopt : store.account(suppression.account);
  json row{{"address", suppression.address}, {"cause", name(suppression.cause)}, {"since", rfc3339(suppression.since)}, {"words", suppression.words},
           {"message", suppression.message}};
  row["user"] = suppression.account == 0 ? json() : json(account ? account->address : "a removed user");
  row["until"] = suppression.until == Time{} ? json() : json(rfc3339(suppression.until));
  return row;
}

json list(const store::Store& store, const std::vector<delivery::Suppression>& all, const std::string& address, std::optional<store::AccountId> user) {
  json rows = json::array();
  for (const auto& suppression : all) {
    if (!address.empty() && suppression.address != address) continue;
    if (user && suppression.account != *user) continue;
    rows.push_back(row_of(store, suppression));
  }
  return {{"ok", true}, {"rows", std::move(rows)}};
}

}  // namespace

io::Task<json> run_suppression_command(Context& context, json request) {
  std::string command = request.value("command", "");
  const auto& directory = *context.directory;
  Desk desk(context);
  auto loaded = co_await desk.load();
  if (!loaded) co_return failure(loaded.error().text);

  std::optional<store::AccountId> user;
  std::string login = request.value("user", "");
  if (!login.empty()) {
    auto canonical = directory.account_address(login);
    if (!canonical) co_return failure(canonical.error().text);
    auto account = context.store->account(*canonical);
    if (!account) co_return failure(*canonical + ": no such user");
    user = account->id;
  }
  std::string given = request.value("address", "");
  auto parsed = mail::parse_address(given);
  if (!given.empty() && !parsed) co_return failure(printable(given, 200) + ": " + parsed.error().text);
  auto address = parsed ? ascii_lowered(parsed->text()) : std::string();
  if (command == "suppression list") co_return list(*context.store, desk->suppressions(), address, user);
  if (address.empty()) co_return failure("an address is needed");
  if (address.size() > delivery::Suppressions::kMaxAddress) co_return failure("the address is too long");

  if (command == "suppression remove") {
    auto lifted = co_await desk->lift(address, user);
    if (!lifted.ok()) co_return failure(address + ": " + lifted.text);
    if (lifted.count == 0) co_return failure(address + ": not suppressed" + (user ? " for " + login : ""));
    log::info("suppression.removed", {{"address", address}, {"user", login}, {"by", "administrator"}});
    co_return json{{"ok", true}, {"removed", lifted.count}};
  }
  if (command != "suppression add") co_return failure("unknown command " + command);
  if (directory.is_ours(address.substr(address.rfind('@') + 1))) co_return failure(address + ": mail for our own domains is not suppressed");
  delivery::Suppression made;
  made.account = user.value_or(0);
  made.address = address;
  made.words = request.value("reason", "");
  auto length = request.value("for", std::int64_t{0});
  if (length > 0) made.until = Clock::system().now() + std::chrono::milliseconds(length);
  auto added = co_await desk->suppress(made);
  if (!added.ok()) co_return failure(address + ": " + added.text);
  log::info("suppression.added", {{"address", address}, {"user", login}, {"by", "administrator"}});
  co_return list(*context.store, desk->suppressions(), address, user);
}

}  // namespace postern::admin
