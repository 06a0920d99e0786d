// Dot stuffing and TOP's count of lines, as a stream.
#include "gateway/pop3/multiline.h"

namespace postern::pop3 {

void Multiline::end_line() {
  if (in_body_) {
    if (body_lines_ && --*body_lines_ == 0) complete_ = true;
  } else if (line_empty_) {
    in_body_ = true;
    if (body_lines_ == 0) complete_ = true;
  }
  at_line_begin_ = true;
  line_empty_ = true;
  after_cr_ = false;
}

std::string Multiline::add(std::string_view octets) {
  std::string out;
  out.reserve(octets.size() + octets.size() / 64 + 2);
  std::size_t i = 0;
  while (i < octets.size() && !complete_) {
    char c = octets[i];
    if (c == '\n') {
      if (!after_cr_) out += '\r';
      out += '\n';
      ++i;
      end_line();
      continue;
    }
    if (after_cr_) line_empty_ = false;   // a bare CR is content
    if (at_line_begin_ && c == '.') out += '.';
    at_line_begin_ = false;
    after_cr_ = c == '\r';
    if (!after_cr_) line_empty_ = false;
    // The rest of the line up to its CR or LF goes over in one piece.
    std::size_t end = after_cr_ ? i + 1 : octets.find_first_of("\r\n", i);
    if (end == std::string_view::npos) end = octets.size();
    out.append(octets.substr(i, end - i));
    i = end;
  }
  return out;
}

}  // namespace postern::pop3
