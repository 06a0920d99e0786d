// Who may send, and what becomes of what was held on its way out.
#include "gateway/admin/sending_commands.h"

#include <memory>
#include <nlohmann/json.hpp>

#include "gateway/base/log.h"
#include "gateway/delivery/abuse.h"
#include "gateway/delivery/let_go.h"
#include "gateway/delivery/send_ledger.h"
#include "gateway/store/store.h"

namespace postern::admin {
namespace {

using nlohmann::json;

// The server's, or one of our own while none runs.
class Ledger {
 public:
  explicit Ledger(Context& context) : ledger_(context.ledger) {
    if (ledger_ != nullptr) return;
    own_ = std::make_unique<delivery::SendLedger>(*context.store);
    ledger_ = own_.get();
  }
  io::Task<Status> load() {
    auto loaded = Status();
    if (own_) loaded = co_await own_->load();
    co_return loaded;
  }
  delivery::SendLedger* operator->() const { return ledger_; }

 private:
  delivery::SendLedger* ledger_;
  std::unique_ptr<delivery::SendLedger> own_;
};

// Keeps a second command for the account away until the first one is done.
class Busy {
 public:
  Busy(Context& context, store::AccountId account) : context_(context), account_(account), ours_(context.busy.insert(account).second) {}
  ~Busy() {
    if (ours_) context_.busy.erase(account_);
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
  bool ours() const { return ours_; }

 private:
  Context& context_;
  store::AccountId account_;
  bool ours_;
};

}  // namespace

io::Task<json> stop_sending(Context& context, store::Account account, std::string reason) {
  Ledger ledger(context);
  if (reason.empty()) reason = "by an administrator";
  auto stopped = co_await ledger->stop(account.id, std::move(reason));
  if (!stopped.ok()) co_return failure(account.address + ": " + stopped.text);
  co_return json{{"ok", true}, {"user", account.address}};
}

io::Task<json> resume_sending(Context& context, store::Account account, std::string held) {
  Busy busy(context, account.id);
  if (!busy.ours()) co_return failure(account.address + ": another command is at work on what is held");
  json answer{{"ok", true}, {"user", account.address}};
  // First what is held: if that does not succeed, he stays stopped and the command can be given again.
  if (held == "send") {
    if (context.deliverer == nullptr) co_return failure("no server runs that could send it; without --send the user may send again and Held stays as it is");
    auto sent = co_await delivery::let_go(*context.store, *context.deliverer, account);
    if (!sent) co_return failure(account.address + ": " + sent.error().text);
    if (sent->left > 0) {
      co_return failure(account.address + ": " + std::to_string(sent->sent) + " sent, " + std::to_string(sent->left) +
                        " could not be, and the user stays stopped if he was; " + sent->problem);
    }
    answer["sent"] = sent->sent;
    answer["viruses"] = sent->viruses;
  } else if (held == "discard") {
    auto discarded = co_await delivery::discard_held(*context.store, account);
    if (!discarded) co_return failure(account.address + ": " + discarded.error().text);
    answer["discarded"] = *discarded;
  }
  Ledger ledger(context);
  auto resumed = co_await ledger->resume(account.id);
  if (!resumed.ok()) co_return failure(account.address + ": " + resumed.text);
  // Or the next bounce would be an alarm again.
  delivery::AbuseDesk own({*context.store, *context.directory, nullptr, ""});
  auto& desk = context.abuse != nullptr ? *context.abuse : own;
  auto forgotten = co_await desk.forget(account.id);
  if (!forgotten.ok()) co_return failure(account.address + " may send again, but his bounces and complaints are still counted: " + forgotten.text);
  co_return answer;
}

io::Task<json> with_sending(Context& context, json rows) {
  Ledger ledger(context);
  auto loaded = co_await ledger.load();
  if (!loaded) co_return failure(loaded.error().text);
  for (auto& row : rows) {
    auto account = context.store->account(row.value("user", ""));
    auto stop = account ? ledger->stopped(account->id) : std::nullopt;
    row["stopped"] = stop ? json(rfc3339(stop->since) + " " + stop->reason) : json();
    row["held"] = account ? delivery::count_held(*context.store, account->id) : 0;
  }
  co_return json{{"ok", true}, {"rows", std::move(rows)}};
}

}  // namespace postern::admin
