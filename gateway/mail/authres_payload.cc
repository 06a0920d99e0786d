// A reader of authentication results.  It must get along with what the large senders write, which is not always what
// RFC 8601 has, and must never take text from a comment or a quoted string for a result.
#include "gateway/mail/authres_payload.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/mail/headers.h"

namespace postern::mail {
namespace {

constexpr std::size_t kMaxValue = 1'000;

bool is_blank(char c) { return is_wsp(c) || c == '\r' || c == '\n'; }

// A quoted string, the opening quote first, off the front; without its quotes.
std::string take_quoted(std::string_view& text) {
  std::string out;
  text.remove_prefix(1);
  while (!text.empty()) {
    char c = text.front();
    text.remove_prefix(1);
    if (c == '"') break;
    if (c == '\\' && !text.empty()) {
      c = text.front();
      text.remove_prefix(1);
    }
    if (c != '\r' && c != '\n') out += c;
  }
  return out;
}

// Up to white space, a comment, or one of `ends`; quoted strings are opened.
std::string take_value(std::string_view& text, std::string_view ends) {
  std::string out;
  while (!text.empty()) {
    char c = text.front();
    if (c == '"') {
      out += take_quoted(text);
    } else if (is_blank(c) || c == '(' || ends.find(c) != std::string_view::npos) {
      break;
    } else {
      out += c;
      text.remove_prefix(1);
    }
  }
  if (out.size() > kMaxValue) out.resize(kMaxValue);
  return out;
}

// One piece up to the next semicolon that is neither quoted nor in a comment, which goes as well.
std::string_view take_piece(std::string_view& text) {
  std::string_view rest = text;
  while (!rest.empty() && rest.front() != ';') {
    if (rest.front() == '"') {
      take_quoted(rest);
    } else if (rest.front() == '(') {
      skip_cfws(rest);
    } else {
      rest.remove_prefix(1);
    }
  }
  auto piece = text.substr(0, text.size() - rest.size());
  text = rest.empty() ? rest : rest.substr(1);
  return piece;
}

bool is_keyword(std::string_view word) {
  return !word.empty() && word.size() <= 100 &&
         std::all_of(word.begin(), word.end(), [](char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '_'; });
}

// "=" with what may stand around it.
bool take_equals(std::string_view& text) {
  skip_cfws(text);
  if (!text.starts_with('=')) return false;
  text.remove_prefix(1);
  skip_cfws(text);
  return true;
}

// ptype "." property "=" pvalue, or reason "=" value.
bool take_property(std::string_view& text, AuthResult& out) {
  std::string name = take_value(text, "=.;");
  bool right = is_keyword(name);
  skip_cfws(text);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    skip_cfws(text);
    auto second = take_value(text, "=;");
    right = right && is_keyword(second);
    name += "." + second;
  }
  if (!right || !take_equals(text)) return false;
  auto value = take_value(text, ";");
  name = ascii_lowered(name);
  if (name == "reason") {
    out.reason = std::move(value);
  } else if (out.properties.size() < kMaxAuthresProperties) {
    out.properties.push_back({std::move(name), std::move(value)});
  } else {
    return false;
  }
  return true;
}

bool parse_result(std::string_view piece, AuthResult& out) {
  skip_cfws(piece);
  out.method = ascii_lowered(take_value(piece, "=/;"));
  skip_cfws(piece);
  if (piece.starts_with('/')) {   // the method's version
    piece.remove_prefix(1);
    skip_cfws(piece);
    auto version = take_value(piece, "=;");
    if (!parse_number(version)) return false;
  }
  if (!is_keyword(out.method) || !take_equals(piece)) return false;
  out.result = ascii_lowered(take_value(piece, ";"));
  if (!is_keyword(out.result)) return false;
  for (skip_cfws(piece); !piece.empty(); skip_cfws(piece)) {
    if (!take_property(piece, out)) return false;
  }
  return true;
}

}  // namespace

void skip_cfws(std::string_view& text) {
  std::size_t depth = 0;
  while (!text.empty()) {
    char c = text.front();
    if (depth == 0 && !is_blank(c) && c != '(') return;
    if (c == '(') ++depth;
    if (c == ')' && depth > 0) --depth;
    text.remove_prefix(c == '\\' ? std::min<std::size_t>(2, text.size()) : 1);
  }
}

std::vector<const AuthResult*> AuthresPayload::of(std::string_view method) const {
  std::vector<const AuthResult*> out;
  for (const auto& result : results) {
    if (result.method == method) out.push_back(&result);
  }
  return out;
}

AuthresPayload parse_authres_payload(std::string_view text) {
  AuthresPayload out;
  bool cut = text.size() > kMaxAuthresPayload;
  text = text.substr(0, kMaxAuthresPayload);
  auto head = take_piece(text);
  skip_cfws(head);
  out.authserv_id = take_value(head, ";");
  skip_cfws(head);
  if (!head.empty()) {   // a version, or something that has no place here
    auto version = take_value(head, ";");
    skip_cfws(head);
    if (!parse_number(version) || !head.empty()) ++out.malformed;
  }
  std::size_t pieces = 0;
  while (!text.empty()) {
    auto piece = take_piece(text);
    bool last_is_cut = cut && text.empty();
    auto rest = piece;
    skip_cfws(rest);
    if (rest.empty() && !last_is_cut) continue;   // a final semicolon
    auto word = rest;
    bool none = iequals(take_value(word, "=;"), "none");
    skip_cfws(word);
    if (none && word.empty()) continue;           // RFC 8601 2.2 no-result
    AuthResult result;
    bool fits = ++pieces <= kMaxAuthresResults && !last_is_cut;
    if (fits && parse_result(piece, result)) {
      out.results.push_back(std::move(result));
    } else {
      ++out.malformed;
    }
  }
  return out;
}

std::string_view property(const AuthResult& result, std::string_view name) {
  for (const auto& each : result.properties) {
    if (each.name == name) return each.value;
  }
  return {};
}

std::string combined_results(std::string_view message, std::string_view authserv_id) {
  std::string out;
  HeaderReader reader(message);
  HeaderField field;
  while (reader.next(field)) {
    if (!iequals(field.name, "Authentication-Results") || !claims_authserv_id(field.raw, authserv_id)) continue;
    std::string_view text = field.raw;
    if (text.size() > kMaxAuthresPayload) continue;
    take_piece(text);   // the name
    while (!text.empty()) {
      auto piece = trimmed(take_piece(text));
      if (piece.empty() || iequals(piece, "none")) continue;
      if (out.size() + piece.size() > kMaxAuthresPayload - 1'000) break;
      out += ";\r\n\t" + std::string(piece);
    }
  }
  return std::string(authserv_id) + (out.empty() ? "; none" : out);
}

}  // namespace postern::mail
