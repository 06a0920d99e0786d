// What a FETCH asks for.  RFC 3501 6.4.5 and 9 (fetch-att, section).
#include "gateway/imap/fetch_items.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/imap/response.h"

namespace postern::imap {
namespace {

using What = Section::What;

// "1.2." off the front of `name`; an empty rest is a bare part number.
bool take_part_number(std::string_view& name, std::string& part) {
  while (!name.empty() && is_digit(name[0])) {
    auto end = name.find('.');
    auto number = name.substr(0, end);
    if (number[0] == '0' || number.size() > 9 || !std::all_of(number.begin(), number.end(), is_digit)) return false;
    if (!part.empty()) part += '.';
    part += number;
    if (end == std::string_view::npos) {
      name = {};
    } else {
      name.remove_prefix(end + 1);
      if (name.empty()) return false;  // "1."
    }
  }
  return true;
}

bool take_field_names(Parser& parser, Section& section) {
  if (!parser.sp() || !parser.accept('(')) return false;
  for (;;) {
    auto name = parser.astring();
    if (!name || name->empty() || section.names.size() == kMaxFieldNames) return false;
    section.names.push_back(*std::move(name));
    if (parser.accept(')')) return true;
    if (!parser.sp()) return false;
  }
}

std::optional<What> section_word(std::string_view word, bool inside_part) {
  if (iequals(word, "HEADER")) return What::header;
  if (iequals(word, "HEADER.FIELDS")) return What::fields;
  if (iequals(word, "HEADER.FIELDS.NOT")) return What::fields_not;
  if (iequals(word, "TEXT")) return What::text;
  if (iequals(word, "MIME") && inside_part) return What::mime;
  return std::nullopt;
}

std::string label_of(const Section& section) {
  std::string out = "BODY[" + section.part;
  static constexpr std::string_view kWords[] = {"", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME"};
  auto word = kWords[static_cast<std::size_t>(section.what)];
  if (!section.part.empty() && !word.empty()) out += '.';
  out += word;
  if (!section.names.empty()) {
    out += " (";
    for (std::size_t i = 0; i < section.names.size(); ++i) {
      if (i > 0) out += ' ';
      const auto& name = section.names[i];
      if (std::all_of(name.begin(), name.end(), is_atom_char)) {
        out += name;
      } else {
        append_string(out, name);
      }
    }
    out += ')';
  }
  out += ']';
  if (section.partial) out += '<' + std::to_string(section.partial->first) + '>';
  return out;
}

// Behind "BODY" or "BODY.PEEK", from "[" on.
bool take_section(Parser& parser, Section& section) {
  if (!parser.accept('[')) return false;
  auto name = parser.dotted_name();
  if (!take_part_number(name, section.part)) return false;
  if (!name.empty()) {
    auto what = section_word(name, !section.part.empty());
    if (!what) return false;
    section.what = *what;
    if ((*what == What::fields || *what == What::fields_not) && !take_field_names(parser, section)) return false;
  }
  if (!parser.accept(']')) return false;
  if (parser.accept('<')) {
    auto first = parser.number();
    if (!first || !parser.accept('.')) return false;
    auto count = parser.number();
    if (!count || *count == 0 || !parser.accept('>')) return false;
    section.partial.emplace(*first, *count);
  }
  section.label = label_of(section);
  return true;
}

Section rfc822(std::string_view label, What what, bool peek) {
  Section section;
  section.what = what;
  section.peek = peek;
  section.label = label;
  return section;
}

bool take_item(Parser& parser, FetchItems& items) {
  auto name = parser.dotted_name();
  if (items.sections.size() == kMaxSections) return false;
  bool peek = iequals(name, "BODY.PEEK");
  if (peek || (iequals(name, "BODY") && parser.next_is('['))) {
    Section section;
    section.peek = peek;
    if (!take_section(parser, section)) return false;
    items.sections.push_back(std::move(section));
    return true;
  }
  if (iequals(name, "UID")) return items.uid = true;
  if (iequals(name, "FLAGS")) return items.flags = true;
  if (iequals(name, "INTERNALDATE")) return items.internal_date = true;
  if (iequals(name, "ENVELOPE")) return items.envelope = true;
  if (iequals(name, "BODY")) return items.body = true;
  if (iequals(name, "BODYSTRUCTURE")) return items.body_structure = true;
  if (iequals(name, "RFC822.SIZE")) return items.size = true;
  if (iequals(name, "RFC822")) {
    items.sections.push_back(rfc822("RFC822", What::all, false));
  } else if (iequals(name, "RFC822.HEADER")) {
    items.sections.push_back(rfc822("RFC822.HEADER", What::header, true));
  } else if (iequals(name, "RFC822.TEXT")) {
    items.sections.push_back(rfc822("RFC822.TEXT", What::text, false));
  } else {
    return false;
  }
  return true;
}

bool take_macro(Parser& parser, FetchItems& items) {
  bool all = parser.accept_word("ALL");
  bool full = !all && parser.accept_word("FULL");
  if (!all && !full && !parser.accept_word("FAST")) return false;
  items.flags = items.internal_date = items.size = true;
  items.envelope = all || full;
  items.body = full;
  return true;
}

}  // namespace

bool FetchItems::sets_seen() const {
  return std::any_of(sections.begin(), sections.end(), [](const Section& section) { return !section.peek; });
}

Result<FetchItems> parse_fetch_items(Parser& parser) {
  FetchItems items;
  auto wrong = Error("FETCH: cannot read the items");
  if (!take_macro(parser, items)) {
    if (!parser.accept('(')) {
      if (!take_item(parser, items)) return wrong;
    } else {
      do {
        if (!take_item(parser, items)) return wrong;
      } while (parser.sp());
      if (!parser.accept(')')) return wrong;
    }
  }
  if (!parser.at_end()) return wrong;
  return items;
}

}  // namespace postern::imap
