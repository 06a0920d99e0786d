// Authentication-Results, RFC 8601: written for our readers, and recognised when a stranger wrote it in our name.
#include "gateway/mail/auth_results.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/mail/idna.h"

namespace postern::mail {

namespace {

constexpr std::size_t kMaxValue = 300;

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c <= '~' && std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
  });
}

// RFC 8601 2.2 pvalue: a token, or [local] "@" domain, else a quoted string.
std::string as_value(std::string_view text) {
  text = text.substr(0, kMaxValue);
  auto at = text.rfind('@');
  bool address = at != std::string_view::npos && (at == 0 || is_token(text.substr(0, at))) && is_token(text.substr(at + 1));
  if (is_token(text) || address) return std::string(text);
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? ' ' : c;
  }
  // The cut above, or a sender, may have left half a character.
  return is_utf8(out) ? out + "\"" : printable(out, kMaxValue * 4) + "\"";
}

bool is_blank(char c) { return is_wsp(c) || c == '\r' || c == '\n' || c == '\0'; }

// White space and comments, nested and escaped.  RFC 5322 3.2.2.
void skip_comments(std::string_view& text) {
  std::size_t depth = 0;
  while (!text.empty()) {
    char c = text.front();
    if (depth == 0 && !is_blank(c) && c != '(') return;
    if (c == '(') ++depth;
    if (c == ')' && depth > 0) --depth;
    text.remove_prefix(c == '\\' ? std::min<std::size_t>(2, text.size()) : 1);
  }
}

// The first word of the value without quotes, comments and folding.
std::string first_word(std::string_view text) {
  std::string word;
  skip_comments(text);
  bool quoted = false;
  while (!text.empty()) {
    char c = text.front();
    text.remove_prefix(1);
    if (c == '"') {
      quoted = !quoted;
    } else if (c == '\\' && quoted && !text.empty()) {
      word += text.front();
      text.remove_prefix(1);
    } else if (c == '\r' || c == '\n' || c == '\0') {
      continue;   // a reader that unfolds carelessly joins the word here
    } else if (!quoted && (is_blank(c) || c == ';' || c == '(')) {
      break;
    } else {
      word += c;
    }
  }
  return word;
}

std::string canonical(std::string_view name) {
  name = trimmed(name);
  if (auto ascii = domain_to_ascii(name)) return *ascii;
  return ascii_lowered(name);
}

}  // namespace

std::string authentication_results_field(std::string_view authserv_id, const std::vector<AuthResult>& results) {
  std::string field = "Authentication-Results: " + std::string(authserv_id);
  if (results.empty()) return field + "; none\r\n";
  for (const AuthResult& result : results) {
    field += ";\r\n\t" + result.method + "=" + result.result;
    if (!result.reason.empty()) field += " reason=" + as_value(result.reason);
    for (const auto& property : result.properties) {
      if (!property.value.empty()) field += "\r\n\t " + property.name + "=" + as_value(property.value);
    }
  }
  return field + "\r\n";
}

bool claims_authserv_id(std::string_view raw, std::string_view authserv_id) {
  return canonical(first_word(raw)) == canonical(authserv_id);
}

}  // namespace postern::mail
