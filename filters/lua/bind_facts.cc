// What facts look like in rules.
#include "filters/lua/bind_facts.h"

#include <array>
#include <set>

#include "filters/attachment_sign.h"
#include "filters/link_signs.h"
#include "filters/lua/bind.h"
#include "gateway/base/text.h"

namespace postern::filters::lua {
namespace {

void set(lua_State* lua, const char* field, std::string_view value) {
  push(lua, value);
  lua_setfield(lua, -2, field);
}
void set_flag(lua_State* lua, const char* field, bool value) {
  lua_pushboolean(lua, value ? 1 : 0);
  lua_setfield(lua, -2, field);
}

}  // namespace

io::Task<void> fetch_reputation(Scene& scene) {
  const Reputation* found = co_await scene.connection->reputation();
  scene.reputation = found;
}
io::Task<void> fetch_spf(Scene& scene) {
  const Spf* found = co_await scene.message->spf();
  scene.spf = found;
}
io::Task<void> fetch_dkim(Scene& scene) {
  const Dkim* found = co_await scene.message->dkim();
  scene.dkim = found;
}
io::Task<void> fetch_dmarc(Scene& scene) {
  const Dmarc* found = co_await scene.message->dmarc();
  scene.dmarc = found;
}
io::Task<void> fetch_virus(Scene& scene) {
  const Virus* found = co_await scene.message->virus();
  scene.virus = found;
}

io::Task<void> fetch_files(Scene& scene) {
  const Files* found = co_await scene.message->files();
  scene.files = found;
}

void push_list(lua_State* lua, const std::vector<std::string>& values, const char* what) {
  lua_createtable(lua, static_cast<int>(values.size()), 0);
  lua_Integer at = 0;
  for (const auto& value : values) {
    push(lua, value);
    lua_rawseti(lua, -2, ++at);
  }
  freeze(lua, what, {}, true);
}

void push_spf(lua_State* lua, const Spf& spf) {
  lua_newtable(lua);
  set(lua, "result", name(spf.result));
  set(lua, "domain", spf.domain);
  set(lua, "explanation", spf.explanation);
  set(lua, "problem", spf.problem);
  set(lua, "mechanism", spf.mechanism);
  freeze(lua, "mail.spf", {});
}

// A list of signatures that also says what they come to together.
void push_dkim(lua_State* lua, const Dkim& dkim) {
  lua_newtable(lua);
  bool pass = false;
  std::vector<std::string> domains;
  lua_Integer at = 0;
  for (const auto& signature : dkim.signatures) {
    lua_newtable(lua);
    set(lua, "result", name(signature.result));
    set(lua, "domain", signature.domain);
    set(lua, "selector", signature.selector);
    set(lua, "identity", signature.identity);
    set(lua, "algorithm", signature.algorithm);
    set(lua, "problem", signature.problem);
    freeze(lua, "a signature of mail.dkim", {});
    lua_rawseti(lua, -2, ++at);
    if (signature.result == DkimResult::pass) {
      pass = true;
      domains.push_back(ascii_lowered(signature.domain));
    }
  }
  std::string_view result = pass ? "pass" : dkim.signatures.empty() ? "none" : dkim.temporary() ? "temperror" : "fail";
  set(lua, "result", result);
  push_list(lua, domains, "mail.dkim.domains");
  lua_setfield(lua, -2, "domains");
  freeze(lua, "mail.dkim", {}, true);
}

void push_dmarc(lua_State* lua, const Dmarc& dmarc) {
  lua_newtable(lua);
  set(lua, "result", name(dmarc.result));
  set(lua, "policy", name(dmarc.policy));
  set(lua, "published", name(dmarc.published));
  set(lua, "domain", dmarc.domain);
  set(lua, "record_domain", dmarc.record_domain);
  set_flag(lua, "spf_aligned", dmarc.spf_aligned);
  set_flag(lua, "dkim_aligned", dmarc.dkim_aligned);
  set(lua, "problem", dmarc.problem);
  freeze(lua, "mail.dmarc", {});
}

void push_virus(lua_State* lua, const Virus& virus) {
  static constexpr std::array<std::string_view, 5> kStates = {"off", "clean", "found", "limit", "error"};
  lua_newtable(lua);
  set(lua, "state", kStates[static_cast<std::size_t>(virus.state)]);
  set(lua, "name", virus.name);
  set(lua, "problem", virus.problem);
  freeze(lua, "mail.virus", {});
}

// Without those that lists decide: rules ask the lists.
const std::vector<std::string_view>& link_sign_words() {
  static const auto kWords = [] {
    std::vector<std::string_view> out;
    for (std::size_t i = 0; i < static_cast<std::size_t>(LinkSign::count_); ++i) {
      auto sign = static_cast<LinkSign>(i);
      if (sign != LinkSign::shortener && sign != LinkSign::redirector && sign != LinkSign::free_hosting) out.push_back(name(sign));
    }
    return out;
  }();
  return kWords;
}

std::string_view link_sign_reason(std::string_view word) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(LinkSign::count_); ++i) {
    if (name(static_cast<LinkSign>(i)) == word) return says(static_cast<LinkSign>(i));
  }
  return "";
}

