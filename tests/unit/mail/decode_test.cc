// mail: transfer encodings, charsets, IDNA, HTML.
#include "gateway/mail/decode.h"

#include "gateway/base/text.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/html.h"
#include "gateway/mail/idna.h"
#include "gateway/mail/nfc.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::mail;

TEST_CASE("base64 of mail is read over line ends, rubbish and padding") {
  struct Case {
    std::string_view in, out;
  };
  const Case cases[] = {{"", ""}, {"Zm9vYmFy", "foobar"}, {"Zm9v\r\nYmFy\r\n", "foobar"}, {"Zm9\r\nvYmFy", "foobar"},
                        {"Zm8=Zm8=", "fofo"}, {"Zg", "f"}, {"Zm8", "fo"}, {"Z", ""}, {"====", ""}, {"Zm9v!!Ym#Fy", "foobar"},
                        {"Zg==\r\nZg==\r\n", "ff"}, {"-_", ""}};
  for (auto [in, out] : cases) {
    INFO(in);
    CHECK(decode_base64(in) == out);
  }
}

TEST_CASE("base64 agrees with the encoder for every length and every limit") {
  std::string octets;
  for (int i = 0; i < 100; ++i) {
    std::string text = base64(octets);
    std::string folded;
    for (std::size_t at = 0; at < text.size(); at += 7) folded += text.substr(at, 7) + "\r\n";
    CHECK(decode_base64(text) == octets);
    CHECK(decode_base64(folded) == octets);
    for (std::size_t limit = 0; limit < octets.size() + 2; ++limit) CHECK(decode_base64(folded, limit) == octets.substr(0, limit));
    octets += static_cast<char>(i * 37);
  }
}

TEST_CASE("quoted-printable loses soft line ends and trailing white space, and keeps wrong escapes") {
  struct Case {
    std::string_view in, out;
  };
  const Case cases[] = {{"a=3Db", "a=b"}, {"a=\r\nb", "ab"}, {"a \t\r\nb", "a\r\nb"}, {"a\nb\n", "a\nb\n"}, {"a=  \nb", "ab"},
                        {"=e1=BA=bf", "ế"}, {"=4", "=4"}, {"=", ""}, {"=XY", "=XY"}, {"a=3", "a=3"}, {"", ""}, {"=\n", ""}};
  for (auto [in, out] : cases) {
    INFO(in);
    CHECK(decode_quoted_printable(in) == out);
    for (std::size_t limit = 0; limit <= out.size(); ++limit) CHECK(decode_quoted_printable(in, limit) == out.substr(0, limit));
  }
}

TEST_CASE("uuencode is read from begin to end") {
  CHECK(decode_uuencode("text\r\nbegin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\nmore") == "Cat");
  CHECK(decode_uuencode("begin 644 x\n%9F]O8F$\n`\nend\n") == "fooba");
  CHECK(decode_uuencode("begin 644 x\n%9F]O8F$\n", 2) == "fo");
  CHECK(decode_uuencode("nothing here") == "");
  CHECK(decode_uuencode("begin 644 x\nM\n") == "");
  CHECK(decode_uuencode("") == "");
}

TEST_CASE("charsets become UTF-8, also under wrong or missing labels") {
  struct Case {
    std::string_view octets, label, out;
  };
  const Case cases[] = {{"abc", "", "abc"},
                        {"caf\xe9", "iso-8859-1", "café"},
                        {"\x93q\x94", "iso-8859-1", "“q”"},
                        {"caf\xe9", "utf-8", "caf\xef\xbf\xbd"},
                        {"caf\xc3\xa9", "us-ascii", "café"},
                        {"caf\xe9", "no-such-thing", "café"},
                        {"\xc4\xe3\xba\xc3", "gb2312", "你好"},
                        {"\xb0\xa1", "ks_c_5601-1987", "가"},
                        {"+AOk-", "utf-7", "é"},
                        {"\x1b$BF|K\\\x1b(B", "ISO-2022-JP", "日本"},
                        {"\xfe\xff\x00\x61", "utf-16", "a"},
                        {"caf\xe9", " \"Windows-1252\" ", "café"},
                        {"\xd0\xcf", "koi8-r", "по"},
                        {"Ti\xaang Vi\xaet", "VISCII", "Tiếng Việt"},
                        {"Ti\xd5ng Vi\xd6t \xaa\xb3", "x-tcvn", "TiÕng ViÖt ª³"},
                        {"Ti\xd5ng Vi\xd6t \xaa\xb3", "tcvn5712-1", "Tiếng Việt ế"},
                        {"Vi\xea\xf2t ti\xea\xecng", "windows-1258", "Việt tiếng"}};
  for (const auto& [octets, label, out] : cases) {
    INFO(label);
    if (label == "utf-16") {
      CHECK(to_utf8(std::string_view("\xfe\xff\x00\x61", 4), label) == out);
    } else {
      CHECK(to_utf8(octets, label) == out);
    }
  }
  CHECK(is_known_charset("Shift_JIS"));
  CHECK_FALSE(is_known_charset("no-such-thing"));
  CHECK_FALSE(is_known_charset("koi8-r,swaplfnl"));   // ICU's own way to set options is none for a stranger
}

