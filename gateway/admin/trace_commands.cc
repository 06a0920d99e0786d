// `why` and `trace`: rows of the trace as answers.
#include "gateway/admin/trace_commands.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "gateway/admin/queue_commands.h"
#include "gateway/base/id.h"
#include "gateway/base/text.h"
#include "gateway/config/config.h"
#include "gateway/store/store.h"
#include "gateway/store/trace_search.h"

namespace postern::admin {
namespace {

using nlohmann::json;

constexpr std::size_t kMostEvents = 5000;    // of one message that are shown
constexpr std::size_t kMostQueued = 20;      // entries of the queue that are looked up
constexpr std::uint64_t kMostLines = 10'000; // of one search

json row_of(const store::TraceLine& line) {
  auto number = id_number(line.id);
  json row{{"id", line.id},
           {"time", number ? rfc3339(time_of_id(*number)) : ""},
           {"what", line.session ? "session" : "message"},
           {"verdict", line.verdict},
           {"score", line.score},
           {"from", line.sender},
           {"to", line.recipients},
           {"recipients", line.all_recipients},
           {"subject", line.subject},
           {"ip", line.ip ? line.ip->to_string() : ""},
           {"message_id", line.message_id},
           {"size", line.size},
           {"reply", line.reply}};
  row["author"] = line.author.empty() ? line.sender : line.author;
  row["login"] = line.login;
  return row;
}

// With milliseconds: what happens in one second has an order.
std::string precisely(Time time) {
  auto text = rfc3339(time);
  char digits[8];
  std::snprintf(digits, sizeof digits, ".%03d", static_cast<int>(time.time_since_epoch().count() / 1000 % 1000));
  return text.insert(text.size() - 1, digits);
}

// "stored" names a list of copies and of entries: what stands behind one belongs to it.
json stored_event(const store::TraceEvent& event) {
  json copies = json::array(), entries = json::array(), out = json::object();
  for (const auto& [name, value] : event.fields) {
    if (name == "account") copies.push_back({{"account", value}});
    else if (name == "entry") entries.push_back({{"entry", value}});
    else if (name == "destination" && !entries.empty()) entries.back()[name] = value;
    else if ((name == "mailbox" || name == "uid") && !copies.empty()) copies.back()[name] = value;
    else out[name] = value;
  }
  out["copies"] = std::move(copies);
  out["queued"] = std::move(entries);
  return out;
}

json event_of(const store::TraceEvent& event) {
  json out = json::object();
  if (event.kind == "stored") {
    out = stored_event(event);
  } else {
    for (const auto& [name, value] : event.fields) {
      if (!out.contains(name)) out[name] = value;
      else if (out[name].is_array()) out[name].push_back(value);
      else out[name] = json::array({out[name], value});
    }
  }
  out["event"] = event.kind;
  return out;
}

io::Task<Result<json>> events_of(store::Store& store, std::string id) {
  auto prefix = store::trace_events_prefix(id);
  auto rows = co_await store.scan(prefix, prefix, kMostEvents);
  if (!rows) co_return rows.error();
  json out = json::array();
  for (const auto& row : *rows) {
    auto time = store::time_of_trace_event(row.key);
    auto event = store::decode_trace_event(*row.value);
    if (!time || !event) continue;
    auto shown = event_of(*event);
    shown["time"] = precisely(*time);
    out.push_back(std::move(shown));
  }
  co_return std::move(out);
}

// Refusals of the session that brought a message are of it, or of none: those of other messages are left out.
io::Task<Result<json>> with_session(store::Store& store, json events, std::string session, std::string id) {
  auto more = co_await events_of(store, session);
  if (!more) co_return more.error();
  std::multimap<std::string, json> by_time;
  for (auto& event : *more) {
    if (event.value("message", "") != id) continue;
    event["session"] = session;
    by_time.emplace(event.value("time", ""), std::move(event));
  }
  for (auto& event : events) by_time.emplace(event.value("time", ""), std::move(event));
  json out = json::array();
  for (auto& [time, event] : by_time) out.push_back(std::move(event));
  co_return std::move(out);
}

// Of a session: the messages that it brought, out of its events.
json take_messages(json& events) {
  json messages = json::array(), rest = json::array();
  for (auto& event : events) {
    if (event.value("event", "") == "message") messages.push_back(event.value("id", ""));
    else rest.push_back(std::move(event));
  }
  events = std::move(rest);
  return messages;
}

io::Task<json> still_queued(Context& context, json events) {
  json out = json::array();
  std::set<std::string> asked;
  for (const auto& event : events) {
    if (!event.contains("queued")) continue;
    for (const auto& each : event["queued"]) {
      auto id = parse_number(each.value("entry", ""));
      if (!id || asked.size() >= kMostQueued || !asked.insert(each.value("entry", "")).second) continue;
      auto entry = co_await context.store->queue_entry(*id);
      if (entry && *entry) out.push_back(described_entry(context, **entry));
    }
  }
  co_return out;
}

io::Task<json> why_id(Context& context, std::string id) {
  auto& store = *context.store;
  auto judged = co_await store.get(store::trace_key(id));
  auto line = co_await store.get(store::trace_line_key(*id_number(id)));
  auto events = co_await events_of(store, id);
  for (const auto* failed : {judged ? nullptr : &judged.error(), line ? nullptr : &line.error(), events ? nullptr : &events.error()}) {
    if (failed != nullptr) co_return failure(failed->text);
  }
  auto messages = take_messages(*events);
  if (!*judged && !*line && events->empty() && messages.empty()) {
    co_return failure(id + ": nothing is known of it (any more): no message and no refusal has this id");
  }
  auto known = *line ? store::decode_trace_line(**line) : std::nullopt;
  json out{{"ok", true}, {"id", id}};
  bool session = known ? known->session : !*judged && !messages.empty();
  out["what"] = session ? "session" : "message";
  out["line"] = known ? row_of(*known) : json();
  out["judged"] = *judged ? json::parse(**judged, nullptr, false) : json();
  if (out["judged"].is_discarded()) out["judged"] = json();
  auto of_session = out["judged"].is_object() ? out["judged"].value("session", "") : "";
  if (!of_session.empty()) {
    auto all = co_await with_session(store, std::move(*events), of_session, id);
    if (!all) co_return failure(all.error().text);
    events = std::move(all);
  }
  out["queue"] = co_await still_queued(context, *events);
  out["events"] = std::move(*events);
  out["messages"] = std::move(messages);
  co_return out;
}

io::Task<json> search(Context& context, store::TraceQuery query) {
  if (auto wrong = store::unfit(query)) co_return failure(wrong->text);
  auto found = co_await store::search_traces(*context.store, std::move(query));
  if (!found) co_return failure(found.error().text);
  json out{{"ok", true}, {"more", found->more}};
  if (found->looked_back_to != Time{}) out["looked_back_to"] = rfc3339(found->looked_back_to);
  auto& rows = out["rows"] = json::array();
  for (const auto& line : found->lines) rows.push_back(row_of(line));
  co_return out;
}

Time oldest(const Context& context) { return Clock::system().now() - std::chrono::hours(24) * (context.config->trace.days + 1); }

io::Task<json> why(Context& context, std::string asked) {
  if (auto id = id_as_meant(asked)) {
    auto out = co_await why_id(context, std::move(*id));
    co_return out;
  }
  if (asked.find('@') == std::string::npos) co_return failure(printable(asked, 100) + ": an id has 13 letters and digits; a Message-ID has an @");
  store::TraceQuery query;
  query.message_id = asked;
  query.since = oldest(context);
  query.limit = 20;
  auto found = co_await search(context, std::move(query));
  if (!found.value("ok", false)) co_return found;
  if (found["rows"].empty()) co_return failure(printable(asked, 100) + ": no message with this Message-ID is known (any more)");
  if (found["rows"].size() == 1) {
    auto out = co_await why_id(context, found["rows"][0]["id"].get<std::string>());
    co_return out;
  }
  co_return json{{"ok", true}, {"lines", found["rows"]}};
}

io::Task<json> trace(Context& context, json request) {
  store::TraceQuery query;
  query.from = request.value("from", "");
  query.to = request.value("to", "");
  query.subject = request.value("subject", "");
  query.message_id = request.value("message_id", "");
  query.limit = std::min(request.value("limit", std::uint64_t{100}), kMostLines);
  std::string ip = request.value("ip", "");
  if (!ip.empty()) {
    query.ip = Network::parse(ip);
    if (!query.ip) co_return failure("--ip " + printable(ip, 60) + ": no address or network such as 192.0.2.7 or 192.0.2.0/24");
  }
  auto time = [&](const char* name) { return Time(std::chrono::milliseconds(request.value(name, std::int64_t{0}))); };
  query.since = std::max(time("since"), oldest(context));
  query.until = time("until");
  auto out = co_await search(context, std::move(query));
  co_return out;
}

}  // namespace

io::Task<json> run_trace_command(Context& context, json request) {
  json out;
  if (request.value("command", "") == "why") out = co_await why(context, request.value("id", ""));
  else out = co_await trace(context, std::move(request));
  co_return out;
}

}  // namespace postern::admin
