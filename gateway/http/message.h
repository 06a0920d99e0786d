#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Requests and answers of HTTP/1.1 (RFC 9110, RFC 9112), as much of it as a small page needs.  Pure functions.
namespace postern::http {

struct Request {
  std::string method;
  std::string path;    // as it came, percent signs and all; begins with '/'
  std::string query;   // behind '?'
  std::vector<std::pair<std::string, std::string>> fields;   // names in lower case
  std::string body;

  // The field's value, "" where there is none; `name` in lower case.
  std::string_view field(std::string_view name) const;
  bool only_looks() const { return method == "GET" || method == "HEAD"; }
};

struct Answer {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields = {};   // beside Content-Type, Content-Length, Connection
};

// Why a request is not answered as it is wanted: the status and a sentence.
Answer refusal(int status);
Answer refusal(int status, std::string sentence);

constexpr std::size_t kMaxHead = 8 * 1024;   // request line and fields
constexpr std::size_t kMaxFields = 64;

// The head of a request: everything up to and with the empty line.
//
// Strict, because what two programs read in two ways is an attack (RFC 9112 11.2): lines end with CRLF, no folded fields,
// no space before a colon, no control characters, no absolute target; HTTP/1.1 has one Host field.  Otherwise a status
// from 400 up is given.
struct Head {
  int status = 200;        // else the request is refused with it
  Request request;
  std::size_t length = 0;  // of the body, from Content-Length
};
Head parse_head(std::string_view text);

// The octets of an answer.  Without the body for HEAD.
std::string wire(const Answer& answer, bool head);

// Pairs of name and value of a form that was sent as application/x-www-form-urlencoded, or as multipart/form-data without
// files (RFC 7578).  At most 64; nothing where it is neither or broken.
using Form = std::vector<std::pair<std::string, std::string>>;
std::optional<Form> form_of(const Request& request);
// The first of that name; "" if there is none.
std::string_view value_of(const Form& form, std::string_view name);

}  // namespace postern::http
