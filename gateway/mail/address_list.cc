// Address lists of header fields.  RFC 5322 3.4 and 4.4, read in two steps: tokens, then entries out of tokens, so that
// every obsolete form (white space and comments between all parts) costs nothing extra.
#include <algorithm>
#include <utility>

#include "gateway/base/text.h"
#include "gateway/mail/address.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/encoded_word.h"

namespace postern::mail {

namespace {

constexpr std::size_t kMaxListText = 256 * 1024;   // octets of a field that are looked at
constexpr std::size_t kMaxEncodedWord = 512;       // looked ahead for the end of one

bool is_blank(char c) { return is_wsp(c) || c == '\r' || c == '\n'; }
bool is_special(char c) { return std::string_view("()<>[]:;@,.\"").find(c) != std::string_view::npos; }

struct Token {
  enum class Kind : unsigned char { word, quoted, special };
  Kind kind = Kind::word;
  bool space_before = false;
  std::string text;
  bool is(char c) const { return kind == Kind::special && text.front() == c; }
};
using Tokens = std::vector<Token>;

class Lexer {
 public:
  explicit Lexer(std::string_view text) : rest_(text) {}

  // False at the end.  A comment is no token: the last one is kept for take_comment().
  bool next(Token& token) {
    token.space_before = false;
    while (!rest_.empty() && (is_blank(rest_.front()) || rest_.front() == '(')) {
      token.space_before = true;
      if (rest_.front() == '(') {
        read_comment();
      } else {
        rest_.remove_prefix(1);
      }
    }
    if (rest_.empty()) return false;
    char c = rest_.front();
    if (c == '"') {
      token.kind = Token::Kind::quoted;
      token.text = read_quoted();
    } else if (c == '[') {
      token.kind = Token::Kind::word;
      token.text = std::string(cut(std::min(rest_.find(']'), rest_.size() - 1) + 1));
    } else if (is_special(c)) {
      token.kind = Token::Kind::special;
      token.text = std::string(cut(1));
    } else {
      token.kind = Token::Kind::word;
      token.text = std::string(cut(word_length()));
    }
    return true;
  }

  std::string take_comment() { return std::exchange(comment_, {}); }

 private:
  std::string_view cut(std::size_t length) {
    std::string_view found = rest_.substr(0, length);
    rest_.remove_prefix(found.size());
    return found;
  }

  std::size_t word_length() const {
    // Senders leave commas and dots in encoded words against RFC 2047 5 (3).
    if (rest_.starts_with("=?")) {
      std::string_view ahead = rest_.substr(0, kMaxEncodedWord);
      ahead = ahead.substr(0, ahead.find_first_of(" \t\r\n"));
      auto charset = ahead.find('?', 2);
      auto encoding = charset == std::string_view::npos ? charset : ahead.find('?', charset + 1);
      auto end = encoding == std::string_view::npos ? encoding : ahead.find("?=", encoding + 1);
      if (end != std::string_view::npos) return end + 2;
    }
    std::size_t end = 1;
    while (end < rest_.size() && !is_blank(rest_[end]) && !is_special(rest_[end])) ++end;
    return end;
  }

  std::string read_quoted() {
    std::string out;
    std::size_t at = 1;
    for (; at < rest_.size() && rest_[at] != '"'; ++at) {
      if (rest_[at] == '\r' || rest_[at] == '\n') continue;
      if (rest_[at] == '\\' && at + 1 < rest_.size()) ++at;
      out += rest_[at];
    }
    cut(at + 1);
    return out;
  }

  void read_comment() {
    comment_.clear();
    std::size_t depth = 0;
    std::size_t at = 0;
    for (; at < rest_.size(); ++at) {
      char c = rest_[at];
      if (c == '\r' || c == '\n') continue;
      if (c == '\\' && at + 1 < rest_.size()) {
        comment_ += rest_[++at];
        continue;
      }
      if (c == ')' && --depth == 0) break;
      if (depth > 0) comment_ += c;
      if (c == '(') ++depth;
    }
    cut(at + 1);
  }

  std::string_view rest_;
  std::string comment_;
};

// As a phrase: words with one space where there was white space.
std::string phrase(const Tokens& tokens, std::size_t begin, std::size_t end) {
  std::string out;
  for (std::size_t i = begin; i < end; ++i) {
    if (tokens[i].space_before && !out.empty()) out += ' ';
    out += tokens[i].text;
  }
  return out;
}

// As a part of an address: white space around dots is none.
std::string address_part(const Tokens& tokens, std::size_t begin, std::size_t end) {
  std::string out;
  for (std::size_t i = begin; i < end; ++i) {
    bool joined = i == begin || tokens[i].kind == Token::Kind::special || tokens[i - 1].kind == Token::Kind::special;
    if (!joined && tokens[i].space_before) out += ' ';
    out += tokens[i].text;
  }
  return out;
}

std::size_t last_at(const Tokens& tokens) {
  for (std::size_t i = tokens.size(); i-- > 0;) {
    if (tokens[i].is('@')) return i;
  }
  return tokens.size();
}

class ListReader {
 public:
  ListReader(std::string_view raw, std::size_t limit) : lexer_(raw), limit_(limit) {}

