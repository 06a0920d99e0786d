// Files whose whole content is where they lead.
#include "filters/shortcut_signs.h"

#include <algorithm>

#include "filters/dde_field.h"
#include "filters/little_endian.h"
#include "gateway/base/text.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/html.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxLook = 1 << 20;

bool is_away(std::string_view target) {
  return target.starts_with("\\\\") || target.starts_with("//") || istarts_with(target, "file:") || istarts_with(target, "smb:") || istarts_with(target, "search-ms:") ||
         istarts_with(target, "ms-") || istarts_with(target, "webdav") || istarts_with(target, "dav:");
}

void add_target(std::string_view target, DocumentSigns& out, FoundLinks& links) {
  target = trimmed(target);
  if (target.empty()) return;
  if (is_away(target)) out.signs.add(Sign::remote_target, target);
  links.add(target);
}

// MS-SHLLINK 2.1: a header of 76 octets, then by its flags an item list (2.2), link information (2.3) and strings (2.4).
void shell_link(std::string_view octets, DocumentSigns& out, FoundLinks& links) {
  out.signs.add(Sign::shortcut);
  std::uint32_t flags = u32_at(octets, 20);
  std::size_t at = 76;
  if ((flags & 1) != 0) at += 2 + std::size_t{u16_at(octets, at)};
  if ((flags & 2) != 0) {
    std::uint32_t size = u32_at(octets, at);
    links.scan(slice(octets, at, size));
    if (slice(octets, at, size).find("\\\\") != std::string_view::npos) {
      // CommonNetworkRelativeLink: the share.
      std::string_view share = slice(octets, at, size);
      share.remove_prefix(share.find("\\\\"));
      share = share.substr(0, std::min<std::size_t>(share.find('\0'), 200));
      if (share.size() > 3) add_target(mail::to_utf8(share, {}), out, links);
    }
    at += std::min<std::size_t>(size, octets.size());
  }
  bool wide = (flags & 0x80) != 0;
  // Name, relative path, working folder, arguments, icon.
  std::string relative, arguments;
  for (std::uint32_t bit : {4U, 8U, 16U, 32U, 64U}) {
    if ((flags & bit) == 0) continue;
    std::size_t count = u16_at(octets, at);
    std::string_view raw = slice(octets, at + 2, wide ? count * 2 : count);
    at += 2 + raw.size();
    std::string text = mail::to_utf8(raw, wide ? "utf-16le" : "");
    if (bit == 8) relative = text;
    if (bit == 32) arguments = text;
    if (bit == 64 && is_away(text)) out.signs.add(Sign::remote_target, text);
  }
  links.scan(octets.substr(0, kMaxLook));
  if (is_away(relative)) out.signs.add(Sign::remote_target, relative);
  // Blanks push the end of a command line out of the properties window.
  std::string_view command = trimmed(arguments);
  if (!command.empty()) out.signs.add(Sign::shortcut_command, relative.empty() ? std::string(command) : relative + " " + std::string(command));
  if (octets.size() > kMaxLook) out.problem = "a shortcut longer than is looked at";
}

// "URL=...", "IconFile=...", "Exec=..." in lines.
void lines(std::string_view text, DocumentSigns& out, FoundLinks& links) {
  for (std::string_view line : split(text.substr(0, 64 * 1024), '\n')) {
    line = trimmed(line);
    auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    std::string_view key = trimmed(line.substr(0, equals));
    std::string_view value = line.substr(equals + 1);
    if (iequals(key, "URL") || iequals(key, "BASEURL") || iequals(key, "WorkingDirectory")) add_target(value, out, links);
    if (iequals(key, "IconFile") && is_away(value)) out.signs.add(Sign::remote_target, value);
    if (iequals(key, "Exec") || iequals(key, "TryExec")) out.signs.add(Sign::shortcut_command, trimmed(value));
  }
}

void description(std::string_view xml, DocumentSigns& out, FoundLinks& links) {
  for (std::string_view element : {std::string_view("url"), std::string_view("location"), std::string_view("DeepLink")}) {
    std::string open = "<" + std::string(element) + ">";
    std::size_t seen = 0;
    for (auto at = ifind(xml, open); at != std::string_view::npos && seen < 100; at = ifind(xml, open, at + 1), ++seen) {
      std::string_view content = xml.substr(at + open.size(), 4096);
      std::string target = mail::html_to_text(content.substr(0, content.find('<')));
      if (element == "DeepLink") out.signs.add(Sign::shortcut_command, target);
      if (target.starts_with("http") || is_away(target)) out.signs.add(Sign::remote_target, target);
      links.add(target);
    }
  }
  links.scan(xml);
}

}  // namespace

DocumentSigns shortcut_signs(std::string_view octets, FileKind kind, FoundLinks& links) {
  DocumentSigns out;
  out.kind = kind;
  if (kind == FileKind::shell_link) {
    shell_link(octets, out, links);
    return out;
  }
  std::string text = mail::to_utf8(octets.substr(0, kMaxLook), octets.starts_with("\xff\xfe") ? "utf-16" : "");
  if (octets.size() > kMaxLook) out.problem = "longer than is looked at";
  switch (kind) {
    case FileKind::url_file:
      out.signs.add(Sign::shortcut);
      lines(text, out, links);
      break;
    case FileKind::desktop_entry:
      out.signs.add(Sign::shortcut);
      lines(text, out, links);
      break;
    case FileKind::library_file:
      out.signs.add(Sign::shortcut);
      description(text, out, links);
      break;
    case FileKind::query:
      out.signs.add(Sign::query_file);
      links.scan(text);
      break;
    case FileKind::sylk:
    case FileKind::text: {
      auto formula = formula_in_text(text);
      if (formula) out.signs.add(Sign::formula_in_text, *formula);
      // SYLK macros: a name Auto_Open and cells with ";E" on a macro sheet ("O;E").
      if (kind == FileKind::sylk && (ifind(text, "auto_open") != std::string::npos || text.find("\nO;E") != std::string::npos)) {
        out.signs.add(Sign::excel4_macro, "SYLK");
        if (ifind(text, "auto_open") != std::string::npos) out.signs.add(Sign::auto_macro, "auto_open");
      }
      break;
    }
    case FileKind::calendar: {
      if (ifind(text, "METHOD:REQUEST") != std::string::npos) out.signs.add(Sign::calendar_invitation);
      // RFC 5545 3.1: folded lines go on behind a blank.
      std::string unfolded;
      for (std::size_t i = 0; i < text.size(); ++i) {
        bool fold = text[i] == '\n' && i + 1 < text.size() && is_wsp(text[i + 1]);
        if (text[i] == '\r') continue;
        if (fold) ++i;
        else unfolded += text[i];
      }
      links.scan(unfolded);
      break;
    }
    default: links.scan(text); break;
  }
  return out;
}

}  // namespace postern::filters
