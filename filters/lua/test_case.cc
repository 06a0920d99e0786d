// Reads the table of a test; every field that is not known is a mistake, or the test would prove less than it says.
#include "filters/lua/test_case.h"

#include <algorithm>

#include "filters/lua/test_facts.h"
#include "filters/lua/test_table.h"
#include "gateway/base/text.h"

namespace postern::filters::lua {
namespace {

constexpr std::int64_t kDefaultClock = 1'795'514'400;  // Tue, 24 Nov 2026 10:00:00 +0000

// --- the message

struct Header {
  std::string name;
  std::string value;
};

void put(std::vector<Header>& fields, const std::string& name, const std::string& value) {
  auto found = std::find_if(fields.begin(), fields.end(), [&name](const Header& one) { return iequals(one.name, name); });
  if (found == fields.end()) {
    fields.push_back({name, value});
  } else {
    found->value = value;
  }
}

// header = { Date = false, ["X-A"] = "text", Received = { "a", "b" } }: false takes a field away.
void read_header(lua_State* lua, int given, std::vector<Header>& fields) {
  if (!field(lua, given, "header")) return;
  int at = lua_gettop(lua);
  if (lua_type(lua, at) != LUA_TTABLE) raise(lua, "given.header is a table");
  std::vector<Header> more;
  for (lua_pushnil(lua); lua_next(lua, at) != 0; lua_pop(lua, 1)) {
    if (lua_type(lua, -2) != LUA_TSTRING) raise(lua, "given.header takes only named fields");
    std::string name = lua_tostring(lua, -2);
    std::erase_if(fields, [&name](const Header& one) { return iequals(one.name, name); });
    if (lua_type(lua, -1) == LUA_TTABLE) {
      for (lua_Integer i = 1; lua_rawgeti(lua, -1, i) != LUA_TNIL; ++i) {
        more.push_back({name, std::string(luaL_checkstring(lua, -1))});
        lua_pop(lua, 1);
      }
      lua_pop(lua, 1);
    } else if (lua_isstring(lua, -1) != 0) {
      more.push_back({name, std::string(view(lua, -1))});
    }
  }
  // By name, because a Lua table has no order.
  std::sort(more.begin(), more.end(), [](const Header& a, const Header& b) { return a.name < b.name; });
  fields.insert(fields.end(), more.begin(), more.end());
  lua_pop(lua, 1);
}

std::string crlf(std::string_view lines) {
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i] == '\n' && (i == 0 || lines[i - 1] != '\r')) out += '\r';
    out += lines[i];
  }
  return out;
}

void read_message(lua_State* lua, int given, TestCase& test) {
  if (auto raw = text(lua, given, "raw")) {
    test.message = crlf(*raw);
    return;
  }
  std::vector<Header> fields = {{"From", test.sender.address.empty() ? "Mailer <mailer@sender.example>" : "Anna <" + test.sender.address + ">"},
                                {"To", test.recipients.front().address},
                                {"Subject", "Hello"},
                                {"Date", rfc5322_date(test.clock)},
                                {"Message-ID", "<1@sender.example>"}};
  for (auto [key, name] : {std::pair<const char*, const char*>{"from", "From"}, {"to", "To"}, {"subject", "Subject"}, {"message_id", "Message-ID"}, {"list_id", "List-Id"}}) {
    if (auto value = text(lua, given, key)) put(fields, name, *value);
  }
  read_header(lua, given, fields);
  for (const auto& one : fields) test.message += one.name + ": " + one.value + "\r\n";
  test.text = text(lua, given, "text");
  test.message += "\r\n" + crlf(test.text.value_or("Hello Ben.\n")) + "\r\n";
  if (auto size = text(lua, given, "size")) {
    auto wanted = parse_octets(*size);
    if (!wanted || *wanted > (64 << 20)) raise(lua, "given.size is a number of octets up to 64 MiB");
    if (*wanted > test.message.size()) test.message.append(*wanted - test.message.size(), ' ');
  }
}

// --- envelope, surroundings

