// The canonical forms.  RFC 6376 3.4.
#include "gateway/mail/dkim_canonical.h"

#include <array>
#include <cstring>

#include "gateway/base/text.h"

namespace postern::mail {
namespace {

// Puts short runs together: the hash behind the sink wants larger pieces.
class Pieces {
 public:
  explicit Pieces(const std::function<void(std::string_view)>& sink) : sink_(sink) {}

  void add(std::string_view run) {
    any_ = any_ || !run.empty();
    while (!run.empty()) {
      if (used_ == buffer_.size()) flush();
      auto part = run.substr(0, buffer_.size() - used_);
      std::memcpy(buffer_.data() + used_, part.data(), part.size());
      used_ += part.size();
      run.remove_prefix(part.size());
    }
  }
  void flush() {
    if (used_ != 0) sink_(std::string_view(buffer_.data(), used_));
    used_ = 0;
  }
  bool any() const { return any_; }

 private:
  const std::function<void(std::string_view)>& sink_;
  std::array<char, 8192> buffer_;
  std::size_t used_ = 0;
  bool any_ = false;
};

}  // namespace

void relaxed_field(std::string_view name, std::string_view raw, std::string& out) {
  for (char c : name) out += ascii_lower(c);
  out += ':';
  bool space = false;
  bool begun = false;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    // Unfolding: the line end goes, the white space behind it stays.
    if (raw[i] == '\r' && i + 1 < raw.size() && raw[i + 1] == '\n') {
      ++i;
      continue;
    }
    if (is_wsp(raw[i])) {
      space = true;
      continue;
    }
    if (space && begun) out += ' ';
    space = false;
    begun = true;
    out += raw[i];
  }
  out += "\r\n";
}

void relaxed_body(std::string_view body, const std::function<void(std::string_view)>& sink) {
  Pieces pieces(sink);
  std::size_t newlines = 0;   // held back, as is white space: at the end of the body and of a line they do not count
  bool space = false;
  for (std::size_t at = 0; at < body.size();) {
    char c = body[at];
    if (is_wsp(c)) {
      space = true;
      ++at;
      continue;
    }
    if (c == '\r' && at + 1 < body.size() && body[at + 1] == '\n') {
      space = false;
      ++newlines;
      at += 2;
      continue;
    }
    for (; newlines != 0; --newlines) pieces.add("\r\n");
    if (space) pieces.add(" ");
    space = false;
    std::size_t end = at + 1;
    while (end < body.size() && body[end] != ' ' && body[end] != '\t' && body[end] != '\r') ++end;
    pieces.add(body.substr(at, end - at));
    at = end;
  }
  if (pieces.any()) pieces.add("\r\n");
  pieces.flush();
}

void simple_body(std::string_view body, const std::function<void(std::string_view)>& sink) {
  while (body.ends_with("\r\n")) body.remove_suffix(2);
  if (!body.empty()) sink(body);
  sink("\r\n");
}

}  // namespace postern::mail
