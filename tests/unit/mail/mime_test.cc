// mail: the part table, the envelope, readable text.
#include "gateway/mail/mime.h"

#include "gateway/base/text.h"
#include "gateway/mail/address.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/text.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::mail;

namespace {

std::string with_crlf(std::string_view text) {
  std::string out;
  for (char c : text) out += c == '\n' ? std::string("\r\n") : std::string(1, c);
  return out;
}

// The example of RFC 3501 6.4.5: parts 1, 2, 3, 3.1, 3.2, 4, 4.1, 4.1.MIME, 4.2, 4.2.1, 4.2.2.
constexpr std::string_view kNested =
    "Subject: outer\nContent-Type: multipart/mixed; boundary=a\n\npreamble\n"
    "--a\n\npart one\n"
    "--a\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\nAAAA\n"
    "--a\nContent-Type: message/rfc822\n\nSubject: three\nContent-Type: multipart/mixed; boundary=b\n\n"
    "--b\n\n3.1\n--b\nContent-Type: application/octet-stream\n\n3.2\n--b--\nepilogue\n"
    "--a\nContent-Type: multipart/mixed; boundary=c\n\n"
    "--c\nContent-Type: image/gif\n\nGIF\n"
    "--c\nContent-Type: message/rfc822\n\nSubject: inner\nContent-Type: multipart/alternative; boundary=d\n\n"
    "--d\n\n4.2.1\n--d\nContent-Type: text/richtext\n\n4.2.2\n--d--\n--c--\n--a--\nlast words\n";

std::string body_of_number(const std::string& message, const PartTable& table, std::string_view number) {
  auto index = table.find(number);
  return index ? std::string(body_of(message, table.parts[*index])) : "none";
}

}  // namespace

TEST_CASE("the parts of a nested message are found by their IMAP numbers") {
  std::string message = with_crlf(kNested);
  PartTable table = parse(message);
  CHECK(body_of_number(message, table, "1") == "part one");
  CHECK(body_of_number(message, table, "2") == "AAAA");
  CHECK(body_of_number(message, table, "3.1") == "3.1");
  CHECK(body_of_number(message, table, "3.2") == "3.2");
  CHECK(body_of_number(message, table, "4.1") == "GIF");
  CHECK(body_of_number(message, table, "4.2.1") == "4.2.1");
  CHECK(body_of_number(message, table, "4.2.2") == "4.2.2");
  for (std::string_view none : {"0", "5", "1.1.1", "3.3", "4.2.3", "x", ".", "1.", "-1", "99999999999999999999"}) {
    INFO(none);
    CHECK_FALSE(table.find(none));
  }
  CHECK(table.find("") == 0U);
  auto three = table.message_of("3");
  REQUIRE(three);
  CHECK(header_of(message, table.parts[*three]) == with_crlf("Subject: three\nContent-Type: multipart/mixed; boundary=b\n\n"));
  CHECK(table.parts[*three].is_message);
  CHECK(EnvelopeView::read(table.parts[*three].envelope)->get(EnvelopeView::subject) == "three");
  CHECK(table.message_of("") == 0U);
  CHECK_FALSE(table.message_of("2"));
  CHECK_FALSE(table.truncated);
}

TEST_CASE("containers have bounds: a body goes up to the line end before the delimiter around it") {
  std::string message = with_crlf(kNested);
  PartTable table = parse(message);
  CHECK(table.root().end == message.size());
  std::string three = body_of_number(message, table, "3");
  CHECK(three.starts_with("Subject: three\r\n"));
  CHECK(three.ends_with("--b--\r\nepilogue"));
  std::string four = body_of_number(message, table, "4");
  CHECK(four.starts_with("--c\r\n"));
  CHECK(four.ends_with("--c--"));
}

TEST_CASE("lines are the line feeds of a body") {
  std::string message = with_crlf(kNested);
  PartTable table = parse(message);
  for (const Part& part : table.parts) {
    std::string_view body = body_of(message, part);
    CHECK(part.lines == static_cast<std::uint32_t>(std::count(body.begin(), body.end(), '\n')));
  }
}