TEST_CASE("a text is never cut inside a character") {
  std::string text = "aếếếb";
  for (std::size_t limit = 0; limit <= text.size() + 1; ++limit) {
    for (std::string_view label : {"utf-8", "", "gb18030"}) {
      std::string out = to_utf8(text, label, limit);
      CHECK(out.size() <= limit);
      CHECK(is_utf8(out));
    }
  }
}

TEST_CASE("search folds case and diacritics but leaves vowels of other scripts") {
  CHECK(search_form("TIẾNG Việt Đà Nẵng") == "tieng viet da nang");
  CHECK(search_form("STRASSE") == search_form("straße"));
  CHECK(search_form("ﬁn Łódź") == "fin lodz");
  CHECK(search_form("कि") != search_form("क"));
  CHECK(search_form("ABC") == "abc");
  CHECK(is_utf8(search_form("\xff\xc3")));
}

TEST_CASE("runs of marks are broken before they are sorted, UAX #15 13") {
  std::string marks;
  for (int i = 0; i < 35; ++i) marks += "\u0301\u0323";
  auto normal = nfc("a" + marks);
  REQUIRE(normal);
  CHECK(normal->find("\u034f") != std::string::npos);
  CHECK(nfc(*normal) == normal);
  CHECK(nfc("a\u0301\u0323") == "\u1ea1\u0301");
  CHECK(nfc("a" + marks.substr(0, 60))->find("\u034f") == std::string::npos);
  CHECK(search_form("A" + marks + "b") == "ab");
  CHECK(to_utf8("a" + std::string(100, '\xb3'), "tcvn").find("\u034f") != std::string::npos);
  CHECK(stream_safe_length(marks, Ignorables::stay) == 60);
  CHECK(stream_safe_length("\u0301\u034f" + marks, Ignorables::stay) == 64);
  CHECK(stream_safe_length("\u0301\u034f" + marks, Ignorables::vanish) == 62);
}

TEST_CASE("domain names have one form") {
  CHECK(domain_to_ascii("Example.COM.") == "example.com");
  CHECK(domain_to_ascii("Bücher.example") == "xn--bcher-kva.example");
  CHECK(domain_to_ascii("faß.de") == "xn--fa-hia.de");
  CHECK(domain_to_ascii("_dmarc.example") == "_dmarc.example");
  for (std::string bad : {std::string(""), std::string("."), std::string("a..b"), std::string("a b"), std::string(64, 'a') + ".b",
                          std::string("\xff.de"), std::string(300, 'a'), std::string("a/b")}) {
    INFO(bad);
    CHECK_FALSE(domain_to_ascii(bad));
  }
  CHECK(domain_to_unicode("xn--bcher-kva.example") == "bücher.example");
  CHECK(domain_to_unicode("example.org") == "example.org");
  CHECK(domain_to_unicode("xn--\xff") == "xn--\xff");
}

TEST_CASE("HTML becomes the text that a reader sees") {
  struct Case {
    std::string_view in, out;
  };
  const Case cases[] = {
      {"<p>Hello <b>wor</b>ld</p><p>again</p>", "Hello world\nagain"},
      {"a<br>b<BR/>c", "a\nb\nc"},
      {"<style>p{}</style>x<script>if (a < b) '</p>'</script >y", "xy"},
      {"a<!-- <b> -- -->b<!-->c<!--->d", "abcd"},
      {"a &amp; b &lt;c&gt; &#233;&#xe9;&eacute;&nbsp;!&bogus; & &#150;", "a & b <c> ééé !&bogus; & –"},
      {"1 < 2 and 3 > 2", "1 < 2 and 3 > 2"},
      {"<a title=\"x > y\" href='>'>link</a>", "link"},
      {"V&shy;ia\xe2\x80\x8bgra", "Viagra"},
      {"<td>a</td><td>b</td>", "a b"},
      {"  a \r\n\t b ", "a b"},
      {"<!DOCTYPE html><title>t</title><body>b", "t\nb"},
      {"a<script>never closed", "a"},
      {"a<b", "a"},
      {"a<!-- never closed", "a"},
      {"</ bogus>x", "x"},
      {"&#0;&#xd800;&#x110000;&#99999999999999;", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"", ""},
  };
  for (auto [in, out] : cases) {
    INFO(in);
    CHECK(html_to_text(in) == out);
    for (std::size_t limit = 0; limit <= out.size(); ++limit) {
      CHECK(html_to_text(in, limit).size() <= limit);
      CHECK(is_utf8(html_to_text(in, limit)));
    }
  }
}

TEST_CASE("hostile HTML of ten megabytes costs no more than its length") {
  for (std::string piece : {"<", "<div>", "<!--", "</", "&", "<a x='", "<script></", "<!", "&#", "\xc2\xad", "<style></styl"}) {
    INFO(piece);
    std::string html;
    while (html.size() < 10'000'000) html += piece;
    CHECK(html_to_text(html, 1000).size() <= 1000);
  }
}

TEST_CASE("names that only ICU takes for UTF-8 are read as UTF-8") {
  for (const char* label : {"utf=8", "UTF_8", "utf-\x8a""8", "u t f 8", "utf\xca-8"}) {
    INFO(label);
    CHECK(to_utf8("\xc3\xa9t\xc3\xa9", label, 100) == "\xc3\xa9t\xc3\xa9");
    CHECK(is_utf8(to_utf8("\xc3\xa9 \xff", label, 100)));
  }
}
