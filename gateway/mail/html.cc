// HTML to text for the rules: a tokenizer after the HTML standard's states (13.2.5) without a tree behind it.
#include "gateway/mail/html.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "gateway/base/text.h"
#include "gateway/base/utf8.h"
#include "gateway/mail/charset.h"

namespace postern::mail {

namespace {

constexpr std::uint32_t kBadCharacter = 0xfffd;

// The names of U+00A0 to U+00FF in order.
constexpr std::array<std::string_view, 96> kLatin1 = {
    "nbsp", "iexcl", "cent", "pound", "curren", "yen", "brvbar", "sect", "uml", "copy", "ordf", "laquo", "not", "shy", "reg", "macr",
    "deg", "plusmn", "sup2", "sup3", "acute", "micro", "para", "middot", "cedil", "sup1", "ordm", "raquo", "frac14", "frac12",
    "frac34", "iquest", "Agrave", "Aacute", "Acirc", "Atilde", "Auml", "Aring", "AElig", "Ccedil", "Egrave", "Eacute", "Ecirc",
    "Euml", "Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve", "Oacute", "Ocirc", "Otilde", "Ouml", "times", "Oslash",
    "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute", "THORN", "szlig", "agrave", "aacute", "acirc", "atilde", "auml", "aring", "aelig",
    "ccedil", "egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc", "iuml", "eth", "ntilde", "ograve", "oacute", "ocirc",
    "otilde", "ouml", "divide", "oslash", "ugrave", "uacute", "ucirc", "uuml", "yacute", "thorn", "yuml"};

struct Named {
  std::string_view name;
  std::uint32_t character;
};
constexpr std::array<Named, 34> kOthers = {{
    {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}, {"AMP", '&'}, {"LT", '<'}, {"GT", '>'}, {"QUOT", '"'},
    {"OElig", 0x152}, {"oelig", 0x153}, {"Scaron", 0x160}, {"scaron", 0x161}, {"ensp", 0x2002}, {"emsp", 0x2003},
    {"thinsp", 0x2009}, {"zwnj", 0x200c}, {"zwj", 0x200d}, {"ndash", 0x2013}, {"mdash", 0x2014}, {"lsquo", 0x2018},
    {"rsquo", 0x2019}, {"sbquo", 0x201a}, {"ldquo", 0x201c}, {"rdquo", 0x201d}, {"bdquo", 0x201e}, {"bull", 0x2022},
    {"hellip", 0x2026}, {"lsaquo", 0x2039}, {"rsaquo", 0x203a}, {"euro", 0x20ac}, {"trade", 0x2122}, {"Tab", '\t'}, {"NewLine", '\n'},
}};

// These want their semicolon.  Who hides a link from a filter writes its marks with them.
constexpr std::array<Named, 44> kMarks = {{
    {"colon", ':'}, {"sol", '/'}, {"period", '.'}, {"comma", ','}, {"semi", ';'}, {"excl", '!'}, {"quest", '?'}, {"num", '#'},
    {"percnt", '%'}, {"dollar", '$'}, {"commat", '@'}, {"lpar", '('}, {"rpar", ')'}, {"lsqb", '['}, {"lbrack", '['}, {"rsqb", ']'},
    {"rbrack", ']'}, {"lcub", '{'}, {"lbrace", '{'}, {"rcub", '}'}, {"rbrace", '}'}, {"ast", '*'}, {"midast", '*'}, {"plus", '+'},
    {"equals", '='}, {"lowbar", '_'}, {"UnderBar", '_'}, {"bsol", '\\'}, {"grave", '`'}, {"verbar", '|'}, {"vert", '|'},
    {"VerticalLine", '|'}, {"Hat", '^'}, {"hyphen", 0x2010}, {"dash", 0x2010}, {"horbar", 0x2015}, {"ZeroWidthSpace", 0x200b},
    {"NonBreakingSpace", 0xa0}, {"hairsp", 0x200a}, {"numsp", 0x2007}, {"puncsp", 0x2008}, {"NoBreak", 0x2060}, {"lrm", 0x200e},
    {"rlm", 0x200f},
}};

// The HTML standard, 13.2.5.80: numbers 128 to 159 mean windows-1252.
constexpr std::array<std::uint16_t, 32> kWindows1252 = {
    0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f,
    0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178};

constexpr std::array<std::string_view, 37> kBlocks = {
    "address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd", "div", "dl", "dt", "fieldset", "figure",
    "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hr", "html", "li", "main", "ol", "option", "p", "pre",
    "section", "table", "title", "tr", "ul"};

bool is_html_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }
bool is_alnum(char c) { return is_alpha(c) || is_digit(c); }

std::optional<std::uint32_t> named_character(std::string_view name, bool semicolon) {
  for (const Named& other : kOthers) {
    if (other.name == name) return other.character;
  }
  for (const Named& mark : kMarks) {
    if (semicolon && mark.name == name) return mark.character;
  }
  auto found = std::find(kLatin1.begin(), kLatin1.end(), name);
  if (found == kLatin1.end()) return std::nullopt;
  return 0xa0 + static_cast<std::uint32_t>(found - kLatin1.begin());
}

// `digits` behind "&#" or "&#x".
std::uint32_t numbered_character(std::string_view digits, unsigned base) {
  std::uint32_t value = 0;
  for (char c : digits) {
    unsigned digit = is_digit(c) ? static_cast<unsigned>(c - '0') : static_cast<unsigned>(ascii_lower(c) - 'a') + 10;
    value = std::min<std::uint32_t>(value * base + digit, 0x110000);
  }
  if (value >= 0x80 && value < 0xa0) return kWindows1252[value - 0x80];
  bool bad = value == 0 || value > 0x10ffff || (value >= 0xd800 && value < 0xe000);
  return bad ? kBadCharacter : value;
}

// Of the soft hyphen, zero-width space or byte order mark that the text starts with, or 0.  They cut words for filters only.
std::size_t invisible_length(std::string_view text) {
  for (std::string_view invisible : {"\xc2\xad", "\xe2\x80\x8b", "\xef\xbb\xbf"}) {
    if (text.starts_with(invisible)) return invisible.size();
  }
  return 0;
}

class Stripper {
 public:
  Stripper(std::string_view html, std::size_t limit) : html_(html), limit_(limit) { out_.reserve(std::min(html.size() / 2, limit)); }