  std::vector<HeaderAddress> run() {
    Token token;
    while (out_.size() < limit_ && lexer_.next(token)) on_token(token);
    finish_entry();
    end_group();
    if (out_.size() > limit_) out_.resize(limit_);
    return std::move(out_);
  }

 private:
  void on_token(Token& token) {
    bool route = in_angle_ && !angle_.empty() && angle_.front().is('@');
    if (token.is(',') && !route) return finish_entry();
    if (token.is(';') && !route) {
      finish_entry();
      return end_group();
    }
    if (token.is(':') && route) return angle_.clear();
    if (token.is(':') && !in_angle_ && !had_angle_ && !in_group_ && !at_seen_) return begin_group();
    if (token.is('<') && !had_angle_) {
      in_angle_ = had_angle_ = true;
    } else if (token.is('>')) {
      in_angle_ = false;
    } else {
      at_seen_ = at_seen_ || (!in_angle_ && token.is('@'));
      (in_angle_ ? angle_ : outside_).push_back(std::move(token));
    }
  }

  void begin_group() {
    HeaderAddress group;
    group.kind = HeaderAddress::Kind::group_begin;
    group.name = phrase(outside_, 0, outside_.size());
    clear_outside();
    lexer_.take_comment();
    out_.push_back(std::move(group));
    in_group_ = true;
  }

  void end_group() {
    if (!in_group_) return;
    in_group_ = false;
    HeaderAddress end;
    end.kind = HeaderAddress::Kind::group_end;
    out_.push_back(std::move(end));
  }

  void finish_entry() {
    HeaderAddress entry;
    if (had_angle_) {
      entry.name = phrase(outside_, 0, outside_.size());
      split_address(entry, angle_, 0, angle_.size());
    } else {
      read_bare(entry);
    }
    std::string comment = lexer_.take_comment();
    if (entry.name.empty() && had_something()) entry.name = trimmed(comment);
    if (had_something()) out_.push_back(std::move(entry));
    clear_outside();
    angle_.clear();
    in_angle_ = had_angle_ = false;
  }

  void clear_outside() {
    outside_.clear();
    at_seen_ = false;
  }

  bool had_something() const { return had_angle_ || !outside_.empty(); }

  static void split_address(HeaderAddress& entry, const Tokens& tokens, std::size_t begin, std::size_t end) {
    std::size_t at = std::min(last_at(tokens), end);
    entry.local = address_part(tokens, begin, at);
    if (at < end) entry.domain = address_part(tokens, at + 1, end);
  }

  // "Name local@domain" without brackets: the words around the "@" are the address, those before it a name.
  void read_bare(HeaderAddress& entry) const {
    std::size_t at = last_at(outside_);
    if (at == outside_.size()) {
      entry.local = phrase(outside_, 0, outside_.size());
      return;
    }
    std::size_t begin = at;
    while (begin > 0 && joins(begin - 1, begin)) --begin;
    std::size_t end = std::min(at + 1, outside_.size());
    while (end < outside_.size() && joins(end - 1, end)) ++end;
    split_address(entry, outside_, begin, end);
    entry.name = phrase(outside_, 0, begin);
    std::string behind = phrase(outside_, end, outside_.size());
    if (!behind.empty()) entry.name += entry.name.empty() ? behind : " " + behind;
  }

  // Whether two neighbours belong to one address: no white space between them, or a dot or "@" on one side.
  bool joins(std::size_t left, std::size_t right) const {
    return !outside_[right].space_before || outside_[left].kind == Token::Kind::special ||
           outside_[right].kind == Token::Kind::special;
  }

  Lexer lexer_;
  std::size_t limit_;
  Tokens outside_;       // of this entry, outside and inside of "<...>"
  Tokens angle_;
  bool at_seen_ = false;  // among outside_
  bool in_angle_ = false;
  bool had_angle_ = false;
  bool in_group_ = false;
  std::vector<HeaderAddress> out_;
};

}  // namespace

std::string HeaderAddress::display_name() const { return decode_words(name); }

std::string HeaderAddress::address() const { return domain.empty() ? local : local + "@" + domain; }

std::vector<HeaderAddress> parse_address_list(std::string_view raw, std::size_t limit) {
  return ListReader(raw.substr(0, kMaxListText), limit).run();
}

}  // namespace postern::mail
