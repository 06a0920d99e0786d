// One connection and its message as rules see it, and the record of what they asked.
#include "filters/lua/scene.h"

#include <array>

#include "filters/lua/bind.h"
#include "filters/lua/state.h"
#include "filters/lua/utf8.h"

namespace postern::filters::lua {
namespace {

constexpr std::array<std::string_view, 6> kSections = {"facts", "dns", "count", "recall", "list", "clock"};

}  // namespace

std::string json_text(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  while (!text.empty()) {
    auto c = static_cast<unsigned char>(text[0]);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
      text.remove_prefix(1);
    } else if (c < 0x20 || c == 0x7f) {
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
      text.remove_prefix(1);
    } else if (std::size_t length = utf8_length(text); length > 0) {
      out += text.substr(0, length);
      text.remove_prefix(length);
    } else {
      out += kReplacement;
      text.remove_prefix(1);
    }
  }
  return out + "\"";
}

void Record::note(Section section, std::string_view key, std::string json) {
  if (octets_ + key.size() + json.size() > kMaxOctets) return;
  auto [entry, added] = entries_.try_emplace({section, std::string(key)}, std::move(json));
  if (added) octets_ += key.size() + entry->second.size();
}

std::string Record::json() const {
  std::string out = "{";
  std::optional<Section> open;
  for (const auto& [key, value] : entries_) {
    if (open != key.first) {
      if (open) out += "},";
      out += "\"" + std::string(kSections[static_cast<std::size_t>(key.first)]) + "\":{";
      open = key.first;
    } else {
      out += ",";
    }
    out += json_text(key.second) + ":" + value;
  }
  if (open) out += "}";
  return out + "}";
}

void Record::clear() {
  entries_.clear();
  octets_ = 0;
}

Time Scene::now() {
  Time time = outside_.clock->now();
  record.note(Record::Section::clock, "now", std::to_string(to_unix(time)));
  return time;
}

void Scene::use(std::shared_ptr<State> state) {
  if (state == state_) return;
  release_all();
  state_ = std::move(state);
}

int Scene::connection_handle(lua_State* lua) {
  if (connection_handle_.handle == nullptr) {
    connection_handle_.handle = State::make_handle(lua, kConnection, *this, 0, connection_handle_.reference);
  }
  return connection_handle_.reference;
}

int Scene::mail_handle(lua_State* lua) {
  if (mail_handle_.handle == nullptr) {
    mail_handle_.handle = State::make_handle(lua, kMail, *this, 0, mail_handle_.reference);
  }
  return mail_handle_.reference;
}

int Scene::header_handle(lua_State* lua) {
  if (header_handle_.handle == nullptr) {
    header_handle_.handle = State::make_handle(lua, kHeader, *this, 0, header_handle_.reference);
  }
  return header_handle_.reference;
}

int Scene::recipient_handle(lua_State* lua, std::size_t index) {
  if (recipient_handles_.size() <= index) recipient_handles_.resize(index + 1);
  Anchored& anchored = recipient_handles_[index];
  if (anchored.handle == nullptr) anchored.handle = State::make_handle(lua, kRecipient, *this, index, anchored.reference);
  return anchored.reference;
}

void Scene::release(Anchored& anchored) {
  if (anchored.handle == nullptr) return;
  lua_State* lua = state_->main();
  lua_rawgeti(lua, LUA_REGISTRYINDEX, anchored.reference);
  lua_pushnil(lua);
  lua_setiuservalue(lua, -2, 1);  // what was read from it must not outlive it either
  lua_pop(lua, 1);
  anchored.handle->scene = nullptr;
  state_->drop_reference(anchored.reference);
  anchored = {};
}

void Scene::release_recipients() {
  for (auto& anchored : recipient_handles_) release(anchored);
  recipient_handles_.clear();
}

void Scene::end_message() {
  if (state_) scans_.clear(*state_);
  release(mail_handle_);
  release(header_handle_);
  release_recipients();
}

void Scene::release_all() {
  end_message();
  release(connection_handle_);
}

}  // namespace postern::filters::lua
