// Scripts, look-alikes, invisible and styled letters.
#include "filters/letters.h"

#include <string>

#include "gateway/base/utf8.h"
#include "tests/support/catch.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::filters;

TEST_CASE("letters belong to their scripts and digits to none") {
  struct Case { char32_t c; Script script; };
  const Case cases[] = {{U'a', Script::latin}, {U'Z', Script::latin}, {U'ệ', Script::latin}, {U'ß', Script::latin}, {U'ω', Script::greek}, {U'Ж', Script::cyrillic},
                        {U'ש', Script::hebrew}, {U'ع', Script::arabic}, {U'ก', Script::thai}, {U'한', Script::hangul}, {U'カ', Script::kana}, {U'漢', Script::han},
                        {U'अ', Script::indic}, {U'1', Script::none}, {U' ', Script::none}, {U'×', Script::none}, {U'😀', Script::none}, {0x10ffff, Script::none}};
  for (const Case& c : cases) {
    CAPTURE(static_cast<unsigned>(c.c));
    CHECK(script_of(c.c) == c.script);
  }
}

TEST_CASE("capitals are known in the alphabets that have them") {
  for (char32_t c : {U'A', U'É', U'Ő', U'Ź', U'Ơ', U'Ω', U'Ж', U'Ё', U'Ệ'}) CHECK(is_uppercase(c));
  for (char32_t c : {U'a', U'é', U'ő', U'ź', U'ơ', U'ω', U'ж', U'ё', U'ệ', U'ß', U'÷', U'×', U'漢', U'1'}) CHECK_FALSE(is_uppercase(c));
}

TEST_CASE("styled letters are read as the letters that they imitate") {
  CHECK(styled_as(U'𝕀') == 'i');
  CHECK(styled_as(U'𝕖') == 'e');
  CHECK(styled_as(U'ℂ') == 'c');
  CHECK(styled_as(U'Ａ') == 'a');
  CHECK(styled_as(U'７') == '7');
  CHECK(styled_as(U'Ⓟ') == 'p');
  CHECK(styled_as(U'𝟗') == '9');
  CHECK(styled_as(U'a') == 0);
  CHECK(styled_as(U'é') == 0);
  CHECK(styled_as(U'漢') == 0);
}

TEST_CASE("the tables of look-alikes are sorted and hold no Latin letter") {
  char32_t found = 0;
  for (char32_t c = 0; c < 0x20000; ++c) {
    char latin = looks_latin(c);
    if (latin == 0) continue;
    ++found;
    CHECK(script_of(c) != Script::latin);
    CHECK(script_of(c) != Script::none);
  }
  CHECK(found == 74);
}

TEST_CASE("words that mix alphabets are told from words that need both") {
  struct Case { const char* text; std::size_t mixed; std::size_t disguised; };
  const Case cases[] = {
      {"PayPal account", 0, 0},
      {"P\u0430yPal \u0430ccount", 2, 0},       // Cyrillic а
      {"10 k\u03a9 and 5 \u03bcs", 0, 0},        // ohm, microseconds
      {"обычный русский текст", 0, 0},
      {"\u0441\u043e\u0440\u0435", 0, 1},        // "cope", all Cyrillic
      {"IT-\u043a\u043e\u043c\u043f\u0430\u043d\u0438\u044f", 0, 0},
      {"Ελληνικά", 0, 0},
      {"", 0, 0},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    Mixture mixture = mixture_of(c.text);
    CHECK(mixture.mixed == c.mixed);
    CHECK(mixture.disguised == c.disguised);
  }
}

TEST_CASE("invisible characters count as inside when letters stand on both sides") {
  Mixture mixture = mixture_of("ver\u200bi\u00adfy \u200b now\u200b.");
  CHECK(mixture.invisible == 4);
  CHECK(mixture.invisible_inside == 2);
  CHECK(mixture_of("a\u202eb\u2066c").bidi == 2);
  CHECK(mixture_of("\u26a0 now \U0001f4f1").symbols == 2);
  CHECK(mixture_of("ABC def").capitals == 3);
  CHECK(mixture_of("ABC def").letters == 6);
}

TEST_CASE("what is no UTF-8 is one wrong character for each octet") {
  for (std::string_view text : {"\x80", "\xc2", "\xe2\x80", "\xf0\x9f\x98", "\xff", "\xc0"}) {
    std::size_t at = 0, count = 0;
    while (at < text.size()) {
      CHECK(next_character(text, at) == 0xfffd);
      ++count;
    }
    CHECK(count == text.size());
  }
  std::string all;
  for (char32_t c : {U'a', U'ß', U'漢', U'😀'}) append_utf8(all, c);
  std::size_t at = 0;
  CHECK(next_character(all, at) == U'a');
  CHECK(next_character(all, at) == U'ß');
  CHECK(next_character(all, at) == U'漢');
  CHECK(next_character(all, at) == U'😀');
  CHECK(at == all.size());
}

TEST_CASE("a mixture costs what its length costs") {
  for (std::string_view token : {"a", "\u200b", "a\u200b", "\u0430", "\xff", "\u0301"}) {
    CAPTURE(token);
    CHECK(testing::grows_with_its_length([&](std::size_t size) {
      std::string text;
      while (text.size() < size) text += token;
      mixture_of(text);
    }, 1 << 20));
  }
}
