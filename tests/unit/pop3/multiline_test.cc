// Dot stuffing as a stream.
#include "gateway/pop3/multiline.h"

#include "tests/support/catch.h"

using postern::pop3::Multiline;

namespace {

std::string sent(const std::string& message, std::optional<std::uint64_t> lines, std::size_t piece) {
  Multiline multiline(lines);
  std::string out;
  for (std::size_t i = 0; i < message.size(); i += piece) out += multiline.add(std::string_view(message).substr(i, piece));
  return out + multiline.end();
}

}  // namespace

TEST_CASE("a message is sent the same however it is cut into pieces") {
  struct Case {
    std::string message;
    std::optional<std::uint64_t> lines;
    std::string want;
  };
  const std::vector<Case> cases = {
      {"", std::nullopt, ".\r\n"},
      {"A: b\r\n\r\nhi\r\n", std::nullopt, "A: b\r\n\r\nhi\r\n.\r\n"},
      {"A: b\r\n\r\n.\r\n..x\r\n a.b\r\n", std::nullopt, "A: b\r\n\r\n..\r\n...x\r\n a.b\r\n.\r\n"},
      {".A\r\n", std::nullopt, "..A\r\n.\r\n"},
      {"A: b\r\n\r\nno end", std::nullopt, "A: b\r\n\r\nno end\r\n.\r\n"},
      {"A: b\n\n.\nx\n", std::nullopt, "A: b\r\n\r\n..\r\nx\r\n.\r\n"},
      {"a\rb\r\n\r.\r\n", std::nullopt, "a\rb\r\n\r.\r\n.\r\n"},
      {"end\r", std::nullopt, "end\r\r\n.\r\n"},
      {"A: b\r\n\r\n1\r\n2\r\n3\r\n", 0, "A: b\r\n\r\n.\r\n"},
      {"A: b\r\n\r\n1\r\n2\r\n3\r\n", 2, "A: b\r\n\r\n1\r\n2\r\n.\r\n"},
      {"A: b\r\n\r\n1\r\n\r\n3\r\n", 2, "A: b\r\n\r\n1\r\n\r\n.\r\n"},
      {"A: b\r\n\r\n1\r\n2", 9, "A: b\r\n\r\n1\r\n2\r\n.\r\n"},
      {"A: b\r\nC: d\r\n", 1, "A: b\r\nC: d\r\n.\r\n"},
      {"\r\nbody\r\nmore\r\n", 1, "\r\nbody\r\n.\r\n"},
      {"A: b\r\n\r\r\n\r\n1\r\n2\r\n", 1, "A: b\r\n\r\r\n\r\n1\r\n.\r\n"},
  };
  for (const auto& c : cases) {
    for (std::size_t piece : {1, 2, 3, 1000}) {
      INFO(c.message << " in pieces of " << piece);
      CHECK(sent(c.message, c.lines, piece) == c.want);
    }
  }
}
