// Replies of the servers that we send to: RFC 5321 4.2, RFC 2034, RFC 3463.  They may be anything, of any length.
#include "gateway/smtp_client/reply.h"

#include <algorithm>

#include "gateway/base/text.h"

namespace postern::smtp_client {
namespace {

// What is kept of a line that comes in pieces: the text, its codes, and an octet behind, to see that it was cut.
constexpr std::size_t kMaxLine = kMaxReplyLine + 32;

// The code of a reply line, or 0.  RFC 5321 4.2.1: the first digit is 2 to 5 in SMTP.
int code_of(std::string_view line) {
  if (line.size() < 3 || line[0] < '2' || line[0] > '5' || !is_digit(line[1]) || !is_digit(line[2])) return 0;
  if (line.size() > 3 && line[3] != ' ' && line[3] != '-') return 0;
  return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

// How long the enhanced status code at the start of `text` is, or 0.  RFC 3463 2; its class must be the code's.
std::size_t enhanced_length(std::string_view text, char code_class) {
  if (text.size() < 5 || text[0] != code_class || text[1] != '.' || code_class == '3') return 0;
  std::size_t at = 2;
  for (int number = 0; number < 2; ++number) {
    std::size_t first = at;
    while (at < text.size() && is_digit(text[at]) && at - first < 3) ++at;
    if (at == first) return 0;
    if (number == 0 && (at >= text.size() || text[at++] != '.')) return 0;
  }
  return at == text.size() || text[at] == ' ' ? at : 0;
}

// At most `limit` octets, not cut inside a UTF-8 character.
std::string_view shortened(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0) == 0x80) --limit;
  return text.substr(0, limit);
}

}  // namespace

std::vector<std::string_view> Reply::lines() const { return split(text, '\n'); }

std::string Reply::sentence() const {
  std::string out;
  if (code != 0) out = std::to_string(code) + ' ';
  if (code != 0 && !enhanced.empty()) out += enhanced + ' ';
  out += text;
  std::replace(out.begin(), out.end(), '\n', ' ');
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

ReplyReader::State ReplyReader::take(std::string_view have, std::size_t& used) {
  used = 0;
  while (used < have.size()) {
    auto rest = have.substr(used);
    auto end = rest.find('\n');
    bool whole = end != std::string_view::npos;
    auto piece = rest.substr(0, end);
    used += piece.size() + (whole ? 1 : 0);
    octets_ += piece.size() + (whole ? 1 : 0);
    if (octets_ > kMaxReplyOctets) return fail("a reply without end, beginning with \"" + printable(reply_.text + line_, 80) + "\"");
    auto state = State::more;
    if (whole && line_.empty()) {
      state = take_line(piece);
    } else {
      line_ += piece.substr(0, kMaxLine - std::min(kMaxLine, line_.size()));
      if (whole) {
        state = take_line(line_);
        line_.clear();
      }
    }
    if (state != State::more) return state;
  }
  return State::more;
}

ReplyReader::State ReplyReader::take_line(std::string_view line) {
  // A bare LF is forgiven: nothing but the text depends on it.
  if (line.ends_with('\r')) line.remove_suffix(1);
  int code = code_of(line);
  if (code == 0) return fail("no SMTP reply: \"" + printable(line, 80) + "\"");
  if (lines_ != 0 && code != reply_.code) {
    return fail("a reply that changes its code from " + std::to_string(reply_.code) + ": \"" + printable(line, 80) + "\"");
  }
  auto text = line.substr(std::min<std::size_t>(4, line.size()));
  auto enhanced = enhanced_length(text, line[0]);
  if (lines_ == 0) {
    reply_.code = code;
    reply_.enhanced = text.substr(0, enhanced);
  }
  if (enhanced != 0 && text.substr(0, enhanced) == reply_.enhanced) {
    text.remove_prefix(std::min(enhanced + 1, text.size()));
  }
  keep_text(text);
  ++lines_;
  return line.size() > 3 && line[3] == '-' ? State::more : State::done;
}

void ReplyReader::keep_text(std::string_view text) {
  text = shortened(text, kMaxReplyLine);
  if (lines_ >= kMaxReplyLines || reply_.text.size() + 1 + text.size() > kMaxReplyText) return;
  if (lines_ != 0) reply_.text += '\n';
  auto begin = reply_.text.size();
  reply_.text += text;
  // What is kept goes into logs, headers of our own and DSNs: it must forge nothing there.
  bool readable = is_utf8(text);
  for (auto at = begin; at < reply_.text.size(); ++at) {
    char& c = reply_.text[at];
    auto octet = static_cast<unsigned char>(c);
    if (octet < 0x20 || octet == 0x7f) c = ' ';
    if (octet >= 0x80 && !readable) c = '?';
  }
}

ReplyReader::State ReplyReader::fail(std::string problem) {
  problem_ = std::move(problem);
  return State::broken;
}

io::Task<Reply> read_reply(io::Stream& stream, Deadline deadline) {
  ReplyReader reader;
  for (;;) {
    std::size_t used = 0;
    auto state = reader.take(stream.buffered(), used);
    stream.consume(used);
    if (state == ReplyReader::State::done) co_return std::move(reader.reply());
    if (state == ReplyReader::State::broken) throw ProtocolError(reader.problem());
    co_await stream.fill(deadline);
  }
}

}  // namespace postern::smtp_client
