#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::smtp {

// One SMTP reply: code, enhanced status code (RFC 3463) and text, RFC 5321 4.2.
class Reply {
 public:
  // `enhanced` is "" where RFC 2034 4 wants none: greeting, EHLO, 354.
  Reply(int code, std::string_view enhanced, std::string text);

  Reply& and_line(std::string text);          // a further line of a multiline reply
  Reply& then_close() { closes_ = true; return *this; }

  int code() const { return code_; }
  bool is_error() const { return code_ >= 400; }
  bool closes() const { return closes_; }     // the connection ends after it
  Reply with_text(std::string text) const;    // the same code, one line
  const std::string& text() const { return lines_.front(); }
  // As sent, every line with CRLF.  Control octets and line ends inside a text become spaces:
  // a reason that a rule made from a header must not forge a second reply.
  std::string wire() const;

 private:
  int code_;
  std::string enhanced_;
  std::vector<std::string> lines_;
  bool closes_ = false;
};

// The replies that more than one command gives.
namespace reply {
Reply ok();                                   // 250 2.0.0
Reply bad_sequence(std::string text);         // 503 5.5.1
Reply syntax(std::string text);               // 501 5.5.4
Reply unknown_command();                      // 500 5.5.2
Reply log_in_first();                         // 530 5.7.0
Reply line_too_long();                        // 500 5.5.2
Reply too_many_commands();                    // 421 4.7.0, closes
Reply too_many_errors();                      // 421 4.7.0, closes
Reply shutting_down(std::string_view hostname);   // 421 4.3.2, closes
Reply timed_out(std::string_view hostname);   // 421 4.4.2, closes
Reply no_space();                             // 452 4.3.1
Reply too_big();                              // 552 5.3.4
}  // namespace reply

}  // namespace postern::smtp
