// Content-Type, Content-Disposition and Content-Transfer-Encoding with what senders make of them.
#include "gateway/mail/content.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "gateway/base/text.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/encoded_word.h"
#include "gateway/mail/headers.h"

namespace postern::mail {

namespace {

// Reads the value of a structured field from left to right.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) { skip_blank(); }

  bool done() const { return at_ >= text_.size(); }
  bool take(char c) {
    if (done() || text_[at_] != c) return false;
    ++at_;
    skip_blank();
    return true;
  }
  // Up to one of `stops` or white space or a comment; "" when nothing stands there.
  std::string_view word(std::string_view stops) {
    std::size_t begin = at_;
    while (!done() && !is_blank(text_[at_]) && text_[at_] != '(' && stops.find(text_[at_]) == std::string_view::npos) ++at_;
    std::string_view found = text_.substr(begin, at_ - begin);
    skip_blank();
    return found;
  }
  // A quoted string without quotes and escapes, or whatever stands before the next ";".
  std::string value() {
    if (!done() && text_[at_] == '"') return quoted();
    std::size_t begin = at_;
    while (!done() && text_[at_] != ';') {
      // A comment ends a token; a "(" inside one, as in name=a(1).pdf, does not.
      if (text_[at_] == '(' && at_ > begin && is_blank(text_[at_ - 1])) break;
      ++at_;
    }
    std::string found = unfolded(text_.substr(begin, at_ - begin));
    skip_blank();
    return found;
  }
  void skip_to(char c) {
    while (!done() && text_[at_] != c) ++at_;
  }

 private:
  static bool is_blank(char c) { return is_wsp(c) || c == '\r' || c == '\n'; }

