// The outgoing queue from the administrator's side.
#include "gateway/admin/queue_commands.h"

#include <nlohmann/json.hpp>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/delivery/queue.h"
#include "gateway/delivery/queue_state.h"
#include "gateway/store/store.h"

namespace postern::admin {
namespace {

using nlohmann::json;
using store::QueueEntry;
using store::QueueId;

constexpr std::size_t kPage = 1000;           // rows of a list in one answer
constexpr std::size_t kScan = 2000;           // entries that are read at once
constexpr std::size_t kChangeTogether = 500;
constexpr std::uint64_t kShown = 64 * 1024;   // octets of a message

std::string why(const Context& context, const QueueEntry& entry) {
  if (entry.held) return "held by the administrator";
  return context.queue != nullptr ? context.queue->trouble_of({entry.destination, delivery::sender_of(entry.state)}) : "";
}

json described(const Context& context, const QueueEntry& entry) {
  auto state = delivery::decode_state(entry.state);
  json recipients = json::array();
  for (const auto& pending : state ? state->recipients : std::vector<delivery::Pending>()) {
    recipients.push_back({{"address", pending.address}, {"why", pending.words}});
  }
  return {{"id", std::to_string(entry.id)},
          {"message", entry.message_id},
          {"destination", entry.destination},
          {"sender", state ? state->sender : ""},
          {"recipients", std::move(recipients)},
          {"size", entry.size()},
          {"arrived", rfc3339(entry.arrived)},
          {"due", rfc3339(entry.due)},
          {"attempts", state ? state->attempts : 0},
          {"held", entry.held},
          {"why", state ? why(context, entry) : "its envelope is damaged"}};
}

bool concerns(const QueueEntry& entry, const std::string& to) {
  if (to.empty() || ifind(entry.destination, to) != std::string::npos) return true;
  auto state = delivery::decode_state(entry.state);
  for (const auto& pending : state ? state->recipients : std::vector<delivery::Pending>()) {
    if (ifind(pending.address, to) != std::string::npos) return true;
  }
  return false;
}

io::Task<json> list(Context& context, json request) {
  auto to = request.value("to", "");
  auto from = request.value("from", QueueId{0});
  json rows = json::array();
  for (;;) {
    auto page = co_await context.store->queue(from, kScan);
    if (!page) co_return failure(page.error().text);
    for (const auto& entry : *page) {
      from = entry.id + 1;
      if (concerns(entry, to)) rows.push_back(described(context, entry));
      if (rows.size() == kPage) co_return json{{"ok", true}, {"rows", std::move(rows)}, {"next", from}};
    }
    if (page->size() < kScan) break;
  }
  co_return json{{"ok", true}, {"rows", std::move(rows)}};
}

io::Task<json> show(Context& context, QueueId id) {
  auto entry = co_await context.store->queue_entry(id);
  if (!entry) co_return failure(entry.error().text);
  if (!*entry) co_return failure("no entry " + std::to_string(id) + " in the queue");
  auto row = described(context, **entry);
  auto text = co_await context.store->read(**entry, 0, kShown);
  row["text"] = text ? *text : "(" + text.error().text + ")";
  row["cut"] = (*entry)->size() > kShown;
  co_return json{{"ok", true}, {"rows", json::array({row})}};
}

store::QueueChange change_of(const std::string& command, QueueId id) {
  store::QueueChange change;
  change.id = id;
  if (command == "queue delete") change.remove = true;
  if (command == "queue hold") change.held = true;
  if (command == "queue retry") {
    change.held = false;
    change.due = Clock::system().now();
  }
  return change;
}

// How many were changed; a failure says why not all.
io::Task<json> change(Context& context, std::string command, std::vector<QueueId> ids) {
  std::size_t changed = 0;
  for (std::size_t at = 0; at < ids.size(); at += kChangeTogether) {
    store::Delivery delivery;
    std::vector<QueueId> part(ids.begin() + static_cast<std::ptrdiff_t>(at),
                              ids.begin() + static_cast<std::ptrdiff_t>(std::min(ids.size(), at + kChangeTogether)));
    for (auto id : part) delivery.queue.push_back(change_of(command, id));
    auto done = co_await context.store->deliver(std::move(delivery));
    if (!done.ok()) co_return failure(done.text);
    changed += part.size() - done.gone.size();
    if (context.queue != nullptr) context.queue->changed(std::move(part), command == "queue retry");
  }
  log::info(command == "queue delete" ? "queue.deleted" : "queue.changed",
            {{"command", command}, {"entries", std::to_string(changed)}, {"by", "administrator"}});
  if (changed == 0) co_return failure("there is nothing of that in the queue");
  co_return json{{"ok", true}, {"changed", changed}, {"rows", json::array()}};
}

io::Task<Result<std::vector<QueueId>>> all(store::Store& store) {
  std::vector<QueueId> out;
  for (QueueId from = 0;;) {
    auto page = co_await store.queue(from, kScan);
    if (!page) co_return page.error();
    for (const auto& entry : *page) out.push_back(entry.id);
    if (page->size() < kScan) break;
    from = out.back() + 1;
  }
  co_return std::move(out);
}

}  // namespace

io::Task<json> run_queue_command(Context& context, json request) {
  std::string command = request.value("command", "");
  if (command == "queue list") {
    auto answer = co_await list(context, std::move(request));
    co_return answer;
  }
  bool changes = command == "queue retry" || command == "queue hold" || command == "queue delete";
  if (!changes && command != "queue show") co_return failure("unknown command " + command);
  std::string id = request.value("id", "");
  std::vector<QueueId> ids;
  if (changes && command != "queue delete" && id == "all") {
    auto found = co_await all(*context.store);
    if (!found) co_return failure(found.error().text);
    ids = std::move(*found);
  } else {
    auto number = parse_number(id);
    if (!number) co_return failure("\"" + printable(id, 40) + "\" is no id of the queue; `postern queue list` shows them");
    ids.push_back(*number);
  }
  json answer;
  if (changes) answer = co_await change(context, command, std::move(ids));
  else answer = co_await show(context, ids.front());
  co_return answer;
}

}  // namespace postern::admin
