// The conditions of SEARCH.  RFC 3501 6.4.4 and 9 (search-key).
#include "gateway/imap/search_key.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/envelope.h"

namespace postern::imap {
namespace {

using Kind = SearchKey::Kind;

class Reader {
 public:
  Reader(Parser& parser, std::string charset) : parser_(parser), charset_(std::move(charset)) {}

  bool take_list(std::vector<SearchKey>& into, int depth) {
    do {
      SearchKey key;
      if (!take(key, depth)) return false;
      into.push_back(std::move(key));
    } while (parser_.sp());
    return true;
  }
  bool too_many_texts() const { return texts_ > kMaxTextKeys; }

 private:
  bool take(SearchKey& key, int depth);
  bool take_named(std::string_view name, SearchKey& key, int depth);
  bool take_flag_key(std::string_view name, SearchKey& key);
  bool take_text_key(std::string_view name, SearchKey& key);
  bool take_date_key(std::string_view name, SearchKey& key);

  bool take_text(SearchKey& key) {
    auto text = parser_.astring();
    if (!text) return false;
    key.text = mail::search_form(mail::to_utf8(*text, charset_));
    return true;
  }

  Parser& parser_;
  std::string charset_;
  std::size_t count_ = 0;
  std::size_t texts_ = 0;
};

SearchKey negated(SearchKey key) {
  SearchKey out;
  out.kind = Kind::none_of;
  out.children.push_back(std::move(key));
  return out;
}

SearchKey flag_key(std::uint8_t bit) {
  SearchKey key;
  key.kind = Kind::flag;
  key.number = bit;
  return key;
}

bool Reader::take(SearchKey& key, int depth) {
  if (depth > kMaxSearchDepth || ++count_ > kMaxSearchKeys) return false;
  if (parser_.accept('(')) {
    key.kind = Kind::all_of;
    return take_list(key.children, depth + 1) && parser_.accept(')');
  }
  if (parser_.next_is('*') || (!parser_.rest().empty() && is_digit(parser_.rest()[0]))) {
    auto set = parser_.sequence_set();
    if (!set) return false;
    key.kind = Kind::sequence;
    key.set = *std::move(set);
    return true;
  }
  auto name = parser_.atom();
  return name && take_named(ascii_uppered(*name), key, depth);
}

bool Reader::take_named(std::string_view name, SearchKey& key, int depth) {
  if (name == "ALL") return true;
  if (name == "NOT") {
    if (!parser_.sp()) return false;
    key.kind = Kind::none_of;
    return take(key.children.emplace_back(), depth + 1);
  }
  if (name == "OR") {
    key.kind = Kind::any_of;
    key.children.resize(2);
    return parser_.sp() && take(key.children[0], depth + 1) && parser_.sp() && take(key.children[1], depth + 1);
  }
  if (name == "UID") {
    if (!parser_.sp()) return false;
    auto set = parser_.sequence_set();
    if (!set) return false;
    key.kind = Kind::uid;
    key.set = *std::move(set);
    return true;
  }
  if (name == "LARGER" || name == "SMALLER") {
    if (!parser_.sp()) return false;
    auto octets = parser_.number64();
    if (!octets) return false;
    key.kind = name == "LARGER" ? Kind::larger : Kind::smaller;
    key.number = *octets;
    return true;
  }
  return take_flag_key(name, key) || take_date_key(name, key) || take_text_key(name, key);
}

bool Reader::take_flag_key(std::string_view name, SearchKey& key) {
  struct FlagName {
    std::string_view name;
    std::uint8_t bit;
    bool set;
  };
  static constexpr FlagName kNames[] = {
      {"ANSWERED", store::flag::answered, true}, {"UNANSWERED", store::flag::answered, false},
      {"DELETED", store::flag::deleted, true},   {"UNDELETED", store::flag::deleted, false},
      {"DRAFT", store::flag::draft, true},       {"UNDRAFT", store::flag::draft, false},
      {"FLAGGED", store::flag::flagged, true},   {"UNFLAGGED", store::flag::flagged, false},
      {"SEEN", store::flag::seen, true},         {"UNSEEN", store::flag::seen, false}};
  for (const auto& known : kNames) {
    if (known.name != name) continue;
    key = known.set ? flag_key(known.bit) : negated(flag_key(known.bit));
    return true;
  }
  SearchKey found;
  if (name == "RECENT" || name == "OLD") {
    found.kind = Kind::recent;
    key = name == "OLD" ? negated(std::move(found)) : std::move(found);
    return true;
  }
  if (name == "NEW") {
    key.kind = Kind::is_new;
    return true;
  }
  if (name != "KEYWORD" && name != "UNKEYWORD") return false;
  if (!parser_.sp()) return false;
  auto keyword = parser_.atom();
  if (!keyword) return false;
  found.kind = Kind::keyword;
  found.text = *keyword;
  key = name == "UNKEYWORD" ? negated(std::move(found)) : std::move(found);
  return true;
}

bool Reader::take_date_key(std::string_view name, SearchKey& key) {
  struct DateName {
    std::string_view name;
    Kind kind;
  };
  static constexpr DateName kNames[] = {{"BEFORE", Kind::before},          {"ON", Kind::on},          {"SINCE", Kind::since},
                                        {"SENTBEFORE", Kind::sent_before}, {"SENTON", Kind::sent_on}, {"SENTSINCE", Kind::sent_since}};
  for (const auto& known : kNames) {
    if (known.name != name) continue;
    if (!parser_.sp()) return false;
    auto day = parser_.date();
    if (!day) return false;
    key.kind = known.kind;
    key.day = *day;
    return true;
  }
  return false;
}

bool Reader::take_text_key(std::string_view name, SearchKey& key) {
  struct EnvelopeName {
    std::string_view name;
    mail::EnvelopeView::Field field;
  };
  static constexpr EnvelopeName kNames[] = {{"FROM", mail::EnvelopeView::from},
                                            {"TO", mail::EnvelopeView::to},
                                            {"CC", mail::EnvelopeView::cc},
                                            {"BCC", mail::EnvelopeView::bcc},
                                            {"SUBJECT", mail::EnvelopeView::subject}};
  for (const auto& known : kNames) {
    if (known.name != name) continue;
    key.kind = Kind::envelope;
    key.number = known.field;
    return parser_.sp() && take_text(key);
  }
  if (name == "HEADER") {
    if (!parser_.sp()) return false;
    auto field = parser_.astring();
    if (!field || field->empty()) return false;
    key.kind = Kind::header;
    key.field = *std::move(field);
    return parser_.sp() && take_text(key);
  }
  if (name != "BODY" && name != "TEXT") return false;
  key.kind = name == "BODY" ? Kind::body : Kind::text;
  if (++texts_ > kMaxTextKeys) return false;
  return parser_.sp() && take_text(key);
}

void order_by_cost(SearchKey& key) {
  for (auto& child : key.children) order_by_cost(child);
  if (key.kind != Kind::all_of && key.kind != Kind::any_of) return;
  std::sort(key.children.begin(), key.children.end(), [](const SearchKey& a, const SearchKey& b) { return a.cost() < b.cost(); });
}

}  // namespace

int SearchKey::cost() const {
  int most = 0;
  for (const auto& child : children) most = std::max(most, child.cost());
  switch (kind) {
    case Kind::sent_before:
    case Kind::sent_on:
    case Kind::sent_since:
    case Kind::envelope: return 1;
    case Kind::header: return 2;
    case Kind::body:
    case Kind::text: return 3;
    default: return most;
  }
}

Result<SearchProgram> parse_search(Parser& parser) {
  SearchProgram program;
  std::string charset;
  if (parser.accept_word("CHARSET")) {
    if (!parser.sp()) return Error("SEARCH: a charset must follow CHARSET");
    auto name = parser.astring();
    if (!name || !parser.sp()) return Error("SEARCH: a charset and keys must follow CHARSET");
    charset = *std::move(name);
    program.bad_charset = !mail::is_known_charset(charset);
  }
  program.key.kind = Kind::all_of;
  Reader reader(parser, std::move(charset));
  bool taken = reader.take_list(program.key.children, 0) && parser.at_end();
  if (reader.too_many_texts()) return Error("SEARCH: takes 20 BODY and TEXT keys at most");
  if (!taken) return Error("SEARCH: cannot read the keys");
  order_by_cost(program.key);
  return program;
}

std::optional<std::int64_t> header_day(std::string_view date_field) {
  // "Tue, 24 Nov 2026 03:59:02 +0000", RFC 5322 3.3; two-digit years as in 4.3.
  auto tokens = words(date_field);
  for (std::size_t i = 0; i + 2 < tokens.size(); ++i) {
    auto day_text = tokens[i].substr(tokens[i].rfind(',') + 1);
    auto day = parse_number(day_text);
    auto year = parse_number(tokens[i + 2]);
    int month = month_number(tokens[i + 1]);
    if (!day || *day > 31 || !year || *year > 9999 || month == 0) continue;
    int full_year = static_cast<int>(*year);
    if (tokens[i + 2].size() == 2) full_year += full_year < 50 ? 2000 : 1900;
    if (tokens[i + 2].size() == 3) full_year += 1900;
    return day_number(full_year, month, static_cast<int>(*day));
  }
  return std::nullopt;
}

}  // namespace postern::imap