  std::string run() {
    while (at_ < html_.size() && out_.size() < limit_) {
      char c = html_[at_];
      if (c == '<') {
        markup();
      } else if (c == '&') {
        entity();
      } else if (is_html_space(c)) {
        ++at_;
        space_ = true;
      } else {
        plain();
      }
    }
    if (out_.size() > limit_) {
      std::size_t end = limit_;
      while (end > 0 && (static_cast<unsigned char>(out_[end]) & 0xc0) == 0x80) --end;
      out_.resize(end);
    }
    return std::move(out_);
  }

 private:
  // Everything up to the next octet that means something.
  void plain() {
    auto end = std::min(html_.find_first_of("<& \t\n\r\f", at_), html_.size());
    put_run(html_.substr(at_, end - at_));
    at_ = end;
  }

  // Without invisible characters.
  void put_run(std::string_view run) {
    std::size_t begin = 0;
    for (std::size_t at = 0; at < run.size();) {
      std::size_t skip = static_cast<unsigned char>(run[at]) < 0x80 ? 0 : invisible_length(run.substr(at));
      if (skip == 0) {
        ++at;
        continue;
      }
      put(run.substr(begin, at - begin));
      begin = at += skip;
    }
    put(run.substr(begin));
  }

  void put(std::string_view piece) {
    if (piece.empty()) return;
    if (line_ && !out_.empty()) {
      out_ += '\n';
    } else if (space_ && !out_.empty()) {
      out_ += ' ';
    }
    line_ = space_ = false;
    // A few octets more than the limit, so that the cut at the end can fall between characters.
    std::size_t room = limit_ - std::min(limit_, out_.size());
    out_ += piece.size() < room ? piece : piece.substr(0, room + 4);
  }

