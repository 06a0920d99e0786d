// conn, mail and rcpt: fields are facts; reading one waits for it.
#include <set>

#include "filters/lua/bind.h"
#include "filters/lua/bind_facts.h"
#include "filters/lua/handle_fields.h"
#include "filters/message_signs.h"
#include "filters/own_lists.h"
#include "filters/source_text.h"
#include "gateway/base/text.h"
#include "gateway/mail/address.h"

namespace postern::filters::lua {
namespace {

using smtp::Stage;

constexpr lua_Unsigned kMaxKept = 32 * 1024;   // octets of a text that a handle keeps

std::string domain_of(std::string_view address) {
  auto at = address.rfind('@');
  return at == std::string_view::npos ? "" : ascii_lowered(address.substr(at + 1));
}

struct Kind {
  const char* metatable;
  const char* word;
  const Named* fields;
  std::size_t count;
};
constexpr Kind kConnectionKind = {kConnection, "conn", kConnectionFields, std::size(kConnectionFields)};
constexpr Kind kMailKind = {kMail, "mail", kMailFields, std::size(kMailFields)};
constexpr Kind kRecipientKind = {kRecipient, "rcpt", kRecipientFields, std::size(kRecipientFields)};

bool needs_body(Field field) { return (field >= Field::subject && field <= Field::hits) || field == Field::allows || field == Field::blocks; }
// These change while the handle lives; the rest is kept in its cache, but for long texts: many messages
// that wait for a scan would fill the state with them.
bool changes(Field field) {
  return field == Field::helo || field == Field::tls || field == Field::recipients || field == Field::size || field == Field::id ||
         field == Field::score || field == Field::hits || field == Field::login;
}

template <const Kind& kind>
int index(lua_State* lua);

template <const Kind& kind>
int again(lua_State* lua, int, lua_KContext) {
  lua_settop(lua, 2);
  return index<kind>(lua);
}

// A text that may be absent: "" then, so that find() and match() on it need no question first.
void push_header(lua_State* lua, const Scene& scene, std::string_view name) {
  const auto* field = scene.header.find(name);
  push(lua, field == nullptr ? "" : mail::readable(field->raw));
}

void push_from(lua_State* lua, const Scene& scene, Field field) {
  const auto* header = scene.header.find("From");
  auto list = header == nullptr ? std::vector<mail::HeaderAddress>() : mail::parse_address_list(header->raw, 2);
  const mail::HeaderAddress* first = nullptr;
  for (const auto& entry : list) {
    if (entry.kind == mail::HeaderAddress::Kind::mailbox && first == nullptr) first = &entry;
  }
  if (first == nullptr) {
    push(lua, "");
  } else if (field == Field::from_name) {
    push(lua, first->display_name());
  } else if (field == Field::from_domain) {
    push(lua, ascii_lowered(first->domain));
  } else {
    push(lua, first->address());
  }
}

void push_to(lua_State* lua, const Scene& scene) {
  std::vector<std::string> addresses;
  for (std::string_view name : {"To", "Cc"}) {
    const auto* header = scene.header.find(name);
    if (header == nullptr) continue;
    for (const auto& entry : mail::parse_address_list(header->raw, 1000)) {
      if (entry.kind == mail::HeaderAddress::Kind::mailbox) addresses.push_back(entry.address());
    }
  }
  push_list(lua, addresses, "mail.to");
}

std::string_view reverse_name(Reputation::Reverse reverse) {
  switch (reverse) {
    case Reputation::Reverse::confirmed: return "confirmed";
    case Reputation::Reverse::unconfirmed: return "unconfirmed";
    case Reputation::Reverse::none: return "none";
    case Reputation::Reverse::temperror: return "temperror";
  }
  return "none";
}

// Pushes the value, or gives false when it has to be waited for (then the task is in `task`).
bool push_connection_field(lua_State* lua, Scene& scene, Field field, io::Task<void>& task) {
  const auto& client = scene.client;
  switch (field) {
    case Field::ip: push(lua, client.ip.to_string()); return true;
    case Field::helo: push(lua, client.helo); return true;
    case Field::tls:
      if (client.tls.version.empty()) {
        lua_pushnil(lua);
      } else {
        push(lua, client.tls.version);
      }
      return true;
    case Field::port: lua_pushinteger(lua, client.port); return true;
    case Field::login:
      if (client.login.empty()) {
        lua_pushnil(lua);
      } else {
        push(lua, client.login);
      }
      return true;
    case Field::trusted: lua_pushboolean(lua, client.trusted ? 1 : 0); return true;
    case Field::known: lua_pushboolean(lua, client.known ? 1 : 0); return true;
    default: break;
  }
  if (scene.reputation == nullptr) {
    task = fetch_reputation(scene);
    return false;
  }
  if (field == Field::reverse) {
    push(lua, reverse_name(scene.reputation->reverse));
  } else {
    push(lua, field == Field::name ? scene.reputation->name : scene.reputation->ptr);
  }
  return true;
}

template <class Fact>
bool push_fact(lua_State* lua, Scene& scene, const Fact* fact, io::Task<void> (*fetch)(Scene&), void (*show)(lua_State*, const Fact&),
               io::Task<void>& task) {
  if (fact == nullptr) {
    task = fetch(scene);
    return false;
  }
  show(lua, *fact);
  return true;
}

// Decoding is of the message: the first rule to ask for it is not to blame.
const Content* decoded(lua_State* lua, Scene& scene) {
  State::Uncharged pause(*State::running(lua).state);
  return scene.message->content();
}

const MessageSigns* found_signs(lua_State* lua, Scene& scene) {
  State::Uncharged pause(*State::running(lua).state);
  return scene.message->signs();
}

bool push_content(lua_State* lua, Scene& scene, Field field, io::Task<void>& task) {
  const Content* content = decoded(lua, scene);
  if (content == nullptr) {
    task = scene.message->decode();
    return false;
  }
  if (!content->problem.empty()) raise(lua, "the message cannot be decoded: " + content->problem);
  if (field == Field::text) {
    push(lua, content->text);
  } else if (field == Field::paragraphs) {
    const auto* subject = scene.header.find("Subject");
    push(lua, paragraphs_of(subject == nullptr ? "" : mail::readable(subject->raw), content->text));
  } else if (field == Field::links) {
    push_links(lua, content->links);
  } else if (field == Field::signs || field == Field::language) {
    const MessageSigns* signs = found_signs(lua, scene);
    if (signs == nullptr) {
      task = scene.message->find_signs();
      return false;
    }
    if (field == Field::signs) push_message_signs(lua, *signs);
    else push(lua, signs->text.language.code);
  } else if (field == Field::opaque) {
    lua_pushboolean(lua, content->opaque || scene.header.truncated() ? 1 : 0);
  } else {
    push_attachments(lua, content->attachments);
  }
  return true;
}

// The message in the forms that patterns of other filters are written for; bounded, so made on the loop.
void push_source(lua_State* lua, Scene& scene, Field field) {
  std::string text;
  {
    State::Uncharged pause(*State::running(lua).state);
    std::string_view octets = scene.message->octets().view();
    text = field == Field::raw_text        ? raw_text_of(octets)
           : field == Field::source        ? source_of(octets)
           : field == Field::header_text   ? header_text_of(scene.header)
           : field == Field::header_source ? header_source_of(octets)
                                           : part_headers_of(octets);
  }
  push(lua, text);
}

// 0 for mail that comes in: of strangers nothing is counted.
void push_trouble(lua_State* lua, Scene& scene, Field field) {
  const auto* ask = scene.outside().sender_troubles;
  bool known = ask != nullptr && *ask && !scene.client.login.empty();
  auto found = known ? (*ask)(scene.client.login) : SenderTroubles();
  auto [name, count] = field == Field::sender_held      ? std::pair("sender_held", found.held)
                       : field == Field::sender_bounces ? std::pair("sender_bounces", found.bounces)
                                                        : std::pair("sender_complaints", found.complaints);
  scene.record.note(Record::Section::fact, name, std::to_string(count));
  lua_pushinteger(lua, static_cast<lua_Integer>(count));
}

bool push_mail_field(lua_State* lua, Scene& scene, Field field, io::Task<void>& task) {
  switch (field) {
    case Field::conn: lua_rawgeti(lua, LUA_REGISTRYINDEX, scene.connection_handle(lua)); return true;
    case Field::sender: push(lua, scene.sender.address); return true;
    case Field::sender_domain: push(lua, domain_of(scene.sender.address)); return true;
    case Field::sender_held:
    case Field::sender_bounces:
    case Field::sender_complaints: push_trouble(lua, scene, field); return true;
    case Field::recipients: {
      std::vector<std::string> addresses;
      std::set<std::string_view> seen;   // as in RCPT, whomever an alias leads to
      for (const auto& recipient : scene.recipients) {
        if (seen.insert(recipient.rcpt()).second) addresses.push_back(recipient.rcpt());
      }
      push_list(lua, addresses, "mail.recipients");
      return true;
    }
    case Field::size:
      lua_pushinteger(lua, static_cast<lua_Integer>(scene.has_body ? scene.message->octets().size() : scene.sender.declared_size));
      return true;
    case Field::id: push(lua, scene.id); return true;
    case Field::subject: push_header(lua, scene, "Subject"); return true;
    case Field::list_id: push_header(lua, scene, "List-Id"); return true;
    case Field::message_id: push_header(lua, scene, "Message-ID"); return true;
    case Field::from:
    case Field::from_name:
    case Field::from_domain: push_from(lua, scene, field); return true;
    case Field::to: push_to(lua, scene); return true;
    case Field::header: lua_rawgeti(lua, LUA_REGISTRYINDEX, scene.header_handle(lua)); return true;
    case Field::text:
    case Field::links:
    case Field::attachments:
    case Field::signs:
    case Field::language:
    case Field::paragraphs:
    case Field::opaque: return push_content(lua, scene, field, task);
    case Field::raw_text:
    case Field::source:
    case Field::header_text:
    case Field::header_source:
    case Field::part_headers: push_source(lua, scene, field); return true;
    case Field::spf: return push_fact(lua, scene, scene.spf, fetch_spf, push_spf, task);
    case Field::dkim: return push_fact(lua, scene, scene.dkim, fetch_dkim, push_dkim, task);
    case Field::dmarc: return push_fact(lua, scene, scene.dmarc, fetch_dmarc, push_dmarc, task);
    case Field::virus: return push_fact(lua, scene, scene.virus, fetch_virus, push_virus, task);
    case Field::files:
      if (scene.files != nullptr && !scene.files->problem.empty()) raise(lua, "the attachments cannot be looked at: " + scene.files->problem);
      return push_fact(lua, scene, scene.files, fetch_files, push_files, task);
    case Field::arc: return push_fact(lua, scene, scene.arc, fetch_arc, push_arc, task);
    case Field::score: lua_pushnumber(lua, scene.score); return true;
    case Field::hits: push_hits(lua, scene.hits); return true;
    default: lua_pushnil(lua); return true;  // bayes: not learned yet
  }
}

bool push_recipient_field(lua_State* lua, Scene& scene, std::size_t at, Field field) {
  const auto& recipient = scene.recipients.at(at);
  if (field == Field::address) {
    push(lua, recipient.address);
  } else if (field == Field::domain) {
    push(lua, domain_of(recipient.address));
  } else if (field == Field::account) {
    push(lua, recipient.account);
  } else if (field == Field::allows || field == Field::blocks) {
    auto entry = field == Field::allows ? allowing_entry(scene, at) : blocking_entry(scene, at);
    if (entry) push(lua, *entry);
    else lua_pushnil(lua);
  } else {
    push_list(lua, recipient.groups, "rcpt.groups");
  }
  return true;
}

[[noreturn]] void unknown_field(lua_State* lua, const Kind& kind) {
  if (lua_type(lua, 2) != LUA_TSTRING) raise(lua, std::string(kind.word) + " has no field of type " + luaL_typename(lua, 2));
  std::vector<std::string_view> known;
  for (std::size_t i = 0; i < kind.count; ++i) known.push_back(kind.fields[i].name);
  std::string_view key = view(lua, 2);
  raise(lua, "unknown field \"" + printable(key, 40) + "\" of " + kind.word + did_you_mean(key, known));
}

template <const Kind& kind>
int index(lua_State* lua) {
  auto* handle = static_cast<Handle*>(lua_touserdata(lua, 1));
  if (handle->scene == nullptr) {
    raise(lua, std::string(kind.word) + " was used after its message was done: a check must not keep it outside of itself");
  }
  Scene& scene = *handle->scene;
  lua_getiuservalue(lua, 1, 1);
  lua_pushvalue(lua, 2);
  if (lua_rawget(lua, 3) != LUA_TNIL) return 1;
  lua_pushvalue(lua, 2);
  if (lua_rawget(lua, lua_upvalueindex(1)) != LUA_TNUMBER) unknown_field(lua, kind);
  auto field = static_cast<Field>(lua_tointeger(lua, -1));
  Running& run = State::running(lua);
  std::string label = std::string(kind.word) + "." + lua_tostring(lua, 2);
  if (needs_body(field) && !scene.has_body) {
    raise(lua, label + " is not known at stage " + std::string(smtp::name(run.rule->stage)) + ": the message comes later, use on = \"" +
                   (&kind == &kRecipientKind ? "deliver" : "message") + "\"");
  }
  io::Task<void> task;
  bool ready = false;
  if constexpr (&kind == &kConnectionKind) {
    ready = push_connection_field(lua, scene, field, task);
  } else if constexpr (&kind == &kMailKind) {
    ready = push_mail_field(lua, scene, field, task);
  } else {
    ready = push_recipient_field(lua, scene, handle->recipient, field);
  }
  if (!ready) return wait_for(lua, std::move(task), label.c_str(), again<kind>);
  if (!changes(field) && lua_rawlen(lua, -1) <= kMaxKept) {
    lua_pushvalue(lua, 2);
    lua_pushvalue(lua, -2);
    lua_rawset(lua, 3);
  }
  return 1;
}

template <const Kind& kind>
int no_write(lua_State* lua) {
  raise(lua, std::string(kind.word) + " cannot be changed: facts are read only");
}

template <const Kind& kind>
int text_of(lua_State* lua) {
  lua_pushstring(lua, kind.word);
  return 1;
}

template <const Kind& kind>
void open_kind(lua_State* lua) {
  luaL_newmetatable(lua, kind.metatable);
  lua_newtable(lua);
  for (std::size_t i = 0; i < kind.count; ++i) {
    push(lua, kind.fields[i].name);
    lua_pushinteger(lua, static_cast<lua_Integer>(kind.fields[i].field));
    lua_rawset(lua, -3);
  }
  lua_pushcclosure(lua, index<kind>, 1);
  lua_setfield(lua, -2, "__index");
  lua_pushcfunction(lua, no_write<kind>);
  lua_setfield(lua, -2, "__newindex");
  lua_pushcfunction(lua, text_of<kind>);
  lua_setfield(lua, -2, "__tostring");
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
  lua_pop(lua, 1);
}

}  // namespace

std::vector<std::string_view> field_names(std::string_view handle) {
  std::vector<std::string_view> names;
  for (const Kind& kind : {kConnectionKind, kMailKind, kRecipientKind}) {
    if (handle != kind.word) continue;
    for (std::size_t i = 0; i < kind.count; ++i) names.push_back(kind.fields[i].name);
  }
  return names;
}

std::vector<FieldInfo> field_infos(std::string_view handle) {
  std::vector<FieldInfo> out;
  for (const Kind& kind : {kConnectionKind, kMailKind, kRecipientKind}) {
    if (handle != kind.word) continue;
    for (std::size_t i = 0; i < kind.count; ++i) {
      const auto& named = kind.fields[i];
      out.push_back({named.name, named.about, needs_body(named.field)});
    }
  }
  return out;
}

void open_handles(lua_State* lua) {
  open_kind<kConnectionKind>(lua);
  open_kind<kMailKind>(lua);
  open_kind<kRecipientKind>(lua);
  open_header(lua);
}

}  // namespace postern::filters::lua
