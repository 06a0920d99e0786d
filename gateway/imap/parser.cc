// The syntax elements of IMAP commands.  RFC 3501 9, RFC 7888.
#include "gateway/imap/parser.h"

#include <array>

#include "gateway/base/text.h"
#include "gateway/imap/mailbox_name.h"

namespace postern::imap {
namespace {

constexpr std::size_t kMaxFlags = 64;
constexpr std::size_t kMaxFlagOctets = 128;

bool is_list_char(char c) { return is_atom_char(c) || c == '%' || c == '*' || c == ']'; }
bool is_astring_char(char c) { return is_atom_char(c) || c == ']'; }

std::optional<int> digits(std::string_view text) {
  auto number = parse_number(text);
  if (!number) return std::nullopt;
  return static_cast<int>(*number);
}

}  // namespace

bool is_atom_char(char c) {
  auto octet = static_cast<unsigned char>(c);
  if (octet <= 0x20 || octet >= 0x7f) return false;
  return std::string_view("(){%*\"\\]").find(c) == std::string_view::npos;
}

bool Parser::accept(char c) {
  if (!next_is(c)) return false;
  ++at_;
  return true;
}

bool Parser::accept_word(std::string_view word) {
  if (!istarts_with(rest(), word)) return false;
  auto after = at_ + word.size();
  if (after < text_.size() && is_atom_char(text_[after]) && is_atom_char(word.back())) return false;
  at_ = after;
  return true;
}

template <class Allowed>
std::string_view Parser::run(Allowed allowed) {
  auto begin = at_;
  while (at_ < text_.size() && allowed(text_[at_])) ++at_;
  return text_.substr(begin, at_ - begin);
}

std::optional<std::string_view> Parser::tag() {
  auto text = run([](char c) { return is_astring_char(c) && c != '+'; });
  if (text.empty() || text.size() > 256) return std::nullopt;
  return text;
}

std::optional<std::string_view> Parser::atom() {
  auto text = run(is_atom_char);
  if (text.empty()) return std::nullopt;
  return text;
}

std::string_view Parser::dotted_name() {
  return run([](char c) { return is_alpha(c) || is_digit(c) || c == '.'; });
}

std::optional<std::string> Parser::quoted() {
  if (!accept('"')) return std::nullopt;
  std::string out;
  while (at_ < text_.size()) {
    char c = text_[at_++];
    if (c == '"') return out;
    if (c == '\r' || c == '\n' || c == '\0') return std::nullopt;
    if (c == '\\') {
      if (!next_is('"') && !next_is('\\')) return std::nullopt;
      c = text_[at_++];
    }
    out += c;
  }
  return std::nullopt;
}

std::optional<std::string> Parser::literal() {
  auto end = text_.find('\n', at_);
  if (end == std::string_view::npos || end == at_ || text_[end - 1] != '\r') return std::nullopt;
  auto line = text_.substr(at_, end - 1 - at_);
  auto announced = announced_literal(line);
  if (!announced || line[0] != '{' || line.find('{', 1) != std::string_view::npos) return std::nullopt;
  if (announced->octets > text_.size() - end - 1) return std::nullopt;
  std::string out(text_.substr(end + 1, announced->octets));
  if (out.find('\0') != std::string::npos) return std::nullopt;  // CHAR8 is %x01-ff
  at_ = end + 1 + announced->octets;
  return out;
}

std::optional<std::string> Parser::string() { return next_is('{') ? literal() : quoted(); }

std::optional<std::string> Parser::astring() {
  if (next_is('"') || next_is('{')) return string();
  auto text = run(is_astring_char);
  if (text.empty()) return std::nullopt;
  return std::string(text);
}

std::optional<std::optional<std::string>> Parser::nstring() {
  if (accept_word("NIL")) return std::optional<std::string>();
  auto text = string();
  if (!text) return std::nullopt;
  return text;
}

std::optional<std::string> Parser::list_mailbox() {
  if (next_is('"') || next_is('{')) return string();
  auto text = run(is_list_char);
  if (text.empty()) return std::nullopt;
  return std::string(text);
}

std::optional<std::uint64_t> Parser::number64() {
  auto text = run(is_digit);
  if (text.empty()) return std::nullopt;
  return parse_number(text);
}

std::optional<std::uint32_t> Parser::number() {
  auto number = number64();
  if (!number || *number > UINT32_MAX) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

std::optional<SequenceSet> Parser::sequence_set() {
  return SequenceSet::parse(run([](char c) { return is_digit(c) || c == ',' || c == ':' || c == '*'; }));
}

std::optional<std::optional<std::string>> Parser::mailbox() {
  auto wire = astring();
  if (!wire) return std::nullopt;
  auto name = decode_utf7(*wire);
  if (!name) return std::optional<std::string>();
  return std::optional<std::string>(with_inbox(*std::move(name)));
}

bool Parser::add_flag(store::Flags& flags) {
  if (!accept('\\')) {
    auto keyword = atom();
    if (!keyword || keyword->size() > kMaxFlagOctets || flags.keywords.size() == kMaxFlags) return false;
    for (const auto& known : flags.keywords) {
      if (iequals(known, *keyword)) return true;
    }
    flags.keywords.emplace_back(*keyword);
    return true;
  }
  auto name = atom();
  if (!name) return false;
  struct SystemFlag {
    std::string_view name;
    std::uint8_t bit;
  };
  static constexpr std::array<SystemFlag, 5> kSystem{{{"Seen", store::flag::seen},
                                                      {"Answered", store::flag::answered},
                                                      {"Flagged", store::flag::flagged},
                                                      {"Deleted", store::flag::deleted},
                                                      {"Draft", store::flag::draft}}};
  for (const auto& known : kSystem) {
    if (!iequals(known.name, *name)) continue;
    flags.system |= known.bit;
    return true;
  }
  return false;  // \Recent cannot be set, RFC 3501 2.3.2
}

std::optional<store::Flags> Parser::flag_list() {
  store::Flags flags;
  if (!accept('(')) return std::nullopt;
  if (accept(')')) return flags;
  for (;;) {
    if (!add_flag(flags)) return std::nullopt;
    if (accept(')')) return flags;
    if (!sp()) return std::nullopt;
  }
}

std::optional<store::Flags> Parser::store_flags() {
  if (next_is('(')) return flag_list();
  store::Flags flags;
  for (;;) {
    if (!add_flag(flags)) return std::nullopt;
    if (at_end()) return flags;
    if (!sp()) return std::nullopt;
  }
}

std::optional<std::int64_t> Parser::date() {
  bool in_quotes = accept('"');
  auto text = run([](char c) { return is_digit(c) || is_alpha(c) || c == '-'; });
  if (in_quotes && !accept('"')) return std::nullopt;
  auto parts = split(text, '-');
  if (parts.size() != 3 || parts[0].empty() || parts[0].size() > 2 || parts[2].size() != 4) return std::nullopt;
  auto day = digits(parts[0]);
  auto year = digits(parts[2]);
  if (!day || !year) return std::nullopt;
  return day_number(*year, month_number(parts[1]), *day);
}

std::optional<Time> Parser::date_time() {
  // dd-Mon-yyyy hh:mm:ss +zzzz, always 26 octets.
  auto text = quoted();
  if (!text || text->size() != 26) return std::nullopt;
  std::string_view t = *text;
  if (t[2] != '-' || t[6] != '-' || t[11] != ' ' || t[14] != ':' || t[17] != ':' || t[20] != ' ') return std::nullopt;
  if (t[21] != '+' && t[21] != '-') return std::nullopt;
  auto day = digits(t[0] == ' ' ? t.substr(1, 1) : t.substr(0, 2));
  auto year = digits(t.substr(7, 4));
  auto hour = digits(t.substr(12, 2));
  auto minute = digits(t.substr(15, 2));
  auto second = digits(t.substr(18, 2));
  auto zone_hour = digits(t.substr(22, 2));
  auto zone_minute = digits(t.substr(24, 2));
  if (!day || !year || !hour || !minute || !second || !zone_hour || !zone_minute) return std::nullopt;
  if (*hour > 23 || *minute > 59 || *second > 60 || *zone_minute > 59) return std::nullopt;
  auto days = day_number(*year, month_number(t.substr(3, 3)), *day);
  if (!days) return std::nullopt;
  std::int64_t zone = (*zone_hour * 60 + *zone_minute) * 60 * (t[21] == '-' ? -1 : 1);
  return from_unix(*days * 86400 + *hour * 3600 + *minute * 60 + *second - zone);
}

std::optional<Announced> announced_literal(std::string_view line) {
  if (line.size() < 3 || line.back() != '}') return std::nullopt;
  auto open = line.rfind('{');
  if (open == std::string_view::npos) return std::nullopt;
  auto inside = line.substr(open + 1, line.size() - open - 2);
  Announced out;
  if (inside.ends_with('+')) {
    out.waits = false;
    inside.remove_suffix(1);
  }
  if (inside.empty() || inside.size() > 18) return std::nullopt;
  auto octets = parse_number(inside);
  if (!octets) return std::nullopt;
  out.octets = *octets;
  return out;
}

std::optional<std::int64_t> day_number(int year, int month, int day) {
  std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                   std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count();
}

int month_number(std::string_view name) {
  static constexpr std::string_view kMonths = "janfebmaraprmayjunjulaugsepoctnovdec";
  if (name.size() != 3) return 0;
  auto at = kMonths.find(ascii_lowered(name));
  return at == std::string_view::npos || at % 3 != 0 ? 0 : static_cast<int>(at / 3) + 1;
}

}  // namespace postern::imap
