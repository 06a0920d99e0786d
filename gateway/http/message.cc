// Requests read strictly and answers written plainly.  RFC 9112 2 to 6.
#include "gateway/http/message.h"

#include <algorithm>

#include "gateway/base/digits.h"
#include "gateway/base/text.h"

namespace postern::http {
namespace {

constexpr std::size_t kMaxTarget = 2048;
constexpr std::size_t kMaxPairs = 64;

std::string_view reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 303: return "See Other";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Error";
  }
}

// RFC 9110 5.6.2.
bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) { return is_alpha(c) || is_digit(c) || kMarks.find(c) != std::string_view::npos; });
}

bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

// RFC 9110 5.5: anything but controls; tab is allowed.
bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return (c >= 0x20 && c != 0x7f) || c == '\t'; });
}

int read_request_line(std::string_view line, Request& request) {
  auto first = line.find(' ');
  auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return 400;
  auto method = line.substr(0, first);
  auto target = line.substr(first + 1, last - first - 1);
  auto version = line.substr(last + 1);
  if (!is_token(method) || !is_visible(target)) return 400;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return version.starts_with("HTTP/") ? 505 : 400;
  if (!target.starts_with('/')) return 400;
  if (target.size() > kMaxTarget) return 414;
  request.method = method;
  auto question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
  return 200;
}

int read_field(std::string_view line, Request& request) {
  auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)) || !is_field_value(line)) return 400;
  if (request.fields.size() == kMaxFields) return 431;
  request.fields.emplace_back(ascii_lowered(line.substr(0, colon)), std::string(trimmed(line.substr(colon + 1))));
  return 200;
}

// What says how long the body is must say it once and in the one way that we read.  RFC 9112 6.3.
int read_length(const Request& request, std::size_t& length) {
  bool has_length = false;
  for (const auto& [name, value] : request.fields) {
    if (name == "transfer-encoding") return 501;
    if (name != "content-length") continue;
    auto octets = parse_number(value);
    if (has_length || !octets) return 400;
    has_length = true;
    length = *octets;
  }
  return request.method == "POST" && !has_length ? 411 : 200;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::optional<Form> url_encoded(std::string_view body) {
  Form out;
  if (body.empty()) return out;
  for (auto pair : split(body, '&')) {
    auto equals = pair.find('=');
    auto name = percent_decoded(pair.substr(0, equals));
    auto value = equals == std::string_view::npos ? std::string() : percent_decoded(pair.substr(equals + 1));
    if (!name || !value || out.size() == kMaxPairs) return std::nullopt;
    out.emplace_back(std::move(*name), std::move(*value));
  }
  return out;
}

// The value of `name` in the parameters of a field: form-data; name="x".
std::string parameter(std::string_view value, std::string_view name) {
  for (auto part : split(value, ';')) {
    part = trimmed(part);
    auto equals = part.find('=');
    if (equals == std::string_view::npos || !iequals(trimmed(part.substr(0, equals)), name)) continue;
    auto found = trimmed(part.substr(equals + 1));
    if (found.size() >= 2 && found.front() == '"' && found.back() == '"') found = found.substr(1, found.size() - 2);
    return std::string(found);
  }
  return "";
}

// One part between two boundaries, its first line end gone already.
bool add_part(std::string_view part, Form& out) {
  auto end = part.find("\r\n\r\n");
  if (end == std::string_view::npos || out.size() == kMaxPairs) return false;
  for (auto line : split(part.substr(0, end), '\n')) {
    if (!istarts_with(line, "content-disposition:")) continue;
    out.emplace_back(parameter(line.substr(line.find(':') + 1), "name"), std::string(part.substr(end + 4)));
    return true;
  }
  return false;
}

std::optional<Form> multipart(std::string_view body, const std::string& boundary) {
  if (boundary.empty() || boundary.size() > 70) return std::nullopt;   // RFC 2046 5.1.1
  auto mark = "\r\n--" + boundary;
  std::string whole = "\r\n" + std::string(body);
  std::string_view rest = whole;
  auto begin = rest.find(mark);
  if (begin == std::string_view::npos) return std::nullopt;
  rest.remove_prefix(begin + mark.size());
  Form out;
  while (!rest.starts_with("--")) {
    auto end = rest.find(mark);
    if (!rest.starts_with("\r\n") || end == std::string_view::npos || !add_part(rest.substr(2, end < 2 ? 0 : end - 2), out)) return std::nullopt;
    rest.remove_prefix(end + mark.size());
  }
  return out;
}

}  // namespace

std::string_view Request::field(std::string_view name) const {
  for (const auto& [known, value] : fields) {
    if (known == name) return value;
  }
  return "";
}

Answer refusal(int status) { return refusal(status, std::string(reason(status))); }

Answer refusal(int status, std::string sentence) {
  Answer out;
  out.status = status;
  out.body = std::move(sentence) + "\n";
  return out;
}

Head parse_head(std::string_view text) {
  Head out;
  out.status = 400;
  if (text.size() > kMaxHead || !text.ends_with("\r\n\r\n")) return out;
  text.remove_suffix(2);
  bool first = true;
  while (!text.empty()) {
    auto end = text.find("\r\n");
    if (end == std::string_view::npos) return out;
    auto line = text.substr(0, end);
    text.remove_prefix(end + 2);
    bool is_request_line = std::exchange(first, false);
    int status = is_request_line ? read_request_line(line, out.request) : read_field(line, out.request);
    if (status == 200) continue;
    out.status = status;
    return out;
  }
  auto hosts = std::count_if(out.request.fields.begin(), out.request.fields.end(), [](const auto& field) { return field.first == "host"; });
  if (hosts > 1) return out;
  out.status = read_length(out.request, out.length);
  return out;
}

std::string wire(const Answer& answer, bool head) {
  std::string out = "HTTP/1.1 " + std::to_string(answer.status) + " " + std::string(reason(answer.status)) + "\r\nContent-Type: " + answer.type +
                    "\r\nContent-Length: " + std::to_string(answer.body.size()) + "\r\nConnection: close\r\n";
  for (const auto& [name, value] : answer.fields) out += name + ": " + value + "\r\n";
  out += "\r\n";
  if (!head) out += answer.body;
  return out;
}

std::optional<Form> form_of(const Request& request) {
  auto type = request.field("content-type");
  auto kind = trimmed(type.substr(0, type.find(';')));
  if (iequals(kind, "application/x-www-form-urlencoded")) return url_encoded(request.body);
  if (iequals(kind, "multipart/form-data")) return multipart(request.body, parameter(type, "boundary"));
  return std::nullopt;
}

std::string_view value_of(const Form& form, std::string_view name) {
  for (const auto& [known, value] : form) {
    if (known == name) return value;
  }
  return "";
}

}  // namespace postern::http
