// Signs of texts and the shapes in them.
#include "filters/text_signs.h"

#include <set>

#include "filters/text_shapes.h"
#include "gateway/base/text.h"
#include "tests/support/catch.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::filters;

namespace {

const std::string kPlain = "Hello Bob,\n\nhere are the minutes of the meeting that we had on Monday. Tell me what you think of them.\n\nAnn\n";

TextContext beside() {
  TextContext out;
  out.subject = "Minutes of the meeting that we had";
  out.links = 0;
  out.images = 0;
  out.attachments = 0;
  out.recipients = {"bob.ray@corp.example"};
  return out;
}

double value(TextSign sign, std::string_view text, const TextContext& context = beside()) { return text_signs(text, context).signs.value(sign).value_or(-1); }

}  // namespace

TEST_CASE("a plain text has no sign but its words") {
  auto signs = text_signs(kPlain, beside()).signs;
  for (std::size_t i = 0; i < SignSet<TextSign>::kSize; ++i) {
    auto sign = static_cast<TextSign>(i);
    if (sign == TextSign::text_words || sign == TextSign::text_capitals_share || sign == TextSign::text_words_per_link || sign == TextSign::text_longest_gap) continue;
    CAPTURE(kTextSigns[i].name);
    CHECK_FALSE(signs.has(sign));
    CHECK_FALSE(signs.is_unknown(sign));
  }
  CHECK(signs.value(TextSign::text_words) == 22);
  CHECK(signs.value(TextSign::text_longest_gap) == 1);
  CHECK(signs.value(TextSign::text_capitals_share).value() < 0.1);
}

TEST_CASE("tricks with letters are counted") {
  struct Case { TextSign sign; double count; const char* text; };
  const Case cases[] = {
      {TextSign::text_mixed_words, 2, "Your P\u0430yPal acc\u043eunt"},
      {TextSign::text_disguised_words, 1, "Your \u0441\u043e\u0440\u0443 is here"},
      {TextSign::text_invisible, 2, "ver\u200bi\u00adfy"},
      {TextSign::text_invisible_inside, 2, "ver\u200bi\u00adfy \u200b "},
      {TextSign::text_direction_turned, 1, "a\u202etxt.exe"},
      {TextSign::text_styled, 3, "\U0001d540\U0001d559\U0001d563 name"},
      {TextSign::text_symbols, 2, "\u26a0 act now \U0001f4f1"},
      {TextSign::text_piled_marks, 1, "z\u0301\u0302\u0303\u0304a"},
      {TextSign::text_broken_characters, 2, "caf\ufffd\ufffd"},
      {TextSign::text_spaced_out, 2, "buy V I A G R A or get f-r-e-e now"},
      {TextSign::text_spaced_out, 0, "plan B or C, a b c are letters"},
      {TextSign::text_leet_words, 3, "cheap v1agra and fr33dom for the pa$sword"},
      {TextSign::text_leet_words, 0, "x86_64 and B210 with N310, mp3 at 10GBit, IPv4only, 4chan, h264 or OpenSSL3"},
      {TextSign::text_gibberish_words, 1, "hello xkqwrtzz"},
      {TextSign::text_long_words, 1, "0123456789012345678901234567890123456789x http://x.example/0123456789012345678901234567890123456789"},
      {TextSign::text_shouted_words, 1, "BUY THIS! it is ONE of them, NOW"},
      {TextSign::text_exclamations, 3, "now! and now!!"},
      {TextSign::text_exclamations_in_row, 1, "now!!"},
      {TextSign::text_longest_gap, 3, "a\n\n \n\nb\n\n\n\n\n"},
      {TextSign::text_money, 4, "$1,000 or 20 EUR or 500.000 \u0111\u1ed3ng or \u20ac5"},
      {TextSign::text_money, 0, "version 1.000, 20 europeans? no: 5 years"},
      {TextSign::text_large_money, 1, "a sum of USD 10.5 million"},
      {TextSign::text_large_money, 1, "a sum of $250,000.00"},
      {TextSign::text_large_money, 0, "a sum of $2,500.00"},
      {TextSign::text_crypto_addresses, 1, "send to 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2 now"},
      {TextSign::text_crypto_addresses, 1, "send to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"},
      {TextSign::text_crypto_addresses, 0, "send to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5"},
      {TextSign::text_crypto_addresses, 1, "0x52908400098527886E0F7030069857D2E4169EE7"},
      {TextSign::text_crypto_addresses, 0, "http://x.example/1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2 and 52908400098527886E0F7030069857D2E4169EE7"},
      {TextSign::text_phone_numbers, 3, "+84 24 3825 1234, (212) 555-0199, 0903 123 456"},
      {TextSign::text_phone_numbers, 0, "2026-11-24 10:00, 192.168.1.100, 1234567890, 1.2.3.4.5.6.7.8.9, 5 000 000"},
      {TextSign::text_email_addresses, 1, "ask ann@sender.example, not @ann or a@b"},
      {TextSign::text_greets_by_address, 1, "Dear bob.ray,\nyour account"},
      {TextSign::text_greets_by_address, 1, "Hello bob.ray@corp.example\nyour account"},
      {TextSign::text_greets_by_address, 0, "Dear Bob,\nyour account"},
      {TextSign::text_greets_by_address, 0, "From: somebody <bob.ray@corp.example>\n"},
      {TextSign::text_digits_share, 0.5, "abc 123"},
      {TextSign::text_quoted_share, 0.5, "> said\nyes"},
      {TextSign::text_none, 1, " 1 \n"},
  };
  for (const Case& c : cases) {
    CAPTURE(kTextSigns[static_cast<std::size_t>(c.sign)].name, c.text);
    CHECK(value(c.sign, c.text) == c.count);
  }
  CHECK(value(TextSign::text_mixed_share, "Your P\u0430yPal") == 0.5);
  CHECK(value(TextSign::text_leet_share, "cheap v1agra") > 0.3);
  CHECK(value(TextSign::text_shouted_share, "LOUD and quiet") == 0.5);
  CHECK(value(TextSign::text_capitals_share, std::string(30, 'A') + " " + std::string(30, 'a')) == 0.5);
}

