// The quarantine from the administrator's side; users do the same by moving messages over IMAP.
#include "gateway/admin/quarantine_commands.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "gateway/admin/held.h"
#include "gateway/base/log.h"
#include "gateway/store/store.h"

namespace postern::admin {
namespace {

using nlohmann::json;
using store::SpecialUse;
using Kind = HeldCopy::Kind;

constexpr std::size_t kPage = 1000;              // rows of a list in one answer
constexpr std::uint64_t kShown = 64 * 1024;      // octets of a message

json described(const HeldCopy& copy) {
  return {{"id", copy.id},           {"user", copy.user},       {"class", copy.message_class},
          {"reason", copy.reason},   {"score", copy.score},     {"sender", copy.sender},
          {"subject", copy.subject}, {"date", rfc3339(copy.date)}, {"size", copy.size},
          {"uid", copy.place.uid},   {"released", copy.released}};
}

io::Task<std::string> text_of(store::Store& store, HeldCopy copy) {
  if (copy.kind == Kind::lone_notice) co_return std::string("(the original is gone)");
  auto row = co_await store.message(copy.place.mailbox, copy.place.uid);
  if (!row) co_return "(" + row.error().text + ")";
  if (!*row) co_return std::string();
  auto octets = co_await store.read(**row, 0, kShown);
  co_return octets ? *octets : "(" + octets.error().text + ")";
}

io::Task<store::Change> erase(store::Store& store, RowPlace place) {
  std::vector<store::Uid> uids{place.uid};
  auto erased = co_await store.erase(place.mailbox, std::move(uids));
  co_return erased;
}

// The user's notices for this original go, and with the last one that names it a shared original.
io::Task<store::Change> erase_notices(store::Store& store, HeldCopy copy) {
  store::Change done;
  if (copy.account != 0) {
    auto own = co_await notices_of(store, copy.place, copy.account);
    if (!own) {
      done.outcome = store::Outcome::broken;
      done.text = own.error().text;
      co_return done;
    }
    for (auto notice : *own) {
      done = co_await erase(store, notice);
      if (!done.ok()) co_return done;
    }
  }
  if (copy.kind != Kind::shared_original) co_return done;
  auto others = co_await notices_of(store, copy.place, 0);
  // Unknown counts as named: an original too many harms nobody.
  if (others && others->empty()) done = co_await erase(store, copy.place);
  co_return done;
}

io::Task<store::Change> release(store::Store& store, HeldCopy copy) {
  store::Change wrong;
  wrong.outcome = store::Outcome::no_mailbox;
  wrong.text = copy.kind == Kind::lone_notice ? "the original is gone" : "there is no INBOX";
  auto inbox = store.mailbox(copy.account, SpecialUse::inbox);
  if (!inbox || copy.kind == Kind::lone_notice) co_return wrong;
  std::vector<store::Uid> uids{copy.place.uid};
  auto way = copy.kind == Kind::shared_original ? store.copy(copy.place.mailbox, std::move(uids), inbox->id)
                                                : store.move(copy.place.mailbox, std::move(uids), inbox->id);
  auto released = co_await way;
  if (released.ok() && released.uids.empty()) {
    wrong.text = "the message is gone";
    co_return wrong;
  }
  if (!released.ok() || copy.kind == Kind::message) co_return released;
  auto erased = co_await erase_notices(store, std::move(copy));
  co_return erased;
}

io::Task<store::Change> remove(store::Store& store, HeldCopy copy) {
  store::Change done;
  if (copy.kind != Kind::shared_original) done = co_await erase(store, copy.place);
  bool has_notice = copy.kind == Kind::original || copy.kind == Kind::shared_original;
  if (done.ok() && has_notice) done = co_await erase_notices(store, std::move(copy));
  co_return done;
}

io::Task<json> list(store::Store& store, HeldFilter filter, json request) {
  RowPlace from;
  auto given = request.value("from", std::vector<std::uint64_t>());
  if (given.size() == 2) {
    from.mailbox = given[0];
    from.uid = static_cast<store::Uid>(given[1]);
  }
  auto page = co_await held_page(store, std::move(filter), from, kPage);
  if (!page) co_return failure(page.error().text);
  json rows = json::array();
  for (const auto& copy : page->copies) rows.push_back(described(copy));
  json answer{{"ok", true}, {"rows", std::move(rows)}};
  if (page->next) answer["next"] = json::array({page->next->mailbox, page->next->uid});
  co_return answer;
}

}  // namespace

io::Task<json> run_quarantine_command(Context& context, json request) {
  std::string command = request.value("command", "");
  HeldFilter filter;
  filter.id = request.value("id", "");
  filter.user = request.value("user", "");
  filter.message_class = request.value("class", "");
  if (command == "quarantine list") {
    auto answer = co_await list(*context.store, std::move(filter), std::move(request));
    co_return answer;
  }
  if (filter.id.empty()) co_return failure("the id of a message is missing; `postern quarantine list` shows them");
  RowPlace from;
  auto page = co_await held_page(*context.store, filter, from, std::numeric_limits<std::size_t>::max());
  if (!page) co_return failure(page.error().text);
  const auto& held = page->copies;
  json rows = json::array();
  if (held.empty()) co_return failure("no message " + filter.id + " in quarantine");
  for (const auto& copy : held) {
    auto row = described(copy);
    if (command == "quarantine show") {
      row["text"] = co_await text_of(*context.store, copy);
      row["cut"] = copy.size > kShown;
    } else {
      bool releasing = command == "quarantine release";
      if (!releasing && command != "quarantine delete") co_return failure("unknown command " + command);
      auto change = releasing ? release(*context.store, copy) : remove(*context.store, copy);
      auto done = co_await change;
      if (!done.ok()) co_return failure(copy.user + ": " + done.text);
      log::info(releasing ? "quarantine.release" : "quarantine.delete",
                {{"message", copy.id}, {"user", copy.user}, {"class", copy.message_class}, {"by", "administrator"}});
    }
    rows.push_back(std::move(row));
  }
  co_return json{{"ok", true}, {"rows", std::move(rows)}};
}

}  // namespace postern::admin