  void put_character(std::uint32_t c) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == 0xa0) {
      space_ = true;
      return;
    }
    std::string octets;
    append_utf8(octets, c);
    put_run(octets);
  }

  void entity() {
    auto reference = character_reference(html_.substr(at_), false);
    if (!reference) {
      put("&");
      ++at_;
      return;
    }
    put_character(reference->character);
    at_ += reference->length;
  }

  void markup() {
    std::string_view rest = html_.substr(at_);
    if (rest.starts_with("<!--")) return comment();
    if (rest.starts_with("<!") || rest.starts_with("<?")) return skip_behind('>');
    bool closing = rest.starts_with("</");
    std::size_t begin = closing ? 2 : 1;
    if (begin >= rest.size() || !is_alpha(rest[begin])) {
      if (closing) return skip_behind('>');   // a bogus comment
      put("<");
      ++at_;
      return;
    }
    std::size_t end = begin;
    while (end < rest.size() && !is_html_space(rest[end]) && rest[end] != '>' && rest[end] != '/') ++end;
    std::string name = ascii_lowered(rest.substr(begin, std::min<std::size_t>(end - begin, 16)));
    at_ += end;
    attributes();
    if (!closing && (name == "script" || name == "style")) return raw_text(name);
    if (std::binary_search(kBlocks.begin(), kBlocks.end(), std::string_view(name))) line_ = true;
    if (name == "td" || name == "th") space_ = true;
  }

  void comment() {
    at_ += 4;
    if (html_.substr(at_).starts_with(">")) return skip_behind('>');
    if (html_.substr(at_).starts_with("->")) return skip_behind('>');
    // "-->" or "--!>", whichever comes first, in one scan: a search for each would run to the end at every comment.
    for (;;) {
      auto hyphens = html_.find("--", at_);
      at_ = std::min(hyphens, html_.size());
      if (hyphens == std::string_view::npos) return;
      std::string_view behind = html_.substr(hyphens + 2, 2);
      if (behind.starts_with('>') || behind == "!>") return skip_behind('>');
      ++at_;
    }
  }

  void skip_behind(char c) {
    auto end = html_.find(c, at_);
    at_ = end == std::string_view::npos ? html_.size() : end + 1;
  }

  // To behind the ">" of a tag: one inside a quoted value does not end it.
  void attributes() {
    while (at_ < html_.size()) {
      char c = html_[at_++];
      if (c == '>') return;
      if (c != '=') continue;
      while (at_ < html_.size() && is_html_space(html_[at_])) ++at_;
      if (at_ < html_.size() && (html_[at_] == '"' || html_[at_] == '\'')) {
        char quote = html_[at_++];
        skip_behind(quote);
      }
    }
  }

  // To the end tag of that name; it alone ends a script or a style.
  void raw_text(std::string_view name) {
    for (;;) {
      auto end = html_.find("</", at_);
      if (end == std::string_view::npos) {
        at_ = html_.size();
        return;
      }
      at_ = end + 2;
      std::string_view rest = html_.substr(at_);
      if (istarts_with(rest, name) && (rest.size() == name.size() || !is_alnum(rest[name.size()]))) return skip_behind('>');
    }
  }

  std::string_view html_;
  std::size_t limit_;
  std::size_t at_ = 0;
  std::string out_;
  bool space_ = false;
  bool line_ = false;
};

}  // namespace

std::string html_to_text(std::string_view html, std::size_t limit) {
  if (is_utf8(html)) return Stripper(html, limit).run();
  return Stripper(valid_utf8(html), limit).run();
}

std::optional<CharacterReference> character_reference(std::string_view text, bool in_attribute) {
  bool numbered = text.substr(1).starts_with('#');
  // Zeros before a number may be as many as one likes.
  std::string_view rest = text.substr(1, numbered ? std::string_view::npos : 32);
  bool hex = numbered && rest.size() > 1 && ascii_lower(rest[1]) == 'x';
  std::size_t begin = hex ? 2 : numbered ? 1 : 0;
  std::size_t end = begin;
  while (end < rest.size() && (numbered && !hex ? is_digit(rest[end]) : is_alnum(rest[end]))) {
    if (hex && !is_digit(rest[end]) && ascii_lower(rest[end]) > 'f') break;
    ++end;
  }
  std::string_view name = rest.substr(begin, end - begin);
  if (name.empty()) return std::nullopt;
  bool semicolon = end < rest.size() && rest[end] == ';';
  if (in_attribute && !numbered && !semicolon && end < rest.size() && rest[end] == '=') return std::nullopt;
  auto character = numbered ? numbered_character(name, hex ? 16 : 10) : named_character(name, semicolon);
  if (!character) return std::nullopt;
  return CharacterReference{*character, 1 + end + (semicolon ? 1 : 0)};
}

std::string html_escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace postern::mail
