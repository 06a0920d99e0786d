// The words of a text as Bayes learns them.
#include "filters/bayes_words.h"

#include <string>
#include <vector>

#include "filters/bayes_letters.h"
#include "tests/support/catch.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::filters;

namespace {

// Each word, with what was meant behind a "=".
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  BayesWords words(text);
  for (BayesWord word; words.next(word);) {
    out.emplace_back(word.text);
    if (!word.folded.empty()) out.back() += "=" + std::string(word.folded);
  }
  return out;
}

}  // namespace

TEST_CASE("words are letters in lower case, whatever the script") {
  struct Case { const char* text; std::vector<std::string> words; };
  const Case cases[] = {
      {"Hello, World", {"hello", "world"}},
      {"don't DON\u2019T", {"dont", "dont"}},
      {"a b I", {}},
      {"Tiếng Việt ƯU ĐÃI", {"tiếng", "việt", "ưu", "đãi"}},
      {"ПРИВЕТ Ώρα Ñandú ŽIVOT ÿ", {"привет", "Ώρα", "ñandú", "život"}},
      {"well-known foo_bar a.b@c.example", {"well", "known", "foo", "bar", "example"}},
      {"ＦＲＥＥ", {"free"}},
      {"see http://bad.example/x?y=1 here", {"see", "here"}},
      {"", {}},
      {"\xff\xfe ok \xc3", {"ok"}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    CHECK(words_of(c.text) == c.words);
  }
}

TEST_CASE("numbers and money are classes, so that no year and no order number is learned") {
  CHECK(words_of("2002") == words_of("2024"));
  CHECK(words_of("$1,000,000.50") == words_of("$9,999,999"));
  CHECK(words_of("$100") != words_of("100"));
  CHECK(words_of("100") != words_of("1000"));
  CHECK(words_of("\u20ac500") == words_of("$500"));
  CHECK(words_of("50% 7%") == std::vector<std::string>{"50%", "7%"});
  CHECK(words_of("3.14159") == words_of("9.99999"));
}

TEST_CASE("ids are classes and short names stay") {
  CHECK(words_of("mp3 b2b n320") == std::vector<std::string>{"mp3", "b2b", "n320"});
  CHECK(words_of("a8f3e29bc1d4") == words_of("77ab0c1d2e3f"));
  CHECK(words_of(std::string(1000, 'x')) == words_of(std::string(900, 'y')));
  CHECK(words_of(std::string(1000, 'x'))[0].starts_with("code:"));
}

TEST_CASE("a word in disguise also gives the word that was meant") {
  struct Case { const char* text; const char* meant; BayesWord::Disguise disguise; };
  const Case cases[] = {
      {"v1agra", "viagra", BayesWord::Disguise::digits},
      {"pa$$word", "password", BayesWord::Disguise::digits},
      {"fr33ly", "", BayesWord::Disguise::none},                  // two digits in a row: an id
      {"m0ney", "money", BayesWord::Disguise::digits},
      {"usb3", "", BayesWord::Disguise::none},
      {"V I A G R A", "viagra", BayesWord::Disguise::spaced},
      {"v.i.a.g.r.a", "viagra", BayesWord::Disguise::spaced},
      {"I a m", "", BayesWord::Disguise::none},
      {"p\u0430yp\u0430l", "paypal", BayesWord::Disguise::look_alikes},   // Cyrillic a
      {"\u043f\u0440\u0438\u0432\u0435\u0442", "", BayesWord::Disguise::none},
      {"pay\u200bpal", "", BayesWord::Disguise::invisible},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    BayesWords words(c.text);
    BayesWord word;
    bool any = words.next(word);
    CHECK((any ? std::string(word.folded) : "") == c.meant);
    CHECK((any ? word.disguise : BayesWord::Disguise::none) == c.disguise);
  }
  CHECK(words_of("pay\u200bpal") == std::vector<std::string>{"paypal"});
}

TEST_CASE("scripts without spaces give pairs of neighbours") {
  CHECK(words_of("免费赠品") == std::vector<std::string>{"免费", "费赠", "赠品"});
  CHECK(words_of("中") == std::vector<std::string>{"中"});
  CHECK(words_of("中 国") == std::vector<std::string>{"中", "国"});
  CHECK(words_of("abc中国def") == std::vector<std::string>{"abc", "中国", "def"});
  CHECK(words_of("สวัส").size() == 3);
  CHECK(words_of("\U0001F4B0\U0001F4B0").size() == 2);
}

TEST_CASE("every range of letters is in order and lower case is stable") {
  for (char32_t c = 1; c < 0x30000; ++c) {
    char32_t small = lower_letter(c);
    if (lower_letter(small) != small) FAIL_CHECK("not stable: " << static_cast<unsigned>(c));
    if (letter_class(c) == Letter::letter && letter_class(small) != Letter::letter) FAIL_CHECK("no letter: " << static_cast<unsigned>(c));
  }
  CHECK(letter_class(0x61c) == Letter::invisible);
  CHECK(letter_class(0x61b) == Letter::other);
  CHECK(letter_class(0xad) == Letter::invisible);
  CHECK(letter_class(0x4e2d) == Letter::unspaced);
  CHECK(letter_class(0xe01) == Letter::unspaced);
  CHECK(letter_class(0x1ea1) == Letter::letter);
  CHECK(letter_class(0x10ffff) == Letter::other);
  CHECK(look_alike(0x430) == 'a');
  CHECK(look_alike(0x431) == 0);
}

TEST_CASE("characters are read as RFC 3629 has them") {
  struct Case { std::string_view octets; char32_t c; std::size_t length; };
  const Case cases[] = {{"a", 'a', 1}, {"\xc3\xa9", 0xe9, 2}, {"\xe2\x82\xac", 0x20ac, 3}, {"\xf0\x9f\x92\xb0", 0x1f4b0, 4}, {"\xc0\x80", 0xfffd, 1},
                        {"\xed\xa0\x80", 0xfffd, 1}, {"\xe0\x80\x80", 0xfffd, 1}, {"\xf4\x90\x80\x80", 0xfffd, 1}, {"\xe2\x82", 0xfffd, 1}, {"\x80", 0xfffd, 1}};
  for (const Case& c : cases) {
    std::size_t at = 0;
    CHECK(take_character(c.octets, at) == c.c);
    CHECK(at == c.length);
  }
}

TEST_CASE("a hostile text costs no more than its length") {
  const char* pieces[] = {"a.", "a b ", "1.", "$$", "a!", "\u200b", "\xff", "a@b", "http://", "aaaa", "a\u0430", "免", "'''a"};
  for (const char* piece : pieces) {
    CAPTURE(piece);
    auto work = [&](std::size_t size) {
      std::string text;
      while (text.size() < size) text += piece;
      BayesWords words(text);
      std::size_t count = 0;
      for (BayesWord word; words.next(word);) ++count;
      REQUIRE(count <= size);
    };
    CHECK(postern::testing::grows_with_its_length(work, 256 * 1024));
  }
}
