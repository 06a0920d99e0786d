// DATA and BDAT bodies: strict line ends, dot-stuffing, bounds while streaming.
#include "gateway/smtp/body_reader.h"

#include <algorithm>
#include <cstring>

namespace postern::smtp {
namespace {

std::size_t find_octet(std::string_view text, char octet) {
  const void* at = text.empty() ? nullptr : std::memchr(text.data(), octet, text.size());
  return at == nullptr ? std::string_view::npos : static_cast<std::size_t>(static_cast<const char*>(at) - text.data());
}

// Takes the body apart piece by piece, whatever the pieces are that the network makes.
class DotReader {
 public:
  DotReader(io::Draft& draft, std::uint64_t limit) : draft_(draft), limit_(limit) {}

  enum class Step { more, end, bare_newline };

  // Consumes as much of `have` as can be judged; `used` says how much.  What lies between two dots that go is
  // kept in one piece.
  Step take(std::string_view have, std::size_t& used) {
    std::size_t kept = 0;   // octets of `have` that are kept, or gone
    used = 0;
    auto step = Step::more;
    while (used < have.size()) {
      auto rest = have.substr(used);
      if (line_start_ && rest.front() == '.') {
        if (rest.size() < 3 && std::string_view(".\r\n").starts_with(rest)) break;
        keep(have.substr(kept, used - kept));
        bool end = rest.starts_with(".\r\n");
        used += end ? 3 : 1;  // RFC 5321 4.5.2: the first dot of a longer line goes
        kept = used;
        if (end) return Step::end;
        line_start_ = false;
        continue;
      }
      auto newline = find_octet(rest, '\n');
      auto line = newline == std::string_view::npos ? rest : rest.substr(0, newline + 1);
      auto cr = find_octet(line, '\r');
      bool whole = newline != std::string_view::npos;
      bool has_cr = cr != std::string_view::npos;
      if (whole ? !has_cr || cr + 2 != line.size() : has_cr && cr + 1 != line.size()) {
        step = Step::bare_newline;
        break;
      }
      std::size_t taken = whole || !has_cr ? line.size() : cr;   // a CR waits for its LF
      used += taken;
      if (taken > 0) line_start_ = whole;
      if (!whole) break;
    }
    keep(have.substr(kept, used - kept));
    return step;
  }

  BodyEnd verdict() const { return failed_ ? BodyEnd::no_space : too_big_ ? BodyEnd::too_big : BodyEnd::complete; }

 private:
  void keep(std::string_view octets) {
    if (octets.empty() || too_big_ || failed_) return;
    if (draft_.size() + octets.size() > limit_) {
      too_big_ = true;
      return;
    }
    if (!draft_.append(octets)) failed_ = true;
  }

  io::Draft& draft_;
  std::uint64_t limit_;
  bool line_start_ = true;
  bool too_big_ = false;
  bool failed_ = false;
};

Deadline next_deadline(const BodyLimits& limits) { return std::min(in(limits.idle), limits.whole); }

// Is every CR followed by LF and every LF led by CR?  `last` is the octet before `text`.
bool has_bare_newline(std::string_view text, char last) {
  for (char c : text) {
    if ((c == '\n') != (last == '\r')) return true;
    last = c;
  }
  return false;
}

}  // namespace

io::Task<BodyEnd> read_body(io::Stream& stream, io::Draft& draft, BodyLimits limits) {
  DotReader reader(draft, limits.max_octets);
  for (;;) {
    std::size_t used = 0;
    auto step = reader.take(stream.buffered(), used);
    stream.consume(used);
    if (step == DotReader::Step::end) co_return reader.verdict();
    if (step == DotReader::Step::bare_newline) co_return BodyEnd::bare_newline;
    co_await stream.fill(next_deadline(limits));
  }
}

io::Task<BodyEnd> read_chunk(io::Stream& stream, io::Draft& draft, std::uint64_t octets, char& last_octet, BodyLimits limits) {
  BodyEnd end = BodyEnd::complete;
  while (octets > 0) {
    if (stream.buffered().empty()) co_await stream.fill(next_deadline(limits));
    auto piece = stream.buffered().substr(0, octets);
    if (end == BodyEnd::complete) {
      if (draft.size() + piece.size() > limits.max_octets) {
        end = BodyEnd::too_big;
      } else if (has_bare_newline(piece, last_octet)) {
        end = BodyEnd::bare_newline;
      } else if (!draft.append(piece)) {
        end = BodyEnd::no_space;
      }
    }
    last_octet = piece.back();
    octets -= piece.size();
    stream.consume(piece.size());
  }
  co_return end;
}

}  // namespace postern::smtp