void push_links(lua_State* lua, const std::vector<Link>& links) {
  lua_newtable(lua);
  lua_Integer at = 0;
  for (const auto& link : links) {
    lua_newtable(lua);
    set(lua, "url", link.url);
    set(lua, "host", link.host);
    set(lua, "text", link.text);
    set(lua, "domain", link.domain);
    set_flag(lua, "inside", link.inside);
    lua_createtable(lua, 0, static_cast<int>(link.signs.size()));
    for (auto word : link.signs) {
      push(lua, word);
      lua_pushboolean(lua, 1);
      lua_rawset(lua, -3);
    }
    freeze_words(lua, "signs of a link", link_sign_words());
    lua_setfield(lua, -2, "signs");
    freeze(lua, "a link", {});
    lua_rawseti(lua, -2, ++at);
  }
  freeze(lua, "mail.links", {}, true);
}

void push_attachments(lua_State* lua, const std::vector<Attachment>& attachments) {
  lua_newtable(lua);
  lua_Integer at = 0;
  for (const auto& attachment : attachments) {
    lua_newtable(lua);
    set(lua, "name", attachment.name);
    set(lua, "type", attachment.type);
    lua_pushinteger(lua, static_cast<lua_Integer>(attachment.size));
    lua_setfield(lua, -2, "size");
    freeze(lua, "an attachment", {});
    lua_rawseti(lua, -2, ++at);
  }
  freeze(lua, "mail.attachments", {}, true);
}

// Of all signs that there are; the list lives as long as the program, for freeze_words().
const std::vector<std::string_view>& file_sign_words() {
  static const auto kWords = [] {
    std::vector<std::string_view> out;
    for (std::size_t i = 0; i < kSigns; ++i) out.push_back(name(static_cast<Sign>(i)));
    return out;
  }();
  return kWords;
}

std::string_view file_sign_reason(std::string_view word) {
  for (std::size_t i = 0; i < kSigns; ++i) {
    if (name(static_cast<Sign>(i)) == word) return reason(static_cast<Sign>(i));
  }
  return "";
}

namespace {

void push_signs(lua_State* lua, const std::vector<std::pair<std::string, std::string>>& signs, const char* what) {
  lua_createtable(lua, 0, static_cast<int>(signs.size()));
  for (const auto& [word, detail] : signs) set(lua, word.c_str(), detail);
  freeze_words(lua, what, file_sign_words());
}

void push_file(lua_State* lua, const File& file) {
  lua_newtable(lua);
  set(lua, "name", file.name);
  set(lua, "type", file.type);
  lua_pushinteger(lua, static_cast<lua_Integer>(file.size));
  lua_setfield(lua, -2, "size");
  set(lua, "kind", file.kind);
  push_signs(lua, file.signs, "signs of a file");
  lua_setfield(lua, -2, "signs");
  push_list(lua, file.inside, "inside of a file");
  lua_setfield(lua, -2, "inside");
  push_list(lua, file.links, "links of a file");
  lua_setfield(lua, -2, "links");
  set(lua, "problem", file.problem);
  freeze(lua, "a file", {});
}

}  // namespace

// A list that also says what all of them show together; of a sign in several the first one's detail.
void push_files(lua_State* lua, const Files& files) {
  lua_newtable(lua);
  std::vector<std::pair<std::string, std::string>> signs;
  std::set<std::string_view> seen;
  std::string_view problem;
  lua_Integer at = 0;
  for (const auto& file : files.all) {
    push_file(lua, file);
    lua_rawseti(lua, -2, ++at);
    for (const auto& sign : file.signs) {
      if (seen.insert(sign.first).second) signs.push_back(sign);
    }
    if (problem.empty()) problem = file.problem;
  }
  push_signs(lua, signs, "mail.files.signs");
  lua_setfield(lua, -2, "signs");
  set(lua, "problem", problem);
  freeze(lua, "mail.files", {}, true);
}

void push_hits(lua_State* lua, const std::vector<smtp::Hit>& hits) {
  lua_newtable(lua);
  lua_Integer at = 0;
  for (const auto& hit : hits) {
    if (hit.shadow || hit.off) continue;
    lua_newtable(lua);
    set(lua, "rule", hit.rule);
    set(lua, "stage", smtp::name(hit.stage));
    set(lua, "kind", hit.kind);
    set(lua, "why", hit.why);
    lua_pushnumber(lua, hit.points);
    lua_setfield(lua, -2, "points");
    freeze(lua, "a hit", {});
    lua_rawseti(lua, -2, ++at);
  }
  freeze(lua, "mail.hits", {}, true);
}

