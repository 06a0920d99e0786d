// The facts that a test gives: what DNS, signatures, scanner and parser would have found.
#include "filters/lua/test_facts.h"

#include <algorithm>

#include "filters/lua/bind_facts.h"
#include "filters/lua/test_table.h"

namespace postern::filters::lua {
namespace {

constexpr auto kSpf = {SpfResult::none, SpfResult::neutral, SpfResult::pass, SpfResult::fail, SpfResult::softfail, SpfResult::temperror, SpfResult::permerror};
constexpr auto kDkim = {DkimResult::none, DkimResult::pass, DkimResult::fail, DkimResult::policy, DkimResult::neutral, DkimResult::temperror, DkimResult::permerror};
constexpr auto kDmarc = {DmarcResult::none, DmarcResult::pass, DmarcResult::fail, DmarcResult::temperror, DmarcResult::permerror};
constexpr auto kArc = {ArcResult::none, ArcResult::pass, ArcResult::fail, ArcResult::temperror};
constexpr auto kPolicy = {DmarcPolicy::none, DmarcPolicy::quarantine, DmarcPolicy::reject};

DkimSignature read_signature(lua_State* lua, int at) {
  only(lua, at, "given.dkim", {"result", "domain", "selector", "problem"});
  DkimSignature signature;
  signature.result = word(lua, "dkim.result", text(lua, at, "result").value_or("pass"), kDkim);
  signature.domain = text(lua, at, "domain").value_or("sender.example");
  signature.selector = text(lua, at, "selector").value_or("s");
  signature.problem = text(lua, at, "problem").value_or("");
  return signature;
}

}  // namespace

void read_spf(lua_State* lua, int given, TestCase& test) {
  test.spf.domain = test.sender.address.substr(test.sender.address.rfind('@') + 1);
  if (!field(lua, given, "spf")) return;
  int at = lua_gettop(lua);
  if (lua_type(lua, at) == LUA_TSTRING) {
    test.spf.result = word(lua, "spf", view(lua, at), kSpf);
  } else {
    only(lua, at, "given.spf", {"result", "domain", "explanation", "problem"});
    test.spf.result = word(lua, "spf.result", text(lua, at, "result").value_or("none"), kSpf);
    test.spf.domain = text(lua, at, "domain").value_or(test.spf.domain);
    test.spf.explanation = text(lua, at, "explanation").value_or("");
    test.spf.problem = text(lua, at, "problem").value_or("");
  }
  lua_pop(lua, 1);
}

void read_dkim(lua_State* lua, int given, TestCase& test) {
  if (!field(lua, given, "dkim")) return;
  int at = lua_gettop(lua);
  if (lua_type(lua, at) == LUA_TSTRING) {
    DkimSignature signature;
    signature.result = word(lua, "dkim", view(lua, at), kDkim);
    signature.domain = "sender.example";
    signature.selector = "s";
    if (signature.result != DkimResult::none) test.dkim.signatures.push_back(std::move(signature));
  } else if (lua_type(lua, at) == LUA_TTABLE && lua_rawlen(lua, at) > 0) {
    for (lua_Integer i = 1; lua_rawgeti(lua, at, i) == LUA_TTABLE; ++i) {
      test.dkim.signatures.push_back(read_signature(lua, lua_gettop(lua)));
      lua_pop(lua, 1);
    }
    lua_pop(lua, 1);
  } else {
    test.dkim.signatures.push_back(read_signature(lua, at));
  }
  lua_pop(lua, 1);
}

void read_dmarc(lua_State* lua, int given, TestCase& test) {
  test.dmarc.domain = "sender.example";
  if (!field(lua, given, "dmarc")) return;
  int at = lua_gettop(lua);
  if (lua_type(lua, at) == LUA_TSTRING) {
    test.dmarc.result = word(lua, "dmarc", view(lua, at), kDmarc);
  } else {
    only(lua, at, "given.dmarc", {"result", "policy", "domain", "record_domain", "problem"});
    test.dmarc.result = word(lua, "dmarc.result", text(lua, at, "result").value_or("none"), kDmarc);
    test.dmarc.policy = test.dmarc.published = word(lua, "dmarc.policy", text(lua, at, "policy").value_or("none"), kPolicy);
    test.dmarc.domain = text(lua, at, "domain").value_or("sender.example");
    test.dmarc.record_domain = text(lua, at, "record_domain").value_or(test.dmarc.record_domain);
    test.dmarc.problem = text(lua, at, "problem").value_or("");
  }
  lua_pop(lua, 1);
}

// A result, of one sealer; or { result, sealers, saw, problem }: what the first sealer saw, as Authentication-Results has it.
void read_arc(lua_State* lua, int given, TestCase& test) {
  if (!field(lua, given, "arc")) return;
  int at = lua_gettop(lua);
  std::vector<std::string> sealers = {"lists.example"};
  std::string saw;
  if (lua_type(lua, at) == LUA_TSTRING) {
    test.arc.result = word(lua, "arc", view(lua, at), kArc);
  } else {
    only(lua, at, "given.arc", {"result", "sealers", "saw", "problem"});
    test.arc.result = word(lua, "arc.result", text(lua, at, "result").value_or("pass"), kArc);
    test.arc.problem = text(lua, at, "problem").value_or("");
    saw = text(lua, at, "saw").value_or("");
    if (auto given_sealers = texts(lua, at, "sealers"); !given_sealers.empty()) sealers = std::move(given_sealers);
  }
  for (auto& sealer : sealers) {
    if (test.arc.result == ArcResult::none) break;
    ArcSet set;
    set.instance = static_cast<unsigned>(test.arc.sets.size() + 1);
    set.domain = set.signing_domain = std::move(sealer);
    set.covers_all = true;
    if (set.instance == 1) set.results = mail::parse_authres_payload(set.domain + "; " + saw);
    test.arc.sets.push_back(std::move(set));
  }
  lua_pop(lua, 1);
}

// scanner = "clean", "off", "Name-Of-Signature", { limit = "what" } or { error = "why" }
void read_scanner(lua_State* lua, int table, TestCase& test) {
  test.virus.state = Virus::State::clean;
  if (!field(lua, table, "scanner")) return;
  int at = lua_gettop(lua);
  if (lua_type(lua, at) == LUA_TSTRING) {
    std::string_view given = view(lua, at);
    if (given == "off") {
      test.virus.state = Virus::State::off;
    } else if (given != "clean") {
      test.virus.state = Virus::State::found;
      test.virus.name = given;
    }
  } else {
    only(lua, at, "scanner", {"error", "found", "limit"});
    if (auto found = text(lua, at, "found")) {
      test.virus.state = Virus::State::found;
      test.virus.name = *found;
    } else if (auto limit = text(lua, at, "limit")) {
      test.virus.state = Virus::State::limit;
      test.virus.problem = *limit;
    } else {
      test.virus.state = Virus::State::error;
      test.virus.problem = text(lua, at, "error").value_or("not scanned");
    }
  }
  lua_pop(lua, 1);
}

// Texts, or tables with the fields that a rule sees.
void read_links(lua_State* lua, int given, TestCase& test) {
  if (field(lua, given, "links")) {
    for (lua_Integer i = 1; lua_rawgeti(lua, -1, i) != LUA_TNIL; ++i) {
      Link link;
      int at = lua_gettop(lua);
      if (lua_isstring(lua, at) != 0) {
        link.url = view(lua, at);
      } else {
        only(lua, at, "a link", {"url", "host", "text", "domain", "signs", "inside"});
        link.domain = text(lua, at, "domain").value_or("");
        link.inside = flag(lua, at, "inside");
        for (const auto& word : texts(lua, at, "signs")) {
          const auto& known = link_sign_words();
          auto found = std::find(known.begin(), known.end(), word);
          if (found == known.end()) raise(lua, "\"" + printable(word, 40) + "\" is no sign of a link" + did_you_mean(word, known));
          link.signs.push_back(*found);
        }
        link.url = text(lua, at, "url").value_or("");
        link.text = text(lua, at, "text").value_or("");
        link.host = text(lua, at, "host").value_or("");
      }
      if (link.host.empty()) {
        auto begin = link.url.find("//");
        begin = begin == std::string::npos ? 0 : begin + 2;
        link.host = ascii_lowered(link.url.substr(begin, link.url.find_first_of("/?#:", begin) - begin));
      }
      test.links.push_back(std::move(link));
      lua_pop(lua, 1);
    }
    lua_pop(lua, 2);
  }
  if (field(lua, given, "attachments")) {
    for (lua_Integer i = 1; lua_rawgeti(lua, -1, i) != LUA_TNIL; ++i) {
      Attachment attachment;
      int at = lua_gettop(lua);
      attachment.type = "application/octet-stream";
      if (lua_isstring(lua, at) != 0) {
        attachment.name = view(lua, at);
      } else {
        only(lua, at, "an attachment", {"name", "type", "size"});
        attachment.name = text(lua, at, "name").value_or("");
        attachment.type = text(lua, at, "type").value_or(attachment.type);
        attachment.size = parse_number(text(lua, at, "size").value_or("0")).value_or(0);
      }
      test.attachments.push_back(std::move(attachment));
      lua_pop(lua, 1);
    }
    lua_pop(lua, 2);
  }
}

// Names, or tables with the fields that a rule sees; of signs the words are enough.
void read_files(lua_State* lua, int given, TestCase& test) {
  if (!field(lua, given, "files")) return;
  for (lua_Integer i = 1; lua_rawgeti(lua, -1, i) != LUA_TNIL; ++i) {
    File file;
    int at = lua_gettop(lua);
    file.type = "application/octet-stream";
    file.kind = "unknown";
    if (lua_isstring(lua, at) != 0) {
      file.name = view(lua, at);
    } else {
      only(lua, at, "a file", {"name", "type", "size", "kind", "signs", "inside", "links", "problem"});
      file.name = text(lua, at, "name").value_or("");
      file.type = text(lua, at, "type").value_or(file.type);
      file.size = parse_number(text(lua, at, "size").value_or("0")).value_or(0);
      file.kind = text(lua, at, "kind").value_or(file.kind);
      file.inside = texts(lua, at, "inside");
      file.links = texts(lua, at, "links");
      file.problem = text(lua, at, "problem").value_or("");
      for (auto& word : texts(lua, at, "signs")) {
        const auto& known = file_sign_words();
        if (std::find(known.begin(), known.end(), word) == known.end()) {
          raise(lua, "\"" + printable(word, 40) + "\" is no sign of a file" + did_you_mean(word, known));
        }
        file.signs.emplace_back(std::move(word), "");
      }
    }
    test.files.all.push_back(std::move(file));
    lua_pop(lua, 1);
  }
  lua_pop(lua, 2);
}

// signs = { no_date = true, to_count = 12 }
void read_signs(lua_State* lua, int given, TestCase& test) {
  if (!field(lua, given, "signs")) return;
  int at = lua_gettop(lua);
  only(lua, at, "given.signs", sign_words());
  for (lua_pushnil(lua); lua_next(lua, at) != 0; lua_pop(lua, 1)) {
    bool number = lua_type(lua, -1) == LUA_TNUMBER;
    if (!number && !lua_isboolean(lua, -1)) raise(lua, std::string("given.signs.") + lua_tostring(lua, -2) + " is true, false or a number");
    test.signs[lua_tostring(lua, -2)] = number ? lua_tonumber(lua, -1) : lua_toboolean(lua, -1) != 0 ? 1 : 0;
  }
  lua_pop(lua, 1);
}

}  // namespace postern::filters::lua
