// mail: the header block, encoded words, Content-* fields.
#include "gateway/mail/headers.h"

#include "gateway/base/text.h"
#include "gateway/mail/content.h"
#include "gateway/mail/encoded_word.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::mail;

TEST_CASE("fields are found case-blind and by number, with CRLF and with bare LF") {
  for (std::string eol : {"\r\n", "\n"}) {
    std::string text = "Subject: one" + eol + "RECEIVED: a" + eol + " b" + eol + "received : c" + eol + eol + "body: no" + eol;
    HeaderBlock block(text);
    REQUIRE(block.fields().size() == 3);
    CHECK(block.find("subject")->raw == " one");
    CHECK(block.nth("Received", 0)->raw == " a" + eol + " b");
    CHECK(block.nth("Received", 1)->raw == " c");
    CHECK(block.nth("Received", 2) == nullptr);
    CHECK(block.count("received") == 2);
    CHECK(text.substr(block.body_offset()) == "body: no" + eol);
    CHECK(text.substr(block.fields_end()) == eol + "body: no" + eol);
    CHECK(text.substr(block.nth("received", 1)->begin, 8) == "received");
  }
}

TEST_CASE("a line that is no field has no name and does not end the header") {
  HeaderBlock block("From me Mon Jan 1 00:00:00\n lead\nTo: x\nrubbish\n: empty\nSubject:\n\nbody");
  REQUIRE(block.fields().size() == 5);
  CHECK(block.fields()[0].name.empty());
  CHECK(block.fields()[0].raw == "From me Mon Jan 1 00:00:00\n lead");
  CHECK(block.fields()[2].raw == "rubbish");
  CHECK(block.fields()[3].raw == ": empty");
  CHECK(block.find("Subject")->raw.empty());
  CHECK(block.find("") == nullptr);
}

TEST_CASE("a header may end with the text, in the middle of anything") {
  for (std::string text : {"", "\n", "\r\n", "\r", "A", "A:", "A: b", "A: b\r", "A: b\r\n", "A: b\r\n ", "A: b\r\n\r", ":"}) {
    INFO(hex(text));
    HeaderBlock block(text);
    CHECK(block.body_offset() == text.size());
    CHECK(block.fields_end() <= text.size());
  }
}

TEST_CASE("a hundred thousand fields cost their length and no more than the limit is kept") {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "X: y\r\n";
  text += "\r\nbody";
  HeaderBlock block(text);
  CHECK(block.truncated());
  CHECK(block.fields().size() == HeaderBlock::kMaxFields);
  CHECK(text.substr(block.body_offset()) == "body");
}

TEST_CASE("unfolding takes the line ends away and nothing else") {
  CHECK(unfolded(" a\r\n\tb \r\n c\r\n") == "a\tb  c");
  CHECK(unfolded("") == "");
  CHECK(unfolded("\r\n \r\n") == "");
}

TEST_CASE("of a long field the beginning is readable, cut between characters") {
  CHECK(readable(std::string(1'000'000, 'x')).size() == kMaxReadableField);
  std::string vowels = "xx";   // so that the cut falls into a character
  while (vowels.size() < 2 * kMaxReadableField) vowels += "\u1ebf";
  std::string text = readable(vowels);
  CHECK(text == vowels.substr(0, text.size()));
  CHECK(text.size() > kMaxReadableField - 3);
}

TEST_CASE("encoded words become UTF-8, also as senders really write them") {
  struct Case {
    std::string_view in, out;
  };
  const Case cases[] = {
      {"plain", "plain"},
      {"=?utf-8?q?Ti=E1=BA=BFng_Vi=E1=BB=87t?=", "Tiếng Việt"},
      {"=?UTF-8?B?VGnhur9uZw==?= =?UTF-8?B?IFZp4buHdA==?=", "Tiếng Việt"},
      {"=?iso-8859-1?Q?a?= =?ISO-8859-1?Q?b?=\r\n =?utf-8?q?c?=", "abc"},
      {"a =?utf-8?q?b?= c", "a b c"},
      {"=?utf-8?q?=E1=BA?= =?utf-8?q?=BF?=", "ế"},                 // a character cut in two
      {"=?utf-8?q?a?==?utf-8?q?b?=", "ab"},                        // no white space between
      {"\"=?utf-8?q?quoted?=\"", "\"quoted\""},
      {"=?utf-8?q?with space?=", "with space"},
      {"=?utf-8*en?q?language?=", "language"},
      {"=?utf-8?B?VGk?=", "Ti"},                                   // no padding
      {"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"},
      {"=?windows-1258?Q?=FD?=", "ư"},
      {"=?no-such-charset?Q?abc=E9?=", "abcé"},
      {"=?utf-8?x?abc?=", "=?utf-8?x?abc?="},
      {"=?utf-8?q?open", "=?utf-8?q?open"},
      {"=?", "=?"},
      {"=?=", "=?="},
      {"=?utf-8?q?" "?=", ""},
      {"caf\xe9", "café"},
      {"=?utf-8?q?really?" "?=", "really?"},
  };
  for (auto [in, out] : cases) {
    INFO(in);
    CHECK(decode_words(in) == out);
  }
}

TEST_CASE("ten megabytes of half encoded words are done in linear time") {
  std::string text;
  while (text.size() < 10'000'000) text += "=?a?q?b";
  CHECK(decode_words(text) == text);
}

