// Text, links and attachments of a message, and what they cost.
#include "filters/content.h"

#include "tests/support/catch.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::filters;

namespace {

struct Piece {
  const char* fields;
  std::string body;
};

std::string mixed(const std::vector<Piece>& pieces) {
  std::string out = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
  for (const auto& piece : pieces) out += "--b\r\n" + std::string(piece.fields) + "\r\n" + piece.body + "\r\n";
  return out + "--b--\r\n";
}

Content content(const std::string& message) { return content_of(message, mail::parse(message)); }

std::string repeated(std::string_view piece, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += piece;
  return out;
}

constexpr const char* kHtml = "Content-Type: text/html\r\n";

}  // namespace

TEST_CASE("HTML without text is decoded up to a limit of the message, not of each part") {
  Piece empty{kHtml, repeated("<b>", 350'000)};
  Piece late{kHtml, "late <a href=http://late.example>x</a>"};
  CHECK(content(mixed({empty, late})).text == "late x");
  CHECK(content(mixed({empty, late})).links.size() == 1);
  std::vector<Piece> many(9, empty);
  many.push_back(late);
  auto out = content(mixed(many));
  CHECK(out.text.find("late") == std::string::npos);
  CHECK(out.links.empty());
}

TEST_CASE("the size of an attachment is at most what it has in the message, however much was decoded before") {
  Piece file{"Content-Type: application/x; name=f\r\nContent-Transfer-Encoding: quoted-printable\r\n", repeated("=41", 1'000'000)};
  auto out = content(mixed({file, file, file, file}));
  REQUIRE(out.attachments.size() == 4);
  CHECK(out.attachments[0].size == 1'000'000);
  CHECK(out.attachments[3].size == 3'000'000);
}

TEST_CASE("a message of hostile parts costs no more than its length") {
  const Piece pieces[] = {
      {kHtml, repeated("<a href=x>", 2000) + repeated("<b>", 1400)},
      {kHtml, repeated("<b>", 8000)},
      {kHtml, repeated("<script>", 3000)},
      {"Content-Type: text/plain\r\n", repeated("www.498 ", 3000)},
      {"Content-Type: multipart/alternative; boundary=b\r\n", repeated("--b\r\n", 20)},
  };
  for (const auto& piece : pieces) {
    CAPTURE(piece.fields, piece.body.substr(0, 12));
    const std::string few = mixed(std::vector<Piece>(100, piece)), many = mixed(std::vector<Piece>(400, piece));
    auto read = [&](std::size_t count) { return content(count == 100 ? few : many).text.size(); };
    CHECK(testing::grows_with_its_length(read, 100));
  }
}
