// What an administrator changes in the outgoing queue.
#include "gateway/admin/queue_changes.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/delivery/queue.h"
#include "gateway/store/store.h"

namespace postern::admin {
namespace {

using nlohmann::json;
using store::QueueEntry;
using store::QueueId;

constexpr std::size_t kScan = 2000;           // entries that one request looks at
constexpr std::size_t kChangeTogether = 500;

enum class Order { retry, hold, thaw, erase, bounce };

std::optional<Order> order_of(const std::string& command) {
  if (command == "queue retry") return Order::retry;
  if (command == "queue hold") return Order::hold;
  if (command == "queue thaw") return Order::thaw;
  if (command == "queue delete") return Order::erase;
  if (command == "queue bounce") return Order::bounce;
  return std::nullopt;
}

store::QueueChange change_of(Order order, QueueId id) {
  store::QueueChange change;
  change.id = id;
  if (order == Order::erase) change.remove = true;
  if (order == Order::hold) change.held = true;
  if (order == Order::thaw) change.held = false;
  if (order == Order::retry) {
    change.held = false;
    change.due = Clock::system().now();
  }
  return change;
}

// Does it make a difference for this entry?
bool concerns(Order order, const QueueEntry& entry) {
  if (order == Order::hold) return !entry.held;
  return order != Order::thaw || entry.held;
}

// How many were changed.
io::Task<Result<std::size_t>> carry_out(Context& context, Order order, std::vector<QueueId> ids) {
  std::size_t changed = 0;
  if (order == Order::bounce) {   // the queue alone changes what it knows of recipients
    changed = ids.size();
    if (!ids.empty()) context.queue->give_up(std::move(ids));
    co_return changed;
  }
  for (std::size_t at = 0; at < ids.size(); at += kChangeTogether) {
    store::Delivery delivery;
    std::vector<QueueId> part(ids.begin() + static_cast<std::ptrdiff_t>(at),
                              ids.begin() + static_cast<std::ptrdiff_t>(std::min(ids.size(), at + kChangeTogether)));
    for (auto id : part) delivery.queue.push_back(change_of(order, id));
    auto done = co_await context.store->deliver(std::move(delivery));
    if (!done.ok()) co_return Error(done.text);
    changed += part.size() - done.gone.size();
    if (context.queue != nullptr) context.queue->changed(std::move(part), order == Order::retry);
  }
  co_return changed;
}

// The page of the queue from `from` on: who is meant and concerned.
struct Chosen {
  std::vector<QueueId> ids;
  std::optional<QueueId> next;
};
io::Task<Result<Chosen>> choose(Context& context, Order order, QueueFilter filter, QueueId from, Time before) {
  auto page = co_await context.store->queue(from, kScan);
  if (!page) co_return page.error();
  Chosen out;
  auto now = Clock::system().now();
  for (const auto& entry : *page) {
    bool meant = entry.arrived <= before && concerns(order, entry) && filter.takes(entry, delivery::decode_state(entry.state), now);
    if (meant) out.ids.push_back(entry.id);
  }
  if (page->size() == kScan) out.next = page->back().id + 1;
  co_return std::move(out);
}

io::Task<Result<Chosen>> named(Context& context, Order order, std::vector<QueueId> ids) {
  Chosen out;
  for (auto id : ids) {
    auto entry = co_await context.store->queue_entry(id);
    if (!entry) co_return entry.error();
    if (!*entry) co_return Error("no entry " + std::to_string(id) + " in the queue; nothing was changed");
    if (concerns(order, **entry)) out.ids.push_back(id);
  }
  co_return std::move(out);
}

}  // namespace

Result<std::vector<QueueId>> read_queue_ids(const json& request) {
  std::vector<QueueId> out;
  for (const auto& text : request.value("ids", std::vector<std::string>())) {
    auto number = parse_number(text);
    if (!number) return Error("\"" + printable(text, 40) + "\" is no id of the queue; `postern queue list` shows them");
    if (std::find(out.begin(), out.end(), *number) == out.end()) out.push_back(*number);
  }
  return out;
}

io::Task<json> change_queue(Context& context, json request, QueueFilter filter) {
  auto command = request.value("command", "");
  auto order = order_of(command);
  if (!order) co_return failure("unknown command " + command);
  auto ids = read_queue_ids(request);
  if (!ids) co_return failure(ids.error().text);
  bool all = request.value("all", false);
  if (!ids->empty() && (all || filter.is_set())) co_return failure("name entries, or say which by a filter, not both");
  if (ids->empty() && !all && !filter.is_set()) co_return failure("say which: ids, a filter such as --destination, or \"all\"");
  if (*order == Order::bounce && context.queue == nullptr) {
    co_return failure("no server runs, and only it gives mail up and reports it; start it, or see `postern queue delete`");
  }
  Time before{std::chrono::microseconds(request.value("before", Clock::system().now().time_since_epoch().count()))};
  Result<Chosen> chosen = Chosen();
  if (ids->empty()) chosen = co_await choose(context, *order, std::move(filter), request.value("from", QueueId{0}), before);
  else chosen = co_await named(context, *order, std::move(*ids));
  if (!chosen) co_return failure(chosen.error().text);
  auto changed = co_await carry_out(context, *order, std::move(chosen->ids));
  if (!changed) co_return failure(changed.error().text);
  if (*changed != 0) {
    log::info(*order == Order::erase ? "queue.deleted" : "queue.changed",
              {{"command", command}, {"entries", std::to_string(*changed)}, {"by", "administrator"}});
  }
  json answer{{"ok", true}, {"changed", *changed}, {"rows", json::array()}};
  if (chosen->next) {
    answer["next"] = *chosen->next;
    answer["before"] = before.time_since_epoch().count();
  }
  co_return answer;
}

}  // namespace postern::admin