void read_client(lua_State* lua, int given, TestCase& test) {
  auto ip = IpAddress::parse(text(lua, given, "ip").value_or("192.0.2.1"));
  if (!ip) raise(lua, "given.ip is no IP address");
  test.client.ip = *ip;
  test.client.session = "test";
  test.client.esmtp = true;
  test.client.helo = text(lua, given, "helo").value_or("mail.sender.example");
  test.client.tls.version = text(lua, given, "tls").value_or("");
  test.client.login = text(lua, given, "login").value_or("");
  test.client.submission = !test.client.login.empty();
  test.client.trusted = flag(lua, given, "trusted");
  test.client.known = flag(lua, given, "known", true);
  if (auto name = text(lua, given, "name")) {
    test.reputation.name = test.reputation.ptr = *name;
    test.reputation.reverse = name->empty() ? Reputation::Reverse::none : Reputation::Reverse::confirmed;
  }
  if (auto ptr = text(lua, given, "ptr")) {
    test.reputation.ptr = *ptr;
    if (test.reputation.name.empty()) test.reputation.reverse = Reputation::Reverse::unconfirmed;
  }
  test.sender.address = text(lua, given, "sender").value_or("anna@sender.example");
  auto addresses = texts(lua, given, "recipients");
  for (const auto& one : texts(lua, given, "rcpt")) addresses.push_back(one);
  if (addresses.empty()) addresses.emplace_back("ben@example.org");
  auto groups = texts(lua, given, "groups");
  auto senders = std::make_shared<mail::SenderList>();
  for (auto [key, word] : {std::pair("allows", mail::SenderWord::allow), std::pair("blocks", mail::SenderWord::block)}) {
    for (const auto& one : texts(lua, given, key)) {
      auto entry = mail::sender_entry(one);
      if (!entry) raise(lua, std::string("given.") + key + ": " + entry.error().text);
      senders->emplace(*entry, word);
    }
  }
  for (const auto& address : addresses) test.recipients.push_back({address, address, groups, "", true, senders});
}

void read_dns(lua_State* lua, int table, TestCase& test) {
  bool knows_sender = false;
  if (field(lua, table, "dns")) {
    int at = lua_gettop(lua);
    if (lua_type(lua, at) != LUA_TTABLE) raise(lua, "dns is a table: { [\"example.org MX\"] = \"10 mx.example.org\" }");
    for (lua_pushnil(lua); lua_next(lua, at) != 0; lua_pop(lua, 1)) {
      if (lua_type(lua, -2) != LUA_TSTRING) raise(lua, "dns: a question is a text like \"example.org MX\"");
      std::string question = lua_tostring(lua, -2);
      knows_sender = knows_sender || istarts_with(question, "sender.example ");
      lua_pushvalue(lua, -2);
      for (const auto& value : texts(lua, at, question.c_str())) test.dns.emplace_back(question, value);
      lua_pop(lua, 1);
    }
    lua_pop(lua, 1);
  }
  if (!knows_sender) test.dns.emplace_back("sender.example MX", "10 mail.sender.example");
}

// clock = "2026-11-24T10:00:00Z" or seconds since 1970
void read_clock(lua_State* lua, int table, TestCase& test) {
  test.clock = from_unix(kDefaultClock);
  auto given = text(lua, table, "clock");
  if (!given) return;
  if (auto seconds = parse_number(*given)) {
    test.clock = from_unix(static_cast<std::int64_t>(*seconds));
    return;
  }
  unsigned year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  int used = 0;
  int got = std::sscanf(given->c_str(), "%4u-%2u-%2uT%2u:%2u:%2uZ%n", &year, &month, &day, &hour, &minute, &second, &used);
  std::chrono::year_month_day date(std::chrono::year(static_cast<int>(year)), std::chrono::month(month), std::chrono::day(day));
  if (got != 6 || static_cast<std::size_t>(used) != given->size() || !date.ok()) raise(lua, "clock is a time like \"2026-11-24T10:00:00Z\"");
  test.clock = Time(std::chrono::sys_days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second);
}

// before = { remember = { key = true or "value" }, count = { key = { 5, "10m" } } }
void read_before(lua_State* lua, int table, TestCase& test) {
  if (!field(lua, table, "before")) return;
  int before = lua_gettop(lua);
  only(lua, before, "before", {"remember", "count"});
  if (field(lua, before, "remember")) {
    for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) {
      if (lua_type(lua, -2) != LUA_TSTRING) raise(lua, "before.remember: a key is a text");
      test.remembered.emplace_back(lua_tostring(lua, -2), lua_isstring(lua, -1) != 0 ? "=" + std::string(view(lua, -1)) : "");
    }
    lua_pop(lua, 1);
  }
  if (field(lua, before, "count")) {
    for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) {
      if (lua_type(lua, -2) != LUA_TSTRING || lua_type(lua, -1) != LUA_TTABLE) raise(lua, "before.count = { key = { 5, \"10m\" } }");
      TestCase::Counted counted;
      counted.key = lua_tostring(lua, -2);
      lua_rawgeti(lua, -1, 1);
      counted.times = static_cast<std::uint64_t>(luaL_checkinteger(lua, -1));
      lua_rawgeti(lua, -2, 2);
      counted.window = check_span(lua, -1);
      lua_pop(lua, 2);
      test.counted.push_back(std::move(counted));
    }
    lua_pop(lua, 1);
  }
  lua_pop(lua, 1);
}

