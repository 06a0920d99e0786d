// The quarantine from the administrator's side; users do the same by moving messages over IMAP.
#include "gateway/admin/quarantine_commands.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "gateway/admin/held.h"
#include "gateway/admin/quarantine_show.h"
#include "gateway/base/log.h"
#include "gateway/store/store.h"

namespace postern::admin {
namespace {

using nlohmann::json;
using store::SpecialUse;
using Kind = HeldCopy::Kind;

constexpr std::size_t kPage = 1000;              // rows of a list in one answer
constexpr std::size_t kChangeTogether = 200;
constexpr std::uint64_t kLongestAge = 100ULL * 366 * 24 * 3'600'000;   // a hundred years, in milliseconds

json described(const HeldCopy& copy) {
  return {{"id", copy.id},           {"user", copy.user},       {"class", copy.message_class},
          {"reason", copy.reason},   {"score", copy.score},     {"sender", copy.sender},
          {"subject", copy.subject}, {"date", rfc3339(copy.date)}, {"size", copy.size},
          {"uid", copy.place.uid},   {"released", copy.released}};
}

io::Task<store::Change> erase(store::Store& store, RowPlace place) {
  std::vector<store::Uid> uids{place.uid};
  auto erased = co_await store.erase(place.mailbox, std::move(uids));
  co_return erased;
}

// The user's notices for this original go, and with the last one that names it a shared original.
io::Task<store::Change> erase_notices(store::Store& store, HeldCopy copy) {
  store::Change done;
  std::vector<RowPlace> originals{copy.place};
  if (copy.account != 0) done = co_await delivery::erase_notices(store, originals, copy.account);
  if (!done.ok() || copy.kind != Kind::shared_original) co_return done;
  auto others = co_await delivery::notices_of(store, originals, 0);
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

std::optional<RowPlace> place_of(const json& request) {
  auto given = request.value("from", std::vector<std::uint64_t>());
  if (given.size() != 2) return std::nullopt;
  return RowPlace{given[0], static_cast<store::Uid>(given[1])};
}

// Ages are durations before now.
HeldFilter filter_of(const json& request) {
  HeldFilter filter;
  filter.id = request.value("id", "");
  filter.user = request.value("user", "");
  filter.message_class = request.value("class", "");
  filter.sender = request.value("sender", "");
  auto ago = [](std::uint64_t age) { return Clock::system().now() - std::chrono::milliseconds(std::min(age, kLongestAge)); };
  if (auto age = request.value("older", std::uint64_t{0}); age != 0) filter.before = ago(age);
  if (auto age = request.value("newer", std::uint64_t{0}); age != 0) filter.after = ago(age);
  return filter;
}

// One page of what a command does with what the filter names.
io::Task<json> do_with(Context& context, std::string command, HeldPage page, json request) {
  bool dry = request.value("dry", false);
  json rows = json::array();
  for (const auto& copy : page.copies) {
    auto row = described(copy);
    if (command == "quarantine show") {
      co_await show_held(context, copy, request, row);
      log::info("quarantine.access", {{"message", copy.id}, {"user", copy.user}, {"class", copy.message_class}, {"command", "show"}, {"by", "administrator"}});
    } else if (command != "quarantine list" && !dry) {
      bool releasing = command == "quarantine release";
      auto change = releasing ? release(*context.store, copy) : remove(*context.store, copy);
      auto done = co_await change;
      if (!done.ok()) co_return failure(copy.id + ", " + copy.user + ": " + done.text);
      log::info(releasing ? "quarantine.release" : "quarantine.delete",
                {{"message", copy.id}, {"user", copy.user}, {"class", copy.message_class}, {"by", "administrator"}});
    }
    rows.push_back(std::move(row));
  }
  json answer{{"ok", true}, {"rows", std::move(rows)}};
  if (page.next) answer["next"] = json::array({page.next->mailbox, page.next->uid});
  co_return answer;
}

}  // namespace

io::Task<json> run_quarantine_command(Context& context, json request) {
  std::string command = request.value("command", "");
  bool changes = command == "quarantine release" || command == "quarantine delete";
  if (!changes && command != "quarantine list" && command != "quarantine show") co_return failure("unknown command " + command);
  auto filter = filter_of(request);
  bool by_id = !filter.id.empty();
  if (command == "quarantine show" && !by_id) co_return failure("the id of a message is missing; `postern quarantine list` shows them");
  if (changes && !filter.names_something()) co_return failure("which messages?  Give an id, or --user, --class, --sender, --older or --newer");
  filter.open = changes && !by_id;
  auto from = place_of(request);
  // An id names few, and all of them are one answer.
  auto enough = by_id ? std::numeric_limits<std::size_t>::max() : changes ? kChangeTogether : kPage;
  auto page = co_await held_page(*context.store, filter, from.value_or(RowPlace()), enough);
  if (!page) co_return failure(page.error().text);
  if (by_id && page->copies.empty()) co_return failure("no message " + filter.id + " in quarantine");
  auto answer = co_await do_with(context, std::move(command), std::move(*page), std::move(request));
  co_return answer;
}

}  // namespace postern::admin
