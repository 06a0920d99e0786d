// The quarantine from the administrator's side; users do the same by moving messages over IMAP.
#include "gateway/admin/quarantine_commands.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/headers.h"
#include "gateway/store/store.h"

namespace postern::admin {
namespace {

using nlohmann::json;
using store::MessageRow;
using store::SpecialUse;

constexpr std::size_t kBatch = 500;

struct Found {
  store::Account account;
  MessageRow row;
};

json failure(std::string text) { return {{"ok", false}, {"error", std::move(text)}}; }

std::string subject_of(const MessageRow& row) {
  auto view = mail::EnvelopeView::read(row.envelope);
  if (!view) return "";
  auto subject = view->get(mail::EnvelopeView::subject);
  return subject ? mail::readable(*subject) : "";
}

json described(const Found& found) {
  const auto& held = *found.row.held;
  return {{"id", found.row.id},       {"user", found.account.address}, {"class", held.message_class},
          {"reason", held.reason},    {"score", held.score},           {"sender", held.sender},
          {"subject", subject_of(found.row)}, {"date", rfc3339(found.row.internal_date)},
          {"size", found.row.size()}, {"uid", found.row.uid},          {"released", held.released}};
}

bool wanted(const Found& found, const json& request) {
  std::string id = request.value("id", "");
  std::string message_class = request.value("class", "");
  return found.row.held && (id.empty() || iequals(found.row.id, id)) &&
         (message_class.empty() || found.row.held->message_class == message_class);
}

// Held messages in the users' quarantines that the request names: all of them, or an Error.
io::Task<Result<std::vector<Found>>> find_held(Context& context, json request) {
  std::vector<Found> out;
  std::string user = request.value("user", "");
  for (const auto& account : context.store->accounts()) {
    if (!user.empty() && !iequals(account.address, user)) continue;
    if (account.address.find('@') == std::string::npos) continue;   // ours: the originals are shown by their notices
    auto mailbox = context.store->mailbox(account.id, SpecialUse::quarantine);
    store::Uid next = 1;
    while (mailbox && next != 0) {
      auto rows = co_await context.store->messages(mailbox->id, next, 0xffffffffU, kBatch);
      if (!rows) co_return rows.error();
      next = rows->size() == kBatch ? rows->back().uid + 1 : 0;
      for (auto& row : *rows) {
        Found found{account, std::move(row)};
        if (wanted(found, request)) out.push_back(std::move(found));
      }
    }
  }
  co_return out;
}

io::Task<std::string> original_text(Context& context, MessageRow row) {
  std::optional<MessageRow> original = row;
  if (row.held->notice) {
    auto found = co_await context.store->message(row.held->original_mailbox, row.held->original_uid);
    if (!found) co_return "(" + found.error().text + ")";
    original = *std::move(found);
  }
  if (!original) co_return std::string();
  constexpr std::uint64_t kShown = 64 * 1024;
  auto octets = co_await context.store->read(*original, 0, kShown);
  co_return octets ? *octets : "(" + octets.error().text + ")";
}

io::Task<store::Change> release(Context& context, Found found) {
  const auto& held = *found.row.held;
  auto inbox = context.store->mailbox(found.account.id, SpecialUse::inbox);
  store::Change gone;
  gone.outcome = store::Outcome::no_mailbox;
  gone.text = found.account.address + " has no INBOX";
  if (!inbox) co_return gone;
  std::vector<store::Uid> uids{held.notice ? held.original_uid : found.row.uid};
  if (!held.notice) {
    auto moved = co_await context.store->move(found.row.mailbox, std::move(uids), inbox->id);
    co_return moved;
  }
  auto copied = co_await context.store->copy(held.original_mailbox, std::move(uids), inbox->id);
  if (copied.ok() && copied.uids.empty()) {
    gone.text = "the original is gone";
    co_return gone;
  }
  if (!copied.ok()) co_return copied;
  std::vector<store::Uid> notice{found.row.uid};
  auto erased = co_await context.store->erase(found.row.mailbox, std::move(notice));
  co_return erased;
}

// Of class virus the original goes with the last notice that names it.
io::Task<store::Change> remove(Context& context, Found found) {
  std::vector<store::Uid> uids{found.row.uid};
  auto erased = co_await context.store->erase(found.row.mailbox, std::move(uids));
  if (!erased.ok() || !found.row.held->notice) co_return erased;
  json same_case{{"id", found.row.id}};
  auto others = co_await find_held(context, std::move(same_case));
  // Unknown counts as named: an original too many harms nobody.
  bool named = !others || std::any_of(others->begin(), others->end(), [](const Found& other) { return other.row.held->notice; });
  if (named) co_return erased;
  std::vector<store::Uid> original{found.row.held->original_uid};
  auto gone = co_await context.store->erase(found.row.held->original_mailbox, std::move(original));
  co_return gone;
}

}  // namespace

io::Task<json> run_quarantine_command(Context& context, json request) {
  std::string command = request.value("command", "");
  auto found_held = co_await find_held(context, request);
  if (!found_held) co_return failure(found_held.error().text);
  auto& held = *found_held;
  json rows = json::array();
  if (command == "quarantine list") {
    for (const auto& found : held) rows.push_back(described(found));
    co_return json{{"ok", true}, {"rows", std::move(rows)}};
  }
  if (request.value("id", "").empty()) co_return failure("the id of a message is missing; `postern quarantine list` shows them");
  if (held.empty()) co_return failure("no message " + request.value("id", "") + " in quarantine");
  for (auto& found : held) {
    auto row = described(found);
    if (command == "quarantine show") {
      row["text"] = co_await original_text(context, found.row);
    } else {
      bool releasing = command == "quarantine release";
      if (!releasing && command != "quarantine delete") co_return failure("unknown command " + command);
      auto change = releasing ? release(context, found) : remove(context, found);
      auto done = co_await change;
      if (!done.ok()) co_return failure(found.account.address + ": " + done.text);
      log::info(releasing ? "quarantine.release" : "quarantine.delete",
                {{"message", found.row.id}, {"user", found.account.address}, {"class", found.row.held->message_class}, {"by", "administrator"}});
    }
    rows.push_back(std::move(row));
  }
  co_return json{{"ok", true}, {"rows", std::move(rows)}};
}

}  // namespace postern::admin