void read_want(lua_State* lua, int table, TestCase& test) {
  lua_getfield(lua, table, "want");
  int want = lua_gettop(lua);
  only(lua, want, "want", {"verdict", "rule", "score", "folder", "class", "redirect", "journal", "why", "error"});
  test.want.verdict = text(lua, want, "verdict");
  test.want.rule = text(lua, want, "rule");
  test.want.folder = text(lua, want, "folder");
  test.want.quarantine_class = text(lua, want, "class");
  test.want.redirect = text(lua, want, "redirect");
  test.want.journal = text(lua, want, "journal");
  test.want.why = text(lua, want, "why");
  test.want.error = text(lua, want, "error");
  if (field(lua, want, "score")) {
    if (lua_type(lua, -1) != LUA_TNUMBER) raise(lua, "want.score is a number");
    test.want.score = lua_tonumber(lua, -1);
    lua_pop(lua, 1);
  }
  if (test.want.verdict) {
    static const std::vector<std::string_view> kWords = {"ham", "junk", "quarantine", "reject", "defer", "accept", "none"};
    if (std::find(kWords.begin(), kWords.end(), *test.want.verdict) == kWords.end()) {
      raise(lua, "want.verdict is one of ham, junk, quarantine, reject, defer, accept and none, not \"" + printable(*test.want.verdict, 40) + "\"");
    }
  }
  lua_pushnil(lua);
  if (lua_next(lua, want) == 0) raise(lua, "want is empty, so the test would prove nothing");
}

void read_troubles(lua_State* lua, int given, TestCase& test) {
  auto& troubles = test.troubles;
  for (auto [key, into] : {std::pair("sender_held", &troubles.held), std::pair("sender_bounces", &troubles.bounces), std::pair("sender_complaints", &troubles.complaints)}) {
    if (!field(lua, given, key)) continue;
    auto count = luaL_checkinteger(lua, -1);
    if (count < 0) raise(lua, std::string("given.") + key + " is a number of events, 0 or more");
    if (test.client.login.empty()) raise(lua, std::string("given.") + key + " is of users of ours: it needs given.login");
    *into = static_cast<std::uint64_t>(count);
    lua_pop(lua, 1);
  }
}

void read_all(lua_State* lua, TestCase& test) {
  int table = 1;
  read_clock(lua, table, test);
  if (!field(lua, table, "given")) lua_newtable(lua);
  int given = lua_gettop(lua);
  only(lua, given, "given", {"ip", "name", "ptr", "helo", "tls", "login", "trusted", "known", "sender", "recipients", "rcpt", "groups", "allows", "blocks", "subject", "from",
                             "to", "message_id", "list_id", "header", "text", "raw", "size", "spf", "dkim", "dmarc", "arc", "links", "attachments", "files", "signs", "opaque", "score", "sender_held", "sender_bounces", "sender_complaints"});
  read_client(lua, given, test);
  read_message(lua, given, test);
  read_spf(lua, given, test);
  read_dkim(lua, given, test);
  read_dmarc(lua, given, test);
  read_arc(lua, given, test);
  read_links(lua, given, test);
  read_files(lua, given, test);
  read_signs(lua, given, test);
  test.opaque = flag(lua, given, "opaque");
  if (field(lua, given, "score")) {
    test.points = luaL_checknumber(lua, -1);
    lua_pop(lua, 1);
  }
  read_troubles(lua, given, test);
  read_scanner(lua, table, test);
  read_dns(lua, table, test);
  read_before(lua, table, test);
  test.all = flag(lua, table, "all");
  read_want(lua, table, test);
}

}  // namespace

std::optional<TestCase> read_test(State& state, const TestInfo& test, std::string& problem) {
  TestCase out;
  bool good = state.protect(
      [&](lua_State* lua) {
        lua_rawgeti(lua, LUA_REGISTRYINDEX, test.table);
        read_all(lua, out);
      },
      problem);
  if (!good) return std::nullopt;
  return out;
}

}  // namespace postern::filters::lua