TEST_CASE("a simple message is its own part 1 and has no part 2") {
  std::string message = "Subject: x\r\n\r\nhello\r\n";
  PartTable table = parse(message);
  REQUIRE(table.parts.size() == 1);
  CHECK(table.find("1") == 0U);
  CHECK_FALSE(table.find("2"));
  CHECK_FALSE(table.find("1.1"));
  CHECK(table.root().is("text", "plain"));
  CHECK(table.root().lines == 1);
  CHECK(body_of(message, table.root()) == "hello\r\n");
}

TEST_CASE("odd delimiters are judged as RFC 2046 says") {
  auto leaves = [](std::string_view text) { return parse(text).parts.size() - 1; };
  CHECK(leaves("Content-Type: multipart/mixed; boundary=\"a\"\n\n--a  \n\nx\n--a--") == 1);       // padding
  CHECK(leaves("Content-Type: multipart/mixed; boundary=a\n\n--ab\n\nx\n--a\n\ny\n--a--") == 1);  // a longer word
  CHECK(leaves("Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--a--\n--a\n\ny") == 1);   // epilogue
  CHECK(leaves("Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--a\n\ny") == 2);          // never closed
  CHECK(leaves("Content-Type: multipart/mixed; boundary=a\n\n--a\n--a\n--a--") == 2);             // empty parts
  CHECK(leaves("Content-Type: multipart/mixed\n\n--a\n\nx\n--a--") == 0);                         // no boundary
  CHECK(leaves("Content-Type: multipart/mixed; boundary=a\n\nnothing") == 0);
  CHECK(leaves("Content-Type: multipart/mixed; boundary=a\n--a\n\nx\n--a--") == 0);               // in the header itself
}

TEST_CASE("an outer delimiter ends an inner multipart that was never closed") {
  std::string message =
      "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=ab\n\n--ab\n\nx\n--a\n\ny\n--a--\n";
  PartTable table = parse(message);
  CHECK(body_of_number(message, table, "1.1") == "x");
  CHECK(body_of_number(message, table, "2") == "y");
}

TEST_CASE("a part whose header never ends does not swallow its neighbour") {
  std::string message = "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/html\n--a\n\ny\n--a--\n";
  PartTable table = parse(message);
  CHECK(table.parts.size() == 3);
  CHECK(body_of_number(message, table, "1").empty());
  CHECK(body_of_number(message, table, "2") == "y");
}

TEST_CASE("a message/rfc822 that ends in its header still encloses its message") {
  std::string message =
      "Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n\r\nSubject: x\r\n--a\r\n\r\n--a\r\n--a--\r\n";
  PartTable table = parse(message);
  CHECK(body_of_number(message, table, "1") == "Subject: x\r\n");
  for (const Part& part : table.parts) CHECK(part.end <= table.parts[part.parent].end);
  CHECK(deserialize(serialize(table)));
}

TEST_CASE("a digest's parts are messages") {
  std::string message = "Content-Type: multipart/digest; boundary=a\n\n--a\n\nSubject: x\n\nhello\n--a--\n";
  PartTable table = parse(message);
  CHECK(table.parts[1].is("message", "rfc822"));
  CHECK(body_of_number(message, table, "1.1") == "hello");
}

