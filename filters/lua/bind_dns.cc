// dns.a aaaa mx txt ptr listed first_listed: questions that a rule waits for.
#include <algorithm>
#include <array>

#include "filters/lua/bind.h"
#include "gateway/base/text.h"
#include "gateway/io/together.h"

namespace postern::filters::lua {
namespace {

constexpr std::size_t kMaxZones = 32;

std::string_view answer_word(dns::Status status) {
  switch (status) {
    case dns::Status::ok: return "ok";
    case dns::Status::nodata: return "nodata";
    case dns::Status::nxdomain: return "nxdomain";
    case dns::Status::servfail:
    case dns::Status::timeout:
    case dns::Status::bad: return "temperror";
  }
  return "temperror";
}

// --- the questions

io::Task<void> ask(Running& run, std::string name, dns::Type type, Deadline deadline) {
  dns::Answer answer = co_await run.scene->outside().resolver->query(std::move(name), type, deadline);
  run.dns_answer = std::move(answer);
}

io::Task<void> ask_list(Scene& scene, Listing& out, std::string what, std::string zone, Deadline deadline) {
  DnsLists& lists = *scene.outside().lists;
  Listing listing = co_await lists.listed(*scene.outside().resolver, std::move(what), std::move(zone), deadline);
  out = std::move(listing);
}

io::Task<void> ask_lists(Running& run, std::string what, std::vector<std::string> zones, Deadline deadline) {
  run.listings.assign(zones.size(), {});
  std::vector<io::Task<void>> questions;
  for (std::size_t i = 0; i < zones.size(); ++i) questions.push_back(ask_list(*run.scene, run.listings[i], what, zones[i], deadline));
  co_await io::together(std::move(questions));
}

Running& begin(lua_State* lua, const char* what, std::size_t questions) {
  Running& run = check_run(lua, what);
  run.scene->dns_questions += static_cast<int>(questions);
  int most = run.state->generation().budgets().dns_questions;
  if (run.scene->dns_questions > most) {
    run.state->stop(run, "more than " + std::to_string(most) + " DNS questions for one message");
    raise(lua, run.stop_reason);
  }
  return run;
}

Deadline deadline_of(const Running& run) { return std::min(in(run.state->generation().budgets().dns_wait), run.scene->stage_ends); }

std::string check_name(lua_State* lua, int index, const char* usage) {
  if (lua_type(lua, index) != LUA_TSTRING) raise(lua, std::string(usage) + ": a " + luaL_typename(lua, index) + " is no name");
  return std::string(view(lua, index));
}

// --- records

std::string json_records(const dns::Answer& answer) {
  if (!answer.ok()) return json_text(answer_word(answer.status));
  std::string out = "[";
  for (const auto& record : answer.records) {
    if (out.size() > 1) out += ",";
    std::string text = record.type == dns::Type::a || record.type == dns::Type::aaaa ? record.address.to_string() : record.text;
    if (record.type == dns::Type::mx) text = std::to_string(record.preference) + " " + text;
    out += json_text(text);
  }
  return out + "]";
}

void push_record(lua_State* lua, const dns::Record& record) {
  if (record.type == dns::Type::a || record.type == dns::Type::aaaa) {
    push(lua, record.address.to_string());
  } else if (record.type == dns::Type::mx) {
    lua_createtable(lua, 0, 2);
    push(lua, record.text);
    lua_setfield(lua, -2, "host");
    lua_pushinteger(lua, record.preference);
    lua_setfield(lua, -2, "preference");
  } else {
    push(lua, record.text);
  }
}

constexpr std::string_view kRecordNames[] = {"A", "AAAA", "MX", "TXT", "PTR"};
constexpr std::size_t place_of(dns::Type type) {
  return type == dns::Type::a ? 0 : type == dns::Type::aaaa ? 1 : type == dns::Type::mx ? 2 : type == dns::Type::txt ? 3 : 4;
}

// A list of what was found; or nil and "nxdomain", "nodata" or "temperror".
template <dns::Type type>
int show_records(lua_State* lua, int, lua_KContext) {
  Running& run = State::running(lua);
  const dns::Answer& answer = run.dns_answer;
  run.scene->record.note(Record::Section::dns, std::string(view(lua, 1)) + " " + std::string(kRecordNames[place_of(type)]), json_records(answer));
  if (!answer.ok() || answer.records.empty()) {
    lua_pushnil(lua);
    push(lua, answer.ok() ? "nodata" : answer_word(answer.status));
    return 2;
  }
  lua_createtable(lua, static_cast<int>(answer.records.size()), 0);
  lua_Integer at = 0;
  for (const auto& record : answer.records) {
    push_record(lua, record);
    lua_rawseti(lua, -2, ++at);
  }
  return 1;
}

template <dns::Type type>
int records(lua_State* lua) {
  std::string name = check_name(lua, 1, "dns: the name of a host or domain is wanted");
  std::string call = "dns." + ascii_lowered(kRecordNames[place_of(type)]) + "(...)";
  Running& run = begin(lua, "dns", 1);
  if constexpr (type == dns::Type::ptr) {
    if (auto address = IpAddress::parse(name)) name = address->ptr_name();
  }
  return wait_for(lua, ask(run, std::move(name), type, deadline_of(run)), call.c_str(), show_records<type>);
}

// --- lists

void note_listing(Scene& scene, std::string_view what, std::string_view zone, const Listing& listing) {
  std::string json = listing.listed() ? "[" : json_text(listing.state == Listing::State::trouble ? "trouble: " + listing.problem : "not listed");
  if (listing.listed()) {
    for (const auto& code : listing.codes) json += (json.size() > 1 ? "," : "") + json_text(code);
    json += "]";
  }
  scene.record.note(Record::Section::dns, std::string(what) + " in " + std::string(zone), std::move(json));
}

// The first code and a list of all of them; nil when not listed; nil and a reason when the list is in trouble.
int show_listed(lua_State* lua, int, lua_KContext) {
  Running& run = State::running(lua);
  const Listing& listing = run.listings.front();
  note_listing(*run.scene, view(lua, 1), view(lua, 2), listing);
  if (!listing.listed()) {
    lua_pushnil(lua);
    if (listing.state != Listing::State::trouble) return 1;
    push(lua, listing.problem);
    return 2;
  }
  push(lua, listing.codes.front());
  lua_createtable(lua, static_cast<int>(listing.codes.size()), 0);
  lua_Integer at = 0;
  for (const auto& code : listing.codes) {
    push(lua, code);
    lua_rawseti(lua, -2, ++at);
  }
  return 2;
}

int listed(lua_State* lua) {
  std::string what = check_name(lua, 1, "dns.listed(address or domain, zone)");
  std::string zone = check_name(lua, 2, "dns.listed(address or domain, zone)");
  Running& run = begin(lua, "dns.listed", 1);
  std::vector<std::string> zones(1, std::move(zone));
  return wait_for(lua, ask_lists(run, std::move(what), std::move(zones), deadline_of(run)), "dns.listed(...)", show_listed);
}

std::vector<std::string> zones_at(lua_State* lua, int index) {
  if (lua_type(lua, index) != LUA_TTABLE) raise(lua, "dns.first_listed(address or domain, { zones }): the zones are a list");
  std::vector<std::string> zones;
  for (lua_Integer i = 1;; ++i) {
    lua_rawgeti(lua, index, i);
    if (lua_isnil(lua, -1)) break;
    if (zones.size() == kMaxZones) raise(lua, "dns.first_listed: more than 32 zones");
    zones.push_back(check_name(lua, -1, "dns.first_listed(address or domain, { zones })"));
    lua_pop(lua, 1);
  }
  lua_pop(lua, 1);
  return zones;
}

// The first zone of the list, in its order, that lists it, and the code; nil when none does.
int show_first_listed(lua_State* lua, int, lua_KContext) {
  Running& run = State::running(lua);
  auto zones = zones_at(lua, 2);
  for (std::size_t i = 0; i < run.listings.size() && i < zones.size(); ++i) note_listing(*run.scene, view(lua, 1), zones[i], run.listings[i]);
  for (std::size_t i = 0; i < run.listings.size() && i < zones.size(); ++i) {
    if (!run.listings[i].listed()) continue;
    push(lua, zones[i]);
    push(lua, run.listings[i].codes.front());
    return 2;
  }
  lua_pushnil(lua);
  return 1;
}

int first_listed(lua_State* lua) {
  std::string what = check_name(lua, 1, "dns.first_listed(address or domain, { zones })");
  auto zones = zones_at(lua, 2);
  if (zones.empty()) {
    lua_pushnil(lua);
    return 1;
  }
  Running& run = begin(lua, "dns.first_listed", zones.size());
  return wait_for(lua, ask_lists(run, std::move(what), std::move(zones), deadline_of(run)), "dns.first_listed(...)", show_first_listed);
}

}  // namespace

void open_dns(lua_State* lua) {
  lua_newtable(lua);
  const std::pair<const char*, lua_CFunction> functions[] = {
      {"a", records<dns::Type::a>}, {"aaaa", records<dns::Type::aaaa>}, {"mx", records<dns::Type::mx>},
      {"txt", records<dns::Type::txt>}, {"ptr", records<dns::Type::ptr>}, {"listed", listed}, {"first_listed", first_listed}};
  for (auto [name, function] : functions) {
    lua_pushcfunction(lua, function);
    lua_setfield(lua, -2, name);
  }
  lua_setfield(lua, -2, "dns");
}

}  // namespace postern::filters::lua
