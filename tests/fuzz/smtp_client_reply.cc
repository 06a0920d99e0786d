// Replies of foreign servers: in whatever pieces they come, the same reply is read, within bounds, and fit to be quoted.
#include <cstdint>
#include <cstdlib>

#include "gateway/base/text.h"
#include "gateway/smtp_client/extensions.h"

using namespace postern;
using smtp_client::ReplyReader;

namespace {

void must(bool condition) {
  if (!condition) std::abort();
}

struct Read {
  ReplyReader::State state = ReplyReader::State::more;
  std::size_t used = 0;
  smtp_client::Reply reply;
  std::string problem;
};

Read read(std::string_view text, std::size_t piece) {
  ReplyReader reader;
  Read out;
  while (out.state == ReplyReader::State::more && out.used < text.size()) {
    std::size_t used = 0;
    out.state = reader.take(text.substr(out.used, piece), used);
    must(used > 0);
    out.used += used;
  }
  out.reply = reader.reply();
  out.problem = reader.problem();
  return out;
}

}  // namespace

// The first octet is the size of the pieces.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  auto text = input.substr(1);
  auto whole = read(text, text.size() + 1);
  auto pieces = read(text, 1 + static_cast<std::uint8_t>(input[0]) % 16);
  must(whole.state == pieces.state && whole.used == pieces.used && whole.reply == pieces.reply);
  if (whole.state == ReplyReader::State::broken) must(!whole.problem.empty() && whole.problem.size() < 2000);
  if (whole.state != ReplyReader::State::done) return 0;
  const auto& reply = whole.reply;
  must(reply.code >= 200 && reply.code <= 599 && reply.text.size() <= smtp_client::kMaxReplyText);
  must(is_utf8(reply.text));
  must(reply.enhanced.empty() || reply.enhanced[0] == static_cast<char>('0' + reply.code / 100));
  auto sentence = reply.sentence();
  for (char c : sentence) must(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  smtp_client::parse_extensions(reply);
  return 0;
}
