// Words as people search for them.
#include "gateway/mail/fold.h"

#include "gateway/base/text.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::mail;

using Words = std::vector<std::string>;

TEST_CASE("case, marks and width make no difference") {
  struct Row {
    const char* text;
    Words words;
  };
  for (const auto& [text, words] : std::vector<Row>{
           {"Re: INVOICE #42/2026 - second reminder", {"re", "invoice", "42", "2026", "second", "reminder"}},
           {"Hoá đơn tháng 11", {"hoa", "don", "thang", "11"}},
           {"HOÁ ĐƠN", {"hoa", "don"}},
           {"Hoa\xcc\x81 đơn", {"hoa", "don"}},
           {"Straße ﬁnden", {"strasse", "finden"}},
           {"ＡＢＣ１２", {"abc12"}},
           {"请假 ok", {"请", "假", "ok"}},
           {"a a A", {"a"}},
           {"", {}},
           {"--- ***", {}},
       }) {
    INFO(text);
    CHECK(folded_words(text, 100) == words);
  }
}

TEST_CASE("octets that are no text separate words") { CHECK(folded_words("one\xff\xfetwo\xc3", 10) == Words{"one", "two"}); }

TEST_CASE("the number and the length of words and the text are bounded") {
  CHECK(folded_words("a b c d", 2) == Words{"a", "b"});
  CHECK(folded_words(std::string(1000, 'x') + " y", 9) == Words{std::string(kMaxFoldedWord, 'x'), "y"});
  // A cut word ends with a whole character.
  std::string many;
  for (int i = 0; i < 30; ++i) many += "ф";
  auto words = folded_words(many, 9);
  REQUIRE(words.size() == 1);
  CHECK(words[0].size() <= kMaxFoldedWord);
  CHECK(is_utf8(words[0]));
  CHECK(folded_words(std::string(kMaxFoldedText, ' ') + "late", 9).empty());
  // A million marks behind a letter are looked at one by one.
  std::string marks = "a";
  for (int i = 0; i < 1'000'000; ++i) marks += "\xcc\x81";
  CHECK(folded_words(marks, 9) == Words{"a"});
}

TEST_CASE("Vietnamese without its marks is ASCII") {
  CHECK(without_marks("Không có người dùng này ở đây: ĐỊA CHỈ") == "Khong co nguoi dung nay o day: DIA CHI");
  CHECK(without_marks("plain") == "plain");
  CHECK(is_ascii(without_marks("\xff\xe2\x82\xac 请")));
}
