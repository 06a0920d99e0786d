// What a mailbox may be called.  Foreigners choose these names, so length and depth are bounded.
#include "gateway/store/names.h"

#include <algorithm>

#include "gateway/base/text.h"

namespace postern::store {

Result<std::string> mailbox_name(std::string_view name) {
  if (name.empty()) return Error("a mailbox needs a name");
  if (name.size() > kMaxMailboxName) return Error("a mailbox's name has at most 1000 octets");
  if (!is_utf8(name)) return Error("a mailbox's name is UTF-8");
  auto levels = split(name, '/');
  if (levels.size() > kMaxMailboxDepth) return Error("mailboxes lie at most 20 levels deep");
  for (auto level : levels) {
    if (level.empty()) return Error("a level of a mailbox's name is not empty");
    if (level == "." || level == "..") return Error("a level of a mailbox's name is not . or ..");   // an export makes folders of them
    bool forbidden = std::any_of(level.begin(), level.end(), [](char c) {
      auto octet = static_cast<unsigned char>(c);
      return octet < 0x20 || octet == 0x7f || c == '*' || c == '%';   // LIST could not name it
    });
    if (forbidden) return Error("a mailbox's name has no control characters, '*' or '%'");
  }
  std::string kept(name);
  if (iequals(levels[0], "INBOX")) kept.replace(0, 5, "INBOX");
  return kept;
}

std::vector<std::string> parents_of(std::string_view name) {
  std::vector<std::string> parents;
  for (auto at = name.find('/'); at != std::string_view::npos; at = name.find('/', at + 1)) parents.emplace_back(name.substr(0, at));
  return parents;
}

bool is_below(std::string_view name, std::string_view parent) {
  return name.size() > parent.size() + 1 && name.starts_with(parent) && name[parent.size()] == '/';
}

std::string_view default_name(SpecialUse use) {
  switch (use) {
    case SpecialUse::inbox: return "INBOX";
    case SpecialUse::drafts: return "Drafts";
    case SpecialUse::sent: return "Sent";
    case SpecialUse::junk: return "Junk";
    case SpecialUse::trash: return "Trash";
    case SpecialUse::archive: return "Archive";
    case SpecialUse::quarantine: return "Quarantine";
    case SpecialUse::none: break;
  }
  return "";
}

}  // namespace postern::store
