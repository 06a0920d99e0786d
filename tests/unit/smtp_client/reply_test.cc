// Replies of foreign servers, whole and in pieces.
#include "gateway/base/text.h"
#include "gateway/smtp_client/extensions.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::smtp_client;

namespace {

using State = ReplyReader::State;

struct Read {
  State state = State::more;
  std::size_t used = 0;
  Reply reply;
  std::string problem;
};

Read read(std::string_view text, std::size_t piece = 1 << 20) {
  ReplyReader reader;
  Read out;
  while (out.state == State::more && out.used < text.size()) {
    std::size_t used = 0;
    out.state = reader.take(text.substr(out.used, piece), used);
    out.used += used;
  }
  out.reply = reader.reply();
  out.problem = reader.problem();
  return out;
}

Reply good(std::string_view text) {
  auto got = read(text);
  CHECK(got.state == State::done);
  return got.reply;
}

}  // namespace

TEST_CASE("a reply is its code, its enhanced code and its text") {
  struct Case {
    std::string_view wire;
    int code;
    std::string_view enhanced, text, sentence;
  };
  const Case cases[] = {
      {"250 OK\r\n", 250, "", "OK", "250 OK"},
      {"250\r\n", 250, "", "", "250"},
      {"250 \r\n", 250, "", "", "250"},
      {"550 5.1.1 No such user\r\n", 550, "5.1.1", "No such user", "550 5.1.1 No such user"},
      {"550 5.1.1\r\n", 550, "5.1.1", "", "550 5.1.1"},
      {"550-5.7.1 one\r\n550 5.7.1 two\r\n", 550, "5.7.1", "one\ntwo", "550 5.7.1 one two"},
      {"550-5.7.1 one\r\n550 two\r\n", 550, "5.7.1", "one\ntwo", "550 5.7.1 one two"},
      {"550 4.1.1 the class is another\r\n", 550, "", "4.1.1 the class is another", "550 4.1.1 the class is another"},
      {"250 2.1234.5 no code\r\n", 250, "", "2.1234.5 no code", "250 2.1234.5 no code"},
      {"250 2.0.0.1 no code\r\n", 250, "", "2.0.0.1 no code", "250 2.0.0.1 no code"},
      {"354 go on\r\n", 354, "", "go on", "354 go on"},
      {"250 a bare LF\n", 250, "", "a bare LF", "250 a bare LF"},
      {"250-\r\n250-\r\n250 x\r\n", 250, "", "\n\nx", "250   x"},
      {"250 gr\xc3\xbc\xc3\x9f\r\n", 250, "", "gr\xc3\xbc\xc3\x9f", "250 gr\xc3\xbc\xc3\x9f"},
  };
  for (const auto& c : cases) {
    INFO(c.wire);
    for (std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{1000}}) {
      auto got = read(c.wire, piece);
      CHECK(got.state == State::done);
      CHECK(got.used == c.wire.size());
      CHECK(got.reply.code == c.code);
      CHECK(got.reply.enhanced == c.enhanced);
      CHECK(got.reply.text == c.text);
      CHECK(got.reply.sentence() == c.sentence);
    }
  }
}

TEST_CASE("what follows a reply is left alone") {
  auto got = read("250 one\r\n250 two\r\n");
  CHECK(got.used == 9);
  CHECK(got.reply.text == "one");
}

TEST_CASE("a reply is positive, intermediate, transient or permanent by its first digit") {
  CHECK(good("251 x\r\n").positive());
  CHECK(good("334 x\r\n").intermediate());
  CHECK(good("451 x\r\n").transient());
  CHECK(good("554 x\r\n").permanent());
}

TEST_CASE("what is no reply is a problem that quotes it in print") {
  struct Case {
    std::string_view wire, quoted;
  };
  const Case cases[] = {
      {"HTTP/1.1 400 Bad Request\r\n", "HTTP/1.1 400 Bad Request"},
      {"\r\n", "\"\""},
      {"25 OK\r\n", "25 OK"},
      {"150 OK\r\n", "150 OK"},
      {"650 OK\r\n", "650 OK"},
      {"2500 OK\r\n", "2500 OK"},
      {"250=OK\r\n", "250=OK"},
      {"25\x01\x02\r\n", "25\\x01\\x02"},
      {"250-one\r\n550 two\r\n", "550 two"},
      {"250-one\r\nrubbish\r\n", "rubbish"},
  };
  for (const auto& c : cases) {
    INFO(c.wire);
    auto got = read(c.wire);
    CHECK(got.state == State::broken);
    CHECK(got.problem.find(c.quoted) != std::string::npos);
  }
}

TEST_CASE("a long reply is cut, not refused") {
  auto line = good("250 " + std::string(100'000, 'x') + "\r\n");
  CHECK(line.text == std::string(kMaxReplyLine, 'x'));
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "250-x\r\n";
  CHECK(good(many + "250 end\r\n").lines().size() == kMaxReplyLines);
  std::string wide;
  for (int i = 0; i < 100; ++i) wide += "250-" + std::string(3000, 'x') + "\r\n";
  auto text = good(wide + "250 end\r\n").text;
  CHECK(text.size() <= kMaxReplyText);
  CHECK(text.size() > kMaxReplyText - 3002);
}

TEST_CASE("a cut does not fall into a character") {
  std::string text(kMaxReplyLine - 1, 'x');
  CHECK(good("250 " + text + "\xc3\xbc\r\n").text == text);
}

TEST_CASE("a line of a megabyte and a reply without end are refused within bounds") {
  auto line = read("250 " + std::string(1 << 20, 'x') + "\r\n", 4096);
  CHECK(line.state == State::broken);
  CHECK(line.used <= kMaxReplyOctets + 4096);
  std::string many;
  while (many.size() < 2 * kMaxReplyOctets) many += "250-again and again\r\n";
  auto endless = read(many, 4096);
  CHECK(endless.state == State::broken);
  CHECK(endless.used <= kMaxReplyOctets + 4096);
  CHECK(endless.problem.find("again and again") != std::string::npos);
}

TEST_CASE("the text of a reply forges nothing where it is quoted") {
  CHECK(good(std::string_view("250 a\0b\rc\td\x7f\r\n", 14)).text == "a b c d ");
  CHECK(good("250 \xff\xfe\r\n").text == "??");
}

TEST_CASE("the answer to EHLO tells what is offered") {
  auto all = parse_extensions(good("250-mx.test STARTTLS\r\n250-size 1000\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
                                   "250-CHUNKING\r\n250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250-AUTH PLAIN LOGIN X\r\n"
                                   "250 LIMITS MAILMAX=7 RCPTMAX=20\r\n"));
  CHECK((all.size && all.pipelining && all.eight_bit_mime && all.smtputf8 && all.chunking && all.dsn && all.enhanced_codes));
  CHECK((all.auth_plain && all.auth_login));
  CHECK(all.max_size == 1000);
  CHECK(all.mail_max == 7);
  CHECK(all.rcpt_max == 20);
  CHECK_FALSE(all.starttls);   // in the server's name it means nothing
}

TEST_CASE("what cannot be read in the answer to EHLO is not offered") {
  auto some = parse_extensions(good("250-mx.test\r\n250-SIZE\r\n250-LIMITS RCPTMAX RCPTMAX=x MAILMAX=-1\r\n250-\r\n250-AUTH=PLAIN\r\n250 PIPELINING2\r\n"));
  CHECK(some.size);
  CHECK(some.max_size == 0);
  CHECK(some.rcpt_max == 0);
  CHECK(some.mail_max == 0);
  CHECK_FALSE(some.auth_plain);
  CHECK_FALSE(some.pipelining);
}
