// What a stranger's octets cost.  Every parser of this folder gets a megabyte of one short token: four times as many may
// take about four times as long, never sixteen.  The time is that of the thread, so a busy machine does not matter.
#include <time.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/text.h"
#include "gateway/mail/address.h"
#include "gateway/mail/auth_results.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/content.h"
#include "gateway/mail/decode.h"
#include "gateway/mail/encoded_word.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/html.h"
#include "gateway/mail/mime.h"
#include "gateway/mail/nfc.h"
#include "gateway/mail/strip.h"
#include "gateway/mail/text.h"
#include "tests/support/catch.h"
#include "tests/support/sanitized.h"

using namespace postern;
using namespace postern::mail;

namespace {

constexpr std::size_t kMegabyte = 1024 * 1024;
constexpr double kWorthATest = 0.1;   // seconds; what takes less hurts nobody, and is noise under sanitizers

const std::vector<std::string> kTokens = {
    ":", "@", "<", ">", ",", ";", "(", ")", "\"", "\\", "[", ".", " ", "\t", "\n", "\r\n", "x", "x ", "x\n", "x:\n", "x:y\r\n ", "a@", "a@b,",
    "a:;", "<a@b>", "=", "=\n", "=4", "=?", "?=", "=?a?q?", "=?a?q?b", "=?utf-8?q?a?=", "=?utf-8?b?YQ==?= ", "<!----!>", "<!--", "--", "-->",
    "<a ", "<a='", "</", "<script>", "<script></", "&#", "&amp;", "\xef\xbb\xbf", "\xc2\xad", ";a=b", ";a", ";name=x", ";name*5=x", ";filename*0*=a'",
    ";filename*0=a", "--b\n", "--b--\n", "--b", "\xcc\x81", "\xcc\xa3\xcc\x81", "a\xcc\x81", "\xcc\xa3\xcd\x8f\xcc\x81", "\xb0\xb4", "\xec\xf2", "\xff",
    "\xe2\x80", "\x1b$B", "+", "begin 1\n", "%41", "'", std::string(1, '\0')};

struct Parser {
  const char* name;
  std::size_t most;   // octets that it looks at
  std::function<void(const std::string&)> run;
};

const std::vector<Parser> kParsers = {
    {"address list", 256 * 1024, [](const std::string& text) { parse_address_list(text); }},
    {"address list behind an address", 256 * 1024, [](const std::string& text) { parse_address_list("a@" + text); }},
    {"address list in a bracket", 256 * 1024, [](const std::string& text) { parse_address_list("<@" + text); }},
    {"header", kMegabyte, [](const std::string& text) { HeaderBlock block(text); }},
    {"readable field", kMaxReadableField, [](const std::string& text) { readable(text); }},
    {"encoded words", kMegabyte, [](const std::string& text) { decode_words(text); }},
    {"HTML", kMegabyte, [](const std::string& text) { html_to_text(text); }},
    {"no charset", kMegabyte, [](const std::string& text) { to_utf8(text, ""); }},
    {"utf-8", kMegabyte, [](const std::string& text) { to_utf8(text, "utf-8"); }},
    {"tcvn", kMegabyte, [](const std::string& text) { to_utf8(text, "tcvn"); }},
    {"windows-1258", kMegabyte, [](const std::string& text) { to_utf8(text, "windows-1258"); }},
    {"iso-2022-jp", kMegabyte, [](const std::string& text) { to_utf8(text, "iso-2022-jp"); }},
    {"utf-7", kMegabyte, [](const std::string& text) { to_utf8(text, "utf-7"); }},
    {"search form", kMegabyte, [](const std::string& text) { search_form(text); }},
    {"normal form", kMegabyte, [](const std::string& text) { nfc(valid_utf8(text)); }},
    {"Content-Type", kMegabyte, [](const std::string& text) { parse_content_type("text/plain" + text).parameters.get("name"); }},
    {"Content-Disposition", kMegabyte, [](const std::string& text) { parse_disposition("attachment" + text).parameters.get("filename"); }},
    {"Content-Transfer-Encoding", kMegabyte, [](const std::string& text) { parse_transfer_encoding(text); }},
    {"message", kMegabyte, [](const std::string& text) { readable_text(text, parse(text)); }},
    {"multipart", kMegabyte, [](const std::string& text) { parse("Content-Type: multipart/mixed; boundary=b\n\n" + text); }},
    {"part", kMegabyte, [](const std::string& text) { parse("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-ID: " + text); }},
    {"envelope", kMegabyte, [](const std::string& text) { envelope_of("To: " + text); }},
    {"base64", kMegabyte, [](const std::string& text) { decode_base64(text); }},
    {"quoted-printable", kMegabyte, [](const std::string& text) { decode_quoted_printable(text); }},
    {"Q", kMegabyte, [](const std::string& text) { decode_q(text); }},
    {"uuencode", kMegabyte, [](const std::string& text) { decode_uuencode("begin 644 x\n" + text); }},
    {"forged fields", kMegabyte, [](const std::string& text) { forged_fields("Authentication-Results: " + text, "mx.example"); }},
};

std::string repeated(const std::string& token, std::size_t size) {
  std::string out;
  while (out.size() < size) out += token;
  return out;
}

double seconds_for(const Parser& parser, const std::string& text) {
  timespec before{}, after{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
  parser.run(text);
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
  return static_cast<double>(after.tv_sec - before.tv_sec) + static_cast<double>(after.tv_nsec - before.tv_nsec) / 1e9;
}

bool is_linear(const Parser& parser, const std::string& token) {
  double quarter = 0;
  const std::size_t most = testing::kSanitized ? parser.most / 4 : parser.most;
  for (std::size_t size = most / 16; size <= most; size *= 4) {
    std::string text = repeated(token, size);
    double whole = seconds_for(parser, text);
    bool slow = quarter > 0 && whole > kWorthATest;
    for (int tries = 1; slow && whole > 10 * quarter; ++tries) {
      if (tries == 5) return false;
      whole = std::min(whole, seconds_for(parser, text));
      quarter = std::min(quarter, seconds_for(parser, repeated(token, size / 4)));
    }
    if (slow) return true;
    double growth = static_cast<double>(most) / static_cast<double>(size);
    if (whole * growth * growth < kWorthATest) return true;   // the square would not show
    quarter = whole;
  }
  return true;
}

}  // namespace

TEST_CASE("no parser takes more than linear time for a megabyte of one token") {
  for (const Parser& parser : kParsers) {
    for (const std::string& token : kTokens) {
      INFO(parser.name << " of " << printable(token));
      CHECK(is_linear(parser, token));
    }
  }
}