// Beside the tables that they describe; tests read each of them for real.
const std::vector<FactInfo>& fact_infos() {
  static const std::vector<FactInfo> kFacts = {
      {"mail.spf",
       {{"result", "\"none\", \"neutral\", \"pass\", \"fail\", \"softfail\"; \"temperror\": DNS gave no answer; \"permerror\": the record is broken."},
        {"domain", "Text: the domain that was asked."},
        {"explanation", "Text: what the domain says to a fail (RFC 7208 6.2), or \"\"."},
        {"problem", "Text: the reason of an error, or \"\"."},
        {"mechanism", "Text: the directive that matched, or \"\"."}}},
      {"mail.dkim",
       {{"result", "\"pass\": one of them passes; \"none\": there is none; \"temperror\": none passes and a key could not be had; else \"fail\"."},
        {"domains", "List: the domains, in lower case, whose signatures pass."}}},
      {"mail.dmarc",
       {{"result", "\"pass\", \"fail\"; \"none\": no policy is published; \"temperror\": something could not be had; \"permerror\": a broken record or From."},
        {"policy", "What the domain asks for when the result is fail, sp= and pct= applied: \"none\", \"quarantine\", \"reject\"."},
        {"published", "The policy as it is published."},
        {"domain", "Text: the domain of From."},
        {"record_domain", "Text: where its record was found, or \"\"."},
        {"spf_aligned", "True: SPF passes for a domain aligned with From."},
        {"dkim_aligned", "True: a signature of a domain aligned with From passes."},
        {"problem", "Text: the reason of an error, or \"\"."}}},
      {"mail.files",
       {{"signs", "Table: what is odd about any of them; the word of a sign leads to a detail for people, or to nil."},
        {"problem", "Text: why not all of them were looked at (a password, a bound, damage, a format), or \"\"."}}},
      {"mail.arc",
       {{"result", "\"none\", \"pass\", \"fail\"; \"temperror\": a key could not be had."},
        {"problem", "Text: why it is no pass, or \"\"."},
        {"sealers", "List: the domains that sealed, the first one first."},
        {"oldest_pass", "Number: nobody has changed what that sealer and those behind it saw; 0: nobody at all."},
        {"rescued_by", "rescued_by(list): the sealer of that list who saw the author pass DMARC, and why; or nil, and why not (RFC 8617 7.2.1)."}}},
      {"mail.virus",
       {{"state", "\"clean\", \"found\", \"limit\": too much to be looked through, \"error\": not scanned, \"off\": there is no scanner by configuration."},
        {"name", "Text: of the signature that was found."},
        {"problem", "Text: why it was not scanned, or a remark."}}},
  };
  return kFacts;
}

const std::map<std::string, std::vector<std::string_view>, std::less<>>& fact_fields() {
  static const auto kFields = [] {
    std::map<std::string, std::vector<std::string_view>, std::less<>> out;
    for (const auto& fact : fact_infos()) {
      auto& names = out[std::string(fact.path)];
      for (const auto& field : fact.fields) names.push_back(field.name);
    }
    out["mail.signs"] = sign_words();
    return out;
  }();
  return kFields;
}

// Of each entry of these lists.
const std::vector<FactInfo>& entry_infos() {
  static const std::vector<FactInfo> kEntries = {
      {"mail.dkim",
       {{"result", "\"pass\", \"fail\", \"policy\": a signature that is not accepted, \"neutral\", \"permerror\"; \"temperror\": the key could not be had."},
        {"domain", "Text: d=."},
        {"selector", "Text: s=."},
        {"identity", "Text: i=."},
        {"algorithm", "Text: \"rsa-sha256\", \"ed25519-sha256\"."},
        {"problem", "Text: why it is no pass."}}},
      {"mail.links",
       {{"url", "Text: the target."}, {"host", "Text: its host, in lower case."}, {"text", "Text: what is shown for a link in HTML, else \"\"."},
        {"domain", "Text: the registrable domain of the host, or \"\"."},
        {"signs", "Table: what is odd about it; the word of a sign leads to true, or to nil."},
        {"inside", "True: it is no link of its own but stands inside of another one, that leads on to it."}}},
      {"mail.attachments",
       {{"name", "Text: the file's name, decoded, or \"\"."}, {"type", "Text: as declared, \"application/pdf\"."}, {"size", "Number: octets, decoded."}}},
      {"mail.files",
       {{"name", "Text: the file's name, decoded, or \"\"."},
        {"type", "Text: as declared, \"application/pdf\"."},
        {"size", "Number: octets."},
        {"kind", "Text: what its octets are, \"pdf\", \"windows_program\", ..., \"unknown\"."},
        {"signs", "Table: what is odd about it and about what lies in it; a sign's word leads to a detail, or to nil."},
        {"inside", "List of the names of what lies in it, at any depth."},
        {"links", "List of the links in documents and pages."},
        {"problem", "Text: why not all of it was looked at, or \"\"."}}},
      {"mail.hits",
       {{"rule", "Text."}, {"stage", "Text."}, {"kind", "\"score\", \"tag\", \"accept\", ..., \"error\"."}, {"why", "Text: the reason."}, {"points", "Number."}}},
  };
  return kEntries;
}

}  // namespace postern::filters::lua
