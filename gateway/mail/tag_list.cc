// tag=value lists, RFC 6376 3.2.
#include "gateway/mail/tag_list.h"

#include <algorithm>

#include "gateway/base/text.h"

namespace postern::mail {
namespace {

constexpr std::size_t kMaxTags = 64;

bool is_tag_name(std::string_view name) {
  if (name.empty() || !is_alpha(name.front())) return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return is_alpha(c) || is_digit(c) || c == '_'; });
}

}  // namespace

Result<TagList> TagList::parse(std::string_view text) {
  TagList out;
  for (std::string_view piece : split(text, ';')) {
    piece = trimmed(piece);
    if (piece.empty()) continue;
    std::size_t equals = piece.find('=');
    if (equals == std::string_view::npos) return Error("\"" + printable(piece, 40) + "\" is no tag");
    Tag tag{trimmed(piece.substr(0, equals)), trimmed(piece.substr(equals + 1))};
    if (!is_tag_name(tag.name)) return Error("\"" + printable(tag.name, 40) + "\" is no tag name");
    if (out.find(tag.name)) return Error("tag " + std::string(tag.name) + "= stands twice");
    if (out.tags_.size() == kMaxTags) return Error("too many tags");
    out.tags_.push_back(tag);
  }
  return out;
}

Result<TagList> TagList::parse_strictly(std::string_view text) {
  auto pieces = split(text, ';');
  if (pieces.size() > kMaxTags + 1) return Error("too many tags");
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (trimmed(pieces[i]).empty() && (i + 1 < pieces.size() || i == 0)) return Error("there is an empty tag");
  }
  return parse(text);
}

std::optional<std::string_view> TagList::find(std::string_view name) const {
  for (const Tag& tag : tags_) {
    if (tag.name == name) return tag.value;
  }
  return std::nullopt;
}

std::string without_space(std::string_view value) {
  std::string out;
  for (char c : value) {
    if (!is_wsp(c) && c != '\r' && c != '\n') out += c;
  }
  return out;
}

bool is_dns_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  for (std::string_view label : split(name, '.')) {
    if (label.empty() || label.size() > 63) return false;
    bool right = std::all_of(label.begin(), label.end(), [](char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '_'; });
    if (!right) return false;
  }
  return true;
}

bool is_within(std::string_view name, std::string_view domain) {
  if (domain.empty() || name.size() < domain.size()) return false;
  if (name.size() == domain.size()) return iequals(name, domain);
  return iends_with(name, domain) && name[name.size() - domain.size() - 1] == '.';
}

}  // namespace postern::mail