TEST_CASE("a content type is read through its disguises") {
  auto type = parse_content_type(" Text/HTML; (comment) Charset = \"utf-8\" ; name=a b.txt; x=\"a\\\"b\"");
  CHECK(type.type == "text");
  CHECK(type.subtype == "html");
  CHECK(type.parameters.plain("charset") == "utf-8");
  CHECK(type.parameters.plain("NAME") == "a b.txt");
  CHECK(type.parameters.plain("x") == "a\"b");

  CHECK(parse_content_type("text/html charset=utf-8").parameters.plain("charset") == "utf-8");
  CHECK(parse_content_type("multipart/mixed;\r\n\tboundary=\"a\r\n b\"").parameters.plain("boundary") == "a b");
  CHECK(parse_content_type("multipart/mixed;; boundary=x;").parameters.plain("boundary") == "x");
  CHECK(parse_content_type("multipart").subtype == "mixed");
  for (std::string bad : {"", ";", "/", "text", "foo", "=?", "(", "text/"}) {
    INFO(bad);
    CHECK(parse_content_type(bad).type == "text");
    CHECK(parse_content_type(bad).subtype == "plain");
  }
}

TEST_CASE("RFC 2231 parameters are joined and decoded") {
  auto name = [](std::string_view raw) { return parse_disposition(raw).parameters.get("filename").value_or("?"); };
  CHECK(name("attachment; filename*=utf-8''Ti%E1%BA%BFng.pdf") == "Tiếng.pdf");
  CHECK(name("attachment; filename*0=long; filename*1=name.pdf") == "longname.pdf");
  CHECK(name("attachment; filename*1*=%E1%BA%BF; filename*0*=utf-8'vi'Ti; filename*2=\"ng%20\"") == "Tiếng%20");
  CHECK(name("attachment; filename*0*=iso-8859-1''%E9; filename*2=lost") == "é");
  CHECK(name("attachment; filename=plain; filename*=utf-8''star") == "star");
  CHECK(name("attachment; filename=\"=?utf-8?q?=C3=A9?=.pdf\"") == "é.pdf");
  CHECK(name("attachment; filename*=bad%4") == "bad%4");
  CHECK(name("attachment; filename*1=lost") == "?");
  CHECK(name("filename=x.pdf") == "x.pdf");
  CHECK(name("attachment") == "?");
}

TEST_CASE("transfer encodings are known by their words") {
  CHECK(parse_transfer_encoding(" BASE64 (really)") == TransferEncoding::base64);
  CHECK(parse_transfer_encoding("\"quoted-printable\"") == TransferEncoding::quoted_printable);
  CHECK(parse_transfer_encoding("x-uuencode") == TransferEncoding::uuencode);
  CHECK(parse_transfer_encoding("8Bit") == TransferEncoding::identity);
  CHECK(parse_transfer_encoding("") == TransferEncoding::identity);
  CHECK(parse_transfer_encoding("rot13") == TransferEncoding::other);
}

TEST_CASE("parameters are bounded in number and length") {
  std::string raw = "text/plain";
  for (int i = 0; i < 1000; ++i) raw += "; p" + std::to_string(i) + "=" + std::string(20'000, 'x');
  auto type = parse_content_type(raw);
  CHECK(type.parameters.raw().size() == kMaxParameters);
  CHECK(type.parameters.raw()[0].value.size() == kMaxParameterLength);
  CHECK(type.parameters.truncated());
  CHECK_FALSE(parse_content_type("text/plain; charset=utf-8").parameters.truncated());
}

TEST_CASE("what decides is read behind any number of other parameters") {
  std::string padding;
  for (int i = 0; i < 1000; ++i) padding += "; a" + std::to_string(i) + "=0";
  auto type = parse_content_type("multipart/mixed" + padding + "; boundary=b; charset=utf-8; name=n.exe");
  CHECK(type.parameters.plain("boundary") == "b");
  CHECK(type.parameters.plain("charset") == "utf-8");
  CHECK(type.parameters.plain("name") == "n.exe");
  CHECK(type.parameters.raw().size() == kMaxParameters);
  CHECK(type.parameters.truncated());
  auto name = [](const std::string& raw) { return parse_disposition("attachment" + raw).parameters.get("filename").value_or("?"); };
  CHECK(name(padding + "; filename=evil.exe") == "evil.exe");
  CHECK(name(padding + "; filename*=utf-8''evil.exe") == "evil.exe");
  CHECK(name(padding + "; filename*0=ev; filename*1=il.exe") == "evil.exe");

  std::string pieces, same;
  for (int i = 5; i < 200; ++i) pieces += "; name*" + std::to_string(i) + "=x";
  for (int i = 0; i < 200; ++i) same += "; name=x";
  CHECK(parse_content_type("multipart/mixed" + pieces + "; boundary=b").parameters.plain("boundary") == "b");
  CHECK(parse_content_type("multipart/mixed" + same + "; boundary=b").parameters.plain("boundary") == "b");
}

TEST_CASE("text that is no ASCII becomes encoded words that are short enough and split no character") {
  CHECK(mail::encode_words("plain text") == "plain text");
  CHECK(mail::encode_words("\xc4\x91\xe1\xba\xb7" "c") == "=?utf-8?B?xJHhurdj?=");
  std::string text;
  for (int i = 0; i < 100; ++i) text += i % 3 == 0 ? "\xe1\xba\xb7" : i % 3 == 1 ? "\xf0\x9f\x93\xa7" : "a ";
  auto words = mail::encode_words(text);
  CHECK(mail::readable(words) == text);
  for (auto line : split(words, '\n')) {
    line = trimmed(line);
    CHECK(line.size() <= 75);
    CHECK(is_utf8(mail::decode_words(line)));
  }
}