TEST_CASE("what stands beside an empty text tells what it is") {
  TextContext context = beside();
  context.images = 1;
  CHECK(value(TextSign::text_none_but_image, "click here", context) == 1);
  CHECK(value(TextSign::text_none_but_image, kPlain, context) == 0);
  context = beside();
  context.attachments = 2;
  CHECK(value(TextSign::text_none_but_attachment, "", context) == 1);
  CHECK(value(TextSign::text_none_but_attachment, "see attached", context) == 0);
  context = beside();
  context.links = 2;
  CHECK(value(TextSign::text_none_but_link, "click here", context) == 1);
  CHECK(value(TextSign::text_words_per_link, kPlain, context) == 11);
  auto unknown = text_signs("", {}).signs;
  for (TextSign sign : {TextSign::text_none_but_image, TextSign::text_none_but_link, TextSign::text_none_but_attachment, TextSign::text_words_per_link, TextSign::text_greets_by_address}) {
    CHECK(unknown.is_unknown(sign));
  }
}

TEST_CASE("one-time codes are told from other short mails") {
  for (const char* text : {"Your verification code is 482913. It expires in ten minutes.", "482913 is your one-time password.", "M\u00e3 x\u00e1c th\u1ef1c c\u1ee7a b\u1ea1n l\u00e0 482913",
                           "Ihr Sicherheitscode: 4829", "OTP: 7K2P9Q", "\u60a8\u7684\u9a8c\u8bc1\u7801 482913 ab"}) {
    CAPTURE(text);
    CHECK(value(TextSign::text_one_time_code, text) == 1);
  }
  std::string invoice = "verification code 482913 for";
  for (int i = 0; i < 10; ++i) invoice += " 4711" + std::to_string(i);
  std::string letter = "Your verification code is 482913.";
  for (int i = 0; i < 200; ++i) letter += " word";
  for (const std::string& text : {invoice, letter, std::string("Meet me at 1030 tomorrow"), std::string("our one-time offer of 2026"), std::string("hotpot for $4800, your hotpot")}) {
    CAPTURE(text);
    CHECK(value(TextSign::text_one_time_code, text) == 0);
  }
}

TEST_CASE("a subject in another language than the text is noticed") {
  TextContext context = beside();
  std::string english = "Please find the minutes of the meeting that we had on Monday. If you have questions about it, let me know.";
  context.subject = "Sehr geehrte Damen und Herren, wir haben das nicht f\u00fcr Sie und Ihre";
  CHECK(value(TextSign::text_foreign_to_subject, english, context) == 1);
  context.subject = "The minutes of the meeting that you have asked for";
  CHECK(value(TextSign::text_foreign_to_subject, english, context) == 0);
  CHECK(text_signs(english, context).language.code == "en");
}

TEST_CASE("names and sentences of text signs are fit for rules and people") {
  std::set<std::string_view> names;
  for (const SignInfo& sign : kTextSigns) {
    CAPTURE(sign.name);
    CHECK(names.insert(sign.name).second);
    CHECK(sign.name.starts_with("text_"));
    CHECK(sign.says.ends_with('.'));
  }
}

TEST_CASE("a hostile text costs what its length costs, up to the limit") {
  TextContext context = beside();
  context.links = 1;
  for (std::string_view token : {"a ", "1", "1,", "1 ", "(1", "+1 ", "@a", "a@b.c ", "$1", "$ ", "a1a", "A-", "\xcc\x81", "\xe2\x80\x8b", "\n", ">\n", "!", "bc1q", "0x", "x", "\xff", "\xd0\xb0", "1. "}) {
    CAPTURE(token);
    CHECK(testing::grows_with_its_length([&](std::size_t size) {
      std::string text;
      while (text.size() < size) text += token;
      text_signs(text, context);
    }, kMaxSignedText / 4));
  }
  std::string text(kMaxSignedText, ' ');
  CHECK(value(TextSign::text_exclamations, text + "!") == 0);
  CHECK(value(TextSign::text_exclamations, text.substr(1) + "!") == 1);
}
