#pragma once

#include <string_view>

namespace postern::smtp_client {

// Cuts a body into runs that can be sent as they are, RFC 5321 4.5.2, whatever the pieces are that it comes in.
class DotStuffer {
 public:
  // Cuts the next run off the front of `rest`, which is not empty; `dot`: a dot goes in front of it.
  std::string_view next(std::string_view& rest, bool& dot);
  // The line end that the body may lack, and the line with the single dot.
  std::string_view ending() const;

 private:
  enum class After { line_end, cr, bare_lf, other };
  After after_ = After::line_end;
};

}  // namespace postern::smtp_client