  void skip_blank() {
    while (!done()) {
      if (is_blank(text_[at_])) {
        ++at_;
      } else if (text_[at_] == '(') {
        skip_comment();
      } else {
        return;
      }
    }
  }
  void skip_comment() {
    std::size_t depth = 0;
    for (; !done(); ++at_) {
      char c = text_[at_];
      if (c == '\\') {
        ++at_;
      } else if (c == '(') {
        ++depth;
      } else if (c == ')' && --depth == 0) {
        ++at_;
        return;
      }
    }
    at_ = std::min(at_, text_.size());
  }
  std::string quoted() {
    std::string out;
    for (++at_; !done() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\r' || text_[at_] == '\n') continue;
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      out += text_[at_];
    }
    if (!done()) ++at_;
    skip_blank();
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// To the end of the field, however many there are: the one that decides may be the last.
void read_parameters(Scanner& scanner, Parameters& parameters) {
  while (!scanner.done()) {
    // The first ";" is missing at times: "text/html charset=utf-8".
    while (scanner.take(';')) {
    }
    std::string_view name = scanner.word("=;");
    if (scanner.take('=')) {
      std::string value = scanner.value();
      if (!name.empty()) parameters.add(ascii_lowered(name), std::move(value));
    }
    scanner.skip_to(';');
  }
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    auto octet = text.front() == '%' && text.size() >= 3 ? from_hex(text.substr(1, 2)) : std::nullopt;
    out += octet ? *octet : std::string(1, text.front());
    text.remove_prefix(octet ? 3 : 1);
  }
  return out;
}

// The pieces of a split value rank below whole ones, or sixty of them would push the boundary out.
int rank(std::string_view name) {
  if (!decides(name)) return 0;
  return name.find('*') == std::string_view::npos ? 2 : 1;
}

// RFC 2231 4: "charset'language'value"; senders leave the quotes out.
std::string_view take_charset(std::string_view& value) {
  auto first = value.find('\'');
  if (first == std::string_view::npos) return {};
  auto second = value.find('\'', first + 1);
  if (second == std::string_view::npos) return {};
  std::string_view charset = value.substr(0, first);
  value.remove_prefix(second + 1);
  return charset;
}

}  // namespace

bool decides(std::string_view name) {
  name = name.substr(0, name.find('*'));   // RFC 2231 3 and 4: "name*", "name*0", "name*0*"
  return name == "boundary" || name == "charset" || name == "name" || name == "filename";
}

void Parameters::add(std::string name, std::string value) {
  // The first one counts; others must not push out what decides.
  auto same = [&name](const Parameter& other) { return other.name == name; };
  if (decides(name) && std::any_of(raw_.begin(), raw_.end(), same)) return;
  if (value.size() > kMaxParameterLength) {
    value.resize(kMaxParameterLength);
    truncated_ = true;
  }
  if (raw_.size() >= kMaxParameters) {
    truncated_ = true;
    auto lesser = std::find_if(raw_.rbegin(), raw_.rend(), [&name](const Parameter& other) { return rank(other.name) < rank(name); });
    if (lesser == raw_.rend()) return;
    raw_.erase(std::next(lesser).base());
  }
  raw_.push_back({std::move(name), std::move(value)});
}

std::string_view Parameters::plain(std::string_view name) const {
  for (const Parameter& parameter : raw_) {
    if (iequals(parameter.name, name)) return parameter.value;
  }
  return {};
}

std::optional<std::string> Parameters::get(std::string_view name) const {
  std::optional<std::string> plain_value;
  std::map<std::uint64_t, std::pair<std::string_view, bool>> pieces;   // number -> value, percent-encoded
  for (const Parameter& parameter : raw_) {
    if (!istarts_with(parameter.name, name)) continue;
    std::string_view rest = std::string_view(parameter.name).substr(name.size());
    if (rest.empty()) {
      if (!plain_value) plain_value = decode_words(parameter.value);
      continue;
    }
    if (rest.front() != '*') continue;
    rest.remove_prefix(1);
    bool encoded = rest.empty() || rest.ends_with('*');
    if (rest.ends_with('*')) rest.remove_suffix(1);
    auto number = rest.empty() ? std::optional<std::uint64_t>(0) : parse_number(rest);
    if (number) pieces.try_emplace(*number, std::string_view(parameter.value), encoded);
  }
  if (pieces.empty() || pieces.begin()->first != 0) return plain_value;
  std::string octets;
  std::string_view charset;
  std::uint64_t expected = 0;
  bool any_encoded = false;
  for (auto [number, piece] : pieces) {
    if (number != expected++) break;   // what follows a gap is lost
    auto [value, encoded] = piece;
    if (number == 0 && encoded) charset = take_charset(value);
    octets += encoded ? percent_decoded(value) : std::string(value);
    any_encoded = any_encoded || encoded;
  }
  return any_encoded ? to_utf8(octets, charset) : decode_words(octets);
}

ContentType parse_content_type(std::string_view raw) {
  Scanner scanner(raw);
  ContentType content;
  std::string type = ascii_lowered(scanner.word("/;="));
  std::string subtype;
  if (scanner.take('/')) subtype = ascii_lowered(scanner.word("/;="));
  if (subtype.empty() && type == "multipart") subtype = "mixed";
  if (subtype.empty() && type == "text") subtype = "plain";
  if (!type.empty() && !subtype.empty()) {
    content.type = std::move(type);
    content.subtype = std::move(subtype);
  }
  read_parameters(scanner, content.parameters);
  return content;
}

Disposition parse_disposition(std::string_view raw) {
  Scanner scanner(raw);
  Disposition disposition;
  disposition.kind = ascii_lowered(scanner.word(";="));
  // "filename=x" alone: senders forget the word before it.
  if (scanner.take('=')) {
    disposition.parameters.add(std::exchange(disposition.kind, "attachment"), scanner.value());
  }
  read_parameters(scanner, disposition.parameters);
  return disposition;
}

TransferEncoding parse_transfer_encoding(std::string_view raw) {
  Scanner scanner(raw);
  std::string_view written = scanner.word(";,");
  written.remove_prefix(std::min(written.find_first_not_of("\"'"), written.size()));
  std::string word = ascii_lowered(written.substr(0, written.find_last_not_of("\"'.") + 1));
  if (word.empty() || word == "7bit" || word == "8bit" || word == "binary" || word == "7-bit" || word == "8-bit") {
    return TransferEncoding::identity;
  }
  if (word == "base64" || word == "base-64") return TransferEncoding::base64;
  if (word == "quoted-printable" || word == "quotedprintable") return TransferEncoding::quoted_printable;
  if (word == "x-uuencode" || word == "uuencode" || word == "x-uue" || word == "uue") return TransferEncoding::uuencode;
  return TransferEncoding::other;
}

}  // namespace postern::mail
