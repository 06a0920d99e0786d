// What the server says, as text.
#include "gateway/imap/response.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/imap/mailbox_name.h"
#include "gateway/imap/parser.h"

namespace postern::imap {
namespace {

// RFC 2683 3.2.1.5 asks for short lines; a literal has no such limit.
constexpr std::size_t kMaxQuoted = 1000;

bool fits_quotes(std::string_view text) {
  return text.size() <= kMaxQuoted &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

}  // namespace

void append_string(std::string& out, std::string_view text) {
  if (fits_quotes(text)) {
    out += '"';
    for (char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
    return;
  }
  auto nuls = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\0'));
  out += '{' + std::to_string(text.size() - nuls) + "}\r\n";
  if (nuls == 0) {
    out += text;
  } else {
    std::copy_if(text.begin(), text.end(), std::back_inserter(out), [](char c) { return c != '\0'; });
  }
}

void append_nstring(std::string& out, std::optional<std::string_view> text) {
  if (text) {
    append_string(out, *text);
  } else {
    out += "NIL";
  }
}

void append_mailbox(std::string& out, std::string_view utf8) {
  auto wire = encode_utf7(utf8);
  bool plain = !wire.empty() && !iequals(wire, "NIL") && std::all_of(wire.begin(), wire.end(), is_atom_char);
  if (plain) {
    out += wire;
  } else {
    append_string(out, wire);
  }
}

void append_flags(std::string& out, std::uint8_t system, std::uint64_t keywords, const std::vector<std::string>& names, bool recent) {
  out += '(';
  auto add = [&out, first = out.size()](std::string_view name) {
    if (out.size() > first) out += ' ';
    out += name;
  };
  if ((system & store::flag::answered) != 0) add("\\Answered");
  if ((system & store::flag::flagged) != 0) add("\\Flagged");
  if ((system & store::flag::deleted) != 0) add("\\Deleted");
  if ((system & store::flag::seen) != 0) add("\\Seen");
  if ((system & store::flag::draft) != 0) add("\\Draft");
  if (recent) add("\\Recent");
  for (std::size_t i = 0; i < names.size() && i < 64; ++i) {
    if ((keywords >> i & 1) != 0) add(names[i]);
  }
  out += ')';
}

std::string response_text(std::string_view text) {
  std::string out(text.substr(0, 400));
  for (auto& c : out) {
    if (c < 0x20 || c >= 0x7f) c = '?';
  }
  return out;
}

Reply Reply::refused(const store::Change& change, bool target_may_be_created) {
  std::string_view code;
  switch (change.outcome) {
    case store::Outcome::done: return ok("done");
    case store::Outcome::no_mailbox: code = target_may_be_created ? "[TRYCREATE]" : "[NONEXISTENT]"; break;
    case store::Outcome::exists: code = "[ALREADYEXISTS]"; break;
    case store::Outcome::cannot: code = "[CANNOT]"; break;
    case store::Outcome::noperm: code = "[NOPERM]"; break;
    case store::Outcome::over_quota: code = "[OVERQUOTA]"; break;
    case store::Outcome::no_space:
    case store::Outcome::broken: code = "[UNAVAILABLE]"; break;
  }
  auto text = response_text(change.text.empty() ? "refused" : change.text);
  return no(std::string(code) + " " + text);
}

std::string Reply::line(std::string_view tag) const {
  if (kind == Kind::said) return {};
  static constexpr std::string_view kWords[] = {" OK ", " NO ", " BAD "};
  std::string out(tag);
  out += kWords[static_cast<std::size_t>(kind)];
  out += text;
  out += "\r\n";
  return out;
}

}  // namespace postern::imap