TEST_CASE("depth and number of parts are bounded and what is beyond stays in one opaque part") {
  std::string deep;
  for (int i = 0; i < 2000; ++i) deep += "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "\n\n--b" + std::to_string(i) + "\n";
  PartTable table = parse(deep);
  CHECK(table.truncated);
  CHECK(table.parts.size() == kMaxDepth + 1);
  CHECK(table.parts.back().end == deep.size());

  std::string wide = "Content-Type: multipart/mixed; boundary=a\n\n";
  for (int i = 0; i < 100'000; ++i) wide += "--a\n\nx\n";
  wide += "--a--\n";
  table = parse(wide);
  CHECK(table.truncated);
  CHECK(table.parts.size() == kMaxParts);
  CHECK(table.parts.back().end == wide.size());
  CHECK(table.parts.back().is("application", "octet-stream"));
}

TEST_CASE("thirty levels are read to the last one") {
  std::string message;
  for (int i = 0; i < 30; ++i) message += "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "\n\n--b" + std::to_string(i) + "\n";
  message += "\ndeep\n";
  for (int i = 29; i >= 0; --i) message += "--b" + std::to_string(i) + "--\n";
  PartTable table = parse(message);
  CHECK_FALSE(table.truncated);
  CHECK(table.parts.size() == 31);
  CHECK(body_of(message, table.parts.back()) == "deep");
}

TEST_CASE("rubbish of every kind has a sound table and valid text") {
  std::string nul(1000, '\0');
  std::string line(10'000'000, 'x');
  const std::string bodies[] = {
      nul, line, "Subject: " + line + "\r\n\r\nbody", "Content-Type: multipart/mixed; boundary=" + line + "\r\n\r\n--" + line,
      "Content-Type: text/" + line + "\r\n\r\nx", "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a" + line + "\r\n--a\r\n" + line,
      "Subject: a" + nul + "b\r\nContent-Type: text/plain" + nul + "\r\n\r\n" + nul,
      "Content-Transfer-Encoding: base64\r\n\r\nZm9vYmF", "Content-Type: text/plain; charset=utf-8\r\n\r\n\xff\xfe\xc0\xaf\xed\xa0\x80",
      "Content-Type: text/html; charset=utf-7\r\n\r\n+", "\xef\xbb\xbfSubject: bom\r\n\r\nx", "\r\r\n\r\r\n"};
  for (const std::string& message : bodies) {
    INFO(printable(message.substr(0, 60)));
    PartTable table = parse(message);
    for (const Part& part : table.parts) CHECK((part.header <= part.body && part.body <= part.end && part.end <= message.size()));
    std::string text = readable_text(message, table, 10'000);
    CHECK((text.size() <= 10'000 && is_utf8(text)));
    auto back = deserialize(serialize(table));
    REQUIRE(back);
    CHECK(*back == table);
    CHECK(serialize(table).size() <= 2 * kMaxTableText + 1000 * 64);
    CHECK(EnvelopeView::read(envelope_of(message)));
  }
  CHECK(readable_text(bodies[7], parse(bodies[7])) == "fooba");
}

TEST_CASE("a thousand parts with long parameters keep the table small and its structure whole") {
  std::string message = "Content-Type: multipart/mixed; boundary=a\n\n";
  for (int i = 0; i < 900; ++i) message += "--a\nContent-Type: message/rfc822; name=" + std::string(2000, 'n') + "\n\nSubject: " + std::string(2000, 's') + "\n\nx\n";
  PartTable table = parse(message);
  CHECK(table.truncated);
  CHECK(table.parts.size() == kMaxParts);
  CHECK(serialize(table).size() < 2 * kMaxTableText + kMaxParts * 64);
  CHECK(table.parts[1].type.parameters.plain("name").size() == 2000);
  CHECK(table.parts[999].kind == Part::Kind::leaf);
}

TEST_CASE("padding in a field hides neither parts nor names, and the table says that it was there") {
  std::string many;
  for (int i = 0; i < 64; ++i) many += "; a" + std::to_string(i) + "=0";
  const std::string paddings[] = {many, "; a=" + std::string(33'000, '0'), std::string(33'000, ' '), "; a=\"" + std::string(300'000, '0') + "\""};
  for (const std::string& padding : paddings) {
    INFO(padding.substr(0, 20));
    PartTable table = parse("Content-Type: multipart/mixed" + padding + "; boundary=b\n\n--b\nContent-Disposition: attachment" + padding +
                            "; filename=evil.exe\nContent-Transfer-Encoding: base64\n\nAAAA\n--b--\n");
    CHECK(table.truncated == (padding.front() == ';'));
    REQUIRE(table.parts.size() == 2);
    CHECK(table.parts[1].file_name() == "evil.exe");
    CHECK(table.parts[1].encoding == TransferEncoding::base64);
  }
}

TEST_CASE("long texts of other parts take no room from names, and a name that has none is told") {
  std::string padded = "--b\nContent-Type: text/plain";
  for (int i = 0; i < 3; ++i) padded += "; a" + std::to_string(i) + "=" + std::string(10'000, '0');
  padded += "\n\nx\n";
  std::string message = "Content-Type: multipart/mixed; boundary=b\n\n";
  for (int i = 0; i < 20; ++i) message += padded;
  message += "--b\nContent-Disposition: attachment; filename=evil.exe; x=y\n\nx\n";
  PartTable table = parse(message + "--b--\n");
  REQUIRE(table.parts.size() == 22);
  CHECK(table.parts[21].file_name() == "evil.exe");
  CHECK_FALSE(table.truncated);   // nothing that decides was lost

  std::string long_name = "--b\nContent-Disposition: attachment; filename=" + std::string(10'000, 'n') + "\n\nx\n";
  for (int i = 0; i < 60; ++i) message += long_name;
  message += "--b\nContent-Type: multipart/mixed; boundary=inner\n\n--inner\n\ny\n--inner--\n--b--\n";
  table = parse(message);
  CHECK(table.truncated);
  CHECK(table.parts.back().depth == 2);
  CHECK(serialize(table).size() < 2 * kMaxTableText + kMaxParts * 64);
}

TEST_CASE("a boundary in the manner of RFC 2231 bounds") {
  for (std::string written : {"boundary*0=a; boundary*1=b", "boundary*=us-ascii''%61b", "boundary*1=b; boundary*0=a"}) {
    INFO(written);
    CHECK(parse("Content-Type: multipart/mixed; " + written + "\n\n--ab\n\nx\n--ab--\n").parts.size() == 2);
  }
}

TEST_CASE("a multipart of an endless kind is read as mixed") {
  PartTable table = parse("Content-Type: multipart/" + std::string(200, 'x') + "; boundary=b\n\n--b\n\nx\n--b--\n");
  CHECK(table.truncated);
  CHECK(table.parts.size() == 2);
  CHECK(table.root().is("multipart", "mixed"));
}

TEST_CASE("a table survives its blob, and no damaged blob is believed") {
  std::string message = with_crlf(kNested);
  PartTable table = parse(message);
  std::string blob = serialize(table);
  auto back = deserialize(blob);
  REQUIRE(back);
  CHECK(*back == table);
  CHECK(serialize(*back) == blob);
  for (std::size_t cut = 0; cut < blob.size(); ++cut) CHECK_FALSE(deserialize(blob.substr(0, cut)));
  for (std::size_t at = 0; at < blob.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = blob;
      damaged[at] = static_cast<char>(damaged[at] ^ 1 << bit);
      auto read = deserialize(damaged);
      if (!read) continue;
      for (const Part& part : read->parts) CHECK(part.end <= read->size);
    }
  }
}

TEST_CASE("the envelope keeps raw values, joins repeated addresses and is bounded") {
  std::string header =
      "From: a@x\r\nSUBJECT: =?utf-8?q?x?=\r\n y\r\nSubject: second\r\nTo: b@x\r\nTo: c@x\r\nMessage-ID: <1@x>\r\nBcc:\r\n\r\n";
  std::string blob = envelope_of(header);
  auto view = EnvelopeView::read(blob);
  REQUIRE(view);
  CHECK(view->get(EnvelopeView::from) == "a@x");
  CHECK(view->get(EnvelopeView::subject) == "=?utf-8?q?x?= y");
  CHECK(view->get(EnvelopeView::to) == "b@x, c@x");
  CHECK(view->get(EnvelopeView::message_id) == "<1@x>");
  CHECK(view->get(EnvelopeView::bcc) == "");
  CHECK_FALSE(view->get(EnvelopeView::date));
  for (std::size_t cut = 0; cut < blob.size(); ++cut) CHECK_FALSE(EnvelopeView::read(blob.substr(0, cut)));

  std::string huge = "To: " + std::string(10'000'000, 'x') + "\r\n";
  for (int i = 0; i < 1000; ++i) huge += "Cc: " + std::string(1000, 'y') + "\r\n";
  CHECK(envelope_of(huge).size() <= kMaxEnvelope + 64);
}

TEST_CASE("readable text joins the text parts and leaves attachments out") {
  std::string message = with_crlf(
      "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/plain; charset=iso-8859-1\n"
      "Content-Transfer-Encoding: quoted-printable\n\ncaf=E9\n--a\nContent-Type: text/html\n\n<p>x &amp; y</p>\n"
      "--a\nContent-Type: text/plain\nContent-Disposition: attachment; filename=\"a.txt\"\n\nsecret\n--a--\n");
  PartTable table = parse(message);
  CHECK(readable_text(message, table) == "café\nx & y");
  CHECK(readable_text(message, table, 3) == "caf");
  CHECK(table.parts.back().file_name() == "a.txt");
}
