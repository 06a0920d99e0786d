// The outgoing queue from the administrator's side: what waits.  What he changes: queue_changes.cc.
#include "gateway/admin/queue_commands.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "gateway/admin/queue_changes.h"
#include "gateway/admin/queue_filter.h"
#include "gateway/base/text.h"
#include "gateway/config/config.h"
#include "gateway/delivery/queue.h"
#include "gateway/delivery/report.h"
#include "gateway/store/store.h"

namespace postern::admin {
namespace {

using delivery::QueueState;
using nlohmann::json;
using store::QueueEntry;
using store::QueueId;

constexpr std::size_t kPage = 1000;           // rows of a list in one answer
constexpr std::size_t kScan = 2000;           // entries that are read at once
constexpr std::size_t kMostDestinations = 1000;
constexpr std::uint64_t kShown = 64 * 1024;   // octets of a message

std::string trouble(const Context& context, const delivery::Lane& lane) {
  return context.queue != nullptr ? context.queue->trouble_of(lane) : "";
}

std::string why(const Context& context, const QueueEntry& entry, bool readable) {
  if (!readable) return "its envelope is damaged";
  return entry.held ? "held by the administrator" : trouble(context, {entry.destination, delivery::sender_of(entry.state)});
}

json described(const Context& context, const QueueEntry& entry) {
  auto decoded = delivery::decode_state(entry.state);
  auto state = decoded.value_or(QueueState());
  json recipients = json::array();
  for (const auto& who : state.recipients) {
    recipients.push_back({{"address", who.address}, {"why", who.words}, {"notify", who.notify.text()}, {"orcpt", who.orcpt},
                          {"told_of_delay", who.told_of_delay}});
  }
  json row{{"id", std::to_string(entry.id)},
           {"message", entry.message_id},
           {"destination", entry.destination},
           {"sender", state.sender},
           {"recipients", std::move(recipients)},
           {"size", entry.size()},
           {"arrived", rfc3339(entry.arrived)},
           {"due", rfc3339(entry.due)},
           {"expires", rfc3339(entry.arrived + context.config->queue.expire)},
           {"attempts", state.attempts},
           {"last_attempt", state.last_attempt == Time{} ? "" : rfc3339(state.last_attempt)},
           {"held", entry.held},
           {"reports", delivery::may_be_told(state)},
           {"envid", state.envid},
           {"ret", state.ret}};
  row["why"] = why(context, entry, decoded.has_value());
  return row;
}

io::Task<json> list(Context& context, json request, QueueFilter filter) {
  auto from = request.value("from", QueueId{0});
  auto now = Clock::system().now();
  json rows = json::array();
  for (;;) {
    auto page = co_await context.store->queue(from, kScan);
    if (!page) co_return failure(page.error().text);
    for (const auto& entry : *page) {
      from = entry.id + 1;
      if (filter.takes(entry, delivery::decode_state(entry.state), now)) rows.push_back(described(context, entry));
      if (rows.size() == kPage) co_return json{{"ok", true}, {"rows", std::move(rows)}, {"next", from}};
    }
    if (page->size() < kScan) break;
  }
  co_return json{{"ok", true}, {"rows", std::move(rows)}};
}

struct Sum {
  std::uint64_t entries = 0, recipients = 0, octets = 0, held = 0, due = 0;
  Time oldest = Time::max();
};
using Sums = std::map<std::string, Sum, std::less<>>;

void add(Sums& sums, const QueueEntry& entry, const std::optional<QueueState>& state, Time now) {
  auto& sum = sums[entry.destination];
  ++sum.entries;
  sum.recipients += state ? state->recipients.size() : 0;
  sum.octets += entry.size();
  sum.held += entry.held ? 1 : 0;
  sum.due += !entry.held && entry.due <= now ? 1 : 0;
  sum.oldest = std::min(sum.oldest, entry.arrived);
}

io::Task<json> summary(Context& context, QueueFilter filter) {
  Sums sums;
  auto now = Clock::system().now();
  for (QueueId from = 0;;) {
    auto page = co_await context.store->queue(from, kScan);
    if (!page) co_return failure(page.error().text);
    for (const auto& entry : *page) {
      from = entry.id + 1;
      auto state = delivery::decode_state(entry.state);
      if (filter.takes(entry, state, now)) add(sums, entry, state, now);
    }
    if (page->size() < kScan) break;
  }
  std::vector<const Sums::value_type*> order;
  for (const auto& each : sums) order.push_back(&each);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return a->second.entries != b->second.entries ? a->second.entries > b->second.entries : a->first < b->first;
  });
  json rows = json::array();
  for (const auto* each : order) {
    if (rows.size() == kMostDestinations) break;
    const auto& [destination, sum] = *each;
    rows.push_back({{"destination", destination}, {"entries", sum.entries}, {"recipients", sum.recipients}, {"octets", sum.octets},
                    {"held", sum.held}, {"due", sum.due}, {"oldest", rfc3339(sum.oldest)}, {"why", trouble(context, {destination, ""})}});
  }
  auto left_out = order.size() - rows.size();
  co_return json{{"ok", true}, {"rows", std::move(rows)}, {"left_out", left_out}};
}

io::Task<json> show(Context& context, json request) {
  auto ids = read_queue_ids(request);
  if (!ids) co_return failure(ids.error().text);
  if (ids->size() != 1) co_return failure("one entry can be shown; `postern queue list` shows their ids");
  auto id = ids->front();
  auto entry = co_await context.store->queue_entry(id);
  if (!entry) co_return failure(entry.error().text);
  if (!*entry) co_return failure("no entry " + std::to_string(id) + " in the queue");
  auto row = described(context, **entry);
  auto text = co_await context.store->read(**entry, 0, kShown);
  row["text"] = text ? *text : "(" + text.error().text + ")";
  row["cut"] = (*entry)->size() > kShown;
  co_return json{{"ok", true}, {"rows", json::array({row})}};
}

}  // namespace

json described_entry(const Context& context, const QueueEntry& entry) { return described(context, entry); }

io::Task<json> run_queue_command(Context& context, json request) {
  std::string command = request.value("command", "");
  auto filter = read_queue_filter(request);
  if (!filter) co_return failure(filter.error().text);
  json answer;
  if (command == "queue list") answer = co_await list(context, std::move(request), std::move(*filter));
  else if (command == "queue summary") answer = co_await summary(context, std::move(*filter));
  else if (command == "queue show") answer = co_await show(context, std::move(request));
  else answer = co_await change_queue(context, std::move(request), std::move(*filter));
  co_return answer;
}

}  // namespace postern::admin
