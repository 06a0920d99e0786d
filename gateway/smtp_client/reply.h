#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/io/stream.h"
#include "gateway/io/task.h"

namespace postern::smtp_client {

// Of a reply that much is kept, what is more is dropped; a reply of more octets than the last is rubbish.
constexpr std::size_t kMaxReplyLine = 4096;
constexpr std::size_t kMaxReplyLines = 256;
constexpr std::size_t kMaxReplyText = 64 * 1024;
constexpr std::size_t kMaxReplyOctets = 512 * 1024;

// What a server answered, RFC 5321 4.2, with the enhanced status code taken out of the text (RFC 2034 4).
struct Reply {
  int code = 0;           // 200 to 599; 0: nothing was heard, the words are ours
  std::string enhanced;   // "5.1.1", or ""
  // Lines joined by LF, without codes.  No other control octet is in it, and it is valid UTF-8.
  std::string text;

  bool positive() const { return code / 100 == 2; }
  bool intermediate() const { return code / 100 == 3; }
  bool transient() const { return code / 100 == 4; }
  bool permanent() const { return code / 100 == 5; }
  // Into `text`.
  std::vector<std::string_view> lines() const;
  // One line for a log, a queue listing or a DSN: "550 5.1.1 No such user; see https://...".
  std::string sentence() const;

  bool operator==(const Reply&) const = default;
};

// What came is no SMTP, or not at its place.  The connection cannot go on.
class ProtocolError : public std::runtime_error {
 public:
  explicit ProtocolError(const std::string& what) : std::runtime_error(what) {}
};

// Puts one reply together from whatever pieces the network makes.
class ReplyReader {
 public:
  enum class State { more, done, broken };

  // Takes what belongs to the reply off the front of `have`; `used` says how many octets.  Not to be called again
  // after done or broken.
  State take(std::string_view have, std::size_t& used);

  // After done.
  Reply& reply() { return reply_; }
  // After broken: a sentence with the offending text made printable.
  const std::string& problem() const { return problem_; }

 private:
  State take_line(std::string_view line);
  State fail(std::string problem);
  void keep_text(std::string_view text);

  Reply reply_;
  std::string problem_;
  std::string line_;   // the beginning of a line whose end has not come
  std::size_t octets_ = 0;
  std::size_t lines_ = 0;
};

// Throws ProtocolError, io::Closed and io::TimedOut.  `stream` must outlive the task.
io::Task<Reply> read_reply(io::Stream& stream, Deadline deadline);

}  // namespace postern::smtp_client
