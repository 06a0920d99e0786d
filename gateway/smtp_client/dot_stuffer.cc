// Dot-stuffing, RFC 5321 4.5.2.
#include "gateway/smtp_client/dot_stuffer.h"

#include <algorithm>

namespace postern::smtp_client {

std::string_view DotStuffer::next(std::string_view& rest, bool& dot) {
  // Behind a bare LF too: to a server that takes it for a line end a dot there could be the end of the message.
  dot = rest.front() == '.' && (after_ == After::line_end || after_ == After::bare_lf);
  auto newline = rest.find("\n.");
  auto run = rest.substr(0, newline == std::string_view::npos ? newline : newline + 1);
  rest.remove_prefix(run.size());
  char last = run.back();
  if (last == '\r') {
    after_ = After::cr;
  } else if (last == '\n') {
    bool crlf = run.size() > 1 ? run[run.size() - 2] == '\r' : after_ == After::cr;
    after_ = crlf ? After::line_end : After::bare_lf;
  } else {
    after_ = After::other;
  }
  return run;
}

std::string_view DotStuffer::ending() const {
  constexpr std::string_view kEnding = "\r\n.\r\n";
  if (after_ == After::line_end) return kEnding.substr(2);
  return after_ == After::cr ? kEnding.substr(1) : kEnding;
}

}  // namespace postern::smtp_client
