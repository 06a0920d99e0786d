#pragma once

#include <lua.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "filters/facts.h"
#include "filters/lua/scene.h"
#include "gateway/io/task.h"

// Facts as rules see them: waiting for one, and its table.
namespace postern::filters::lua {

// Each waits for the fact and keeps it in the scene, which must outlive the task.
io::Task<void> fetch_reputation(Scene& scene);
io::Task<void> fetch_spf(Scene& scene);
io::Task<void> fetch_dkim(Scene& scene);
io::Task<void> fetch_dmarc(Scene& scene);
io::Task<void> fetch_arc(Scene& scene);
io::Task<void> fetch_virus(Scene& scene);
io::Task<void> fetch_files(Scene& scene);

// Each pushes one frozen table.
void push_list(lua_State* lua, const std::vector<std::string>& values, const char* what);
void push_spf(lua_State* lua, const Spf& spf);
void push_dkim(lua_State* lua, const Dkim& dkim);
void push_dmarc(lua_State* lua, const Dmarc& dmarc);
void push_arc(lua_State* lua, const Arc& arc);
void push_virus(lua_State* lua, const Virus& virus);
void push_links(lua_State* lua, const std::vector<Link>& links);
void push_attachments(lua_State* lua, const std::vector<Attachment>& attachments);
void push_message_signs(lua_State* lua, const MessageSigns& signs);
void push_files(lua_State* lua, const Files& files);
void push_hits(lua_State* lua, const std::vector<smtp::Hit>& hits);

// The words of mail.signs.
const std::vector<std::string_view>& sign_words();
// The words of the signs of links, and what they say.
const std::vector<std::string_view>& link_sign_words();
std::string_view link_sign_reason(std::string_view word);
// The words of mail.files.signs.
const std::vector<std::string_view>& file_sign_words();
std::string_view file_sign_reason(std::string_view word);   // a sentence; "" of no such word

struct FactField {
  std::string_view name;
  std::string_view about;   // a sentence
};
struct FactInfo {
  std::string_view path;    // "mail.spf"
  std::vector<FactField> fields;
};
// The facts that are one table each, and the fields of it; of lists, those of the list itself.
const std::vector<FactInfo>& fact_infos();
// The facts that are lists of tables, and the fields of each entry.
const std::vector<FactInfo>& entry_infos();
// The first of them by name.
const std::map<std::string, std::vector<std::string_view>, std::less<>>& fact_fields();

}  // namespace postern::filters::lua
