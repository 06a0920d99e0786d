// The language of a text.  Short words carry no topic, so spam and ham of one language share them; a table of twenty to thirty
// of them tells languages of one alphabet apart from two sentences on, without models of n-grams.
#include "filters/language.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>

#include "filters/letters.h"
#include "gateway/base/text.h"
#include "gateway/base/utf8.h"

namespace postern::filters {
namespace {

struct ShortWords {
  std::string_view code;
  std::string_view list;   // lower case, separated by spaces
};

constexpr std::array<ShortWords, 12> kLatin = {{
    {"en", "the and of to in is you that it for on with as are this be at have from or your by not we was will can our if they has an but please"},
    {"vi", "và của là có không được cho một các với những người trong này bạn để khi đã từ đến chúng tôi quý khách vui lòng khong cua duoc nguoi nhung"},
    {"de", "der die und das ist nicht ein eine zu den mit sie von für auf im dem sich des auch werden wir ihre ihr bei oder haben wird sind ich bitte"},
    {"fr", "le la les de des et est un une vous que pour dans pas sur votre nous avec par au ce qui ne du vos être cette ou sont mais plus je"},
    {"es", "el los las una que por con para su del se es no lo más este esta como pero sus ha usted si ya cuando muy sin sobre nos y tu"},
    {"it", "il di che è per non una sono con del della si le dei nel più questo gli alla come ha anche vostro suo al lo ci tuo da"},
    {"pt", "o os não uma para com por do da em que se você mais seu sua dos das no na é ao foi como sem pelo está ou mas nosso"},
    {"nl", "de het een van en is niet dat op te voor met zijn u uw wij om naar aan ook bij deze wordt heeft er kunt als maar geen"},
    {"pl", "w i na z się nie do to że jest o jak po ale za od przez dla tego są lub oraz czy już tylko twoje proszę być ten"},
    {"tr", "ve bir bu için ile de da olarak çok daha gibi sizin olan var ne kadar sonra her değil en size biz veya lütfen ya"},
    {"sv", "och att det som en på är av för med den till inte har om ett vi du din kan så men eller från jag sig vid"},
    {"id", "yang dan di ini untuk dengan dari tidak anda akan pada itu kami dalam kepada adalah atau juga oleh bisa ke telah saya sudah"},
}};

// A bit for each language that has the word.
using Table = std::unordered_map<std::string_view, unsigned>;
const Table& short_words() {
  static const Table kTable = [] {
    Table out;
    for (std::size_t i = 0; i < kLatin.size(); ++i) {
      for (std::string_view word : words(kLatin[i].list)) out[word] |= 1U << i;
    }
    return out;
  }();
  return kTable;
}

// What counting one pass gives.
struct Counts {
  std::array<std::size_t, static_cast<std::size_t>(Script::count_)> letters{};
  std::array<double, kLatin.size()> hits{};
  std::size_t latin_words = 0;
  std::size_t vietnamese = 0;                          // letters that no other language has
  std::size_t ukrainian = 0, russian = 0, bulgarian = 0;
  std::size_t persian = 0;
};

char32_t lowered(char32_t c) {
  if (!is_uppercase(c)) return c;
  if (c < 0x80 || (c >= 0xc0 && c <= 0xde)) return c + 0x20;
  if (c >= 0x410 && c <= 0x42f) return c + 0x20;
  if (c >= 0x400 && c <= 0x40f) return c + 0x50;
  if (c >= 0x391 && c <= 0x3ab) return c + 0x20;
  return c + 1;   // pairs side by side, as in Latin Extended
}

bool is_vietnamese(char32_t c) { return (c >= 0x1ea0 && c <= 0x1ef9) || c == 0x1a1 || c == 0x1b0 || c == 0x1a0 || c == 0x1af || c == 0x111 || c == 0x110; }

void count_letter(Counts& counts, char32_t c) {
  ++counts.letters[static_cast<std::size_t>(script_of(c))];
  if (is_vietnamese(c)) ++counts.vietnamese;
  switch (lowered(c)) {
    case U'і': case U'ї': case U'є': case U'ґ': ++counts.ukrainian; break;
    case U'ы': case U'э': case U'ё': ++counts.russian; break;
    case U'ъ': ++counts.bulgarian; break;
    case 0x67e: case 0x686: case 0x698: case 0x6af: ++counts.persian; break;
    default: break;
  }
}

void count_word(Counts& counts, const std::string& word) {
  ++counts.latin_words;
  auto found = short_words().find(word);
  if (found == short_words().end()) return;
  // A word that several languages have says less for each.
  auto shared = static_cast<double>(__builtin_popcount(found->second));
  for (std::size_t i = 0; i < kLatin.size(); ++i) {
    if ((found->second >> i & 1U) != 0) counts.hits[i] += 1 / shared;
  }
}

Counts count(std::string_view text) {
  constexpr std::size_t kMaxShort = 16;   // octets; no word of the tables is longer
  Counts out;
  std::string word;
  for (std::size_t at = 0; at < text.size();) {
    char32_t c = next_character(text, at);
    if (is_letter(c)) {
      count_letter(out, c);
      if (script_of(c) == Script::latin && word.size() <= kMaxShort) append_utf8(word, lowered(c));
      continue;
    }
    if (is_mark(c) || is_invisible(c)) continue;
    if (!word.empty()) count_word(out, word);
    word.clear();
  }
  if (!word.empty()) count_word(out, word);
  return out;
}

Language latin(const Counts& counts) {
  if (counts.latin_words < 3) return {};
  auto hits = counts.hits;
  hits[1] += static_cast<double>(std::min(counts.vietnamese, counts.latin_words)) / 3;
  std::size_t best = 0;
  for (std::size_t i = 1; i < hits.size(); ++i) {
    if (hits[i] > hits[best]) best = i;
  }
  double second = 0;
  for (std::size_t i = 0; i < hits.size(); ++i) {
    if (i != best) second = std::max(second, hits[i]);
  }
  double share = hits[best] / static_cast<double>(counts.latin_words);
  if (hits[best] < 1 || share < 0.03) return {};
  double ahead = (hits[best] - second) / hits[best];
  double enough = std::min(1.0, hits[best] / 5) * std::min(1.0, share / 0.12);
  return {kLatin[best].code, std::clamp(ahead * enough, 0.05, 1.0)};
}

Language cyrillic(const Counts& counts, double sure) {
  if (counts.ukrainian > counts.russian) return {"uk", sure * 0.9};
  if (counts.russian > 0) return {"ru", sure};
  if (counts.bulgarian > 0) return {"bg", sure * 0.6};
  return {"ru", sure * 0.6};
}

}  // namespace

Language language_of(std::string_view text) {
  Counts counts = count(text.substr(0, kMaxLanguageText));
  // Letters of Han stand for words.
  auto weight = [&](Script script) {
    double letters = static_cast<double>(counts.letters[static_cast<std::size_t>(script)]);
    return script == Script::han || script == Script::hangul || script == Script::kana ? letters * 3 : letters;
  };
  double all = 0;
  Script best = Script::none;
  for (std::size_t i = 1; i < counts.letters.size(); ++i) {
    auto script = static_cast<Script>(i);
    all += weight(script);
    if (best == Script::none || weight(script) > weight(best)) best = script;
  }
  // Chinese words of Japanese outnumber its own letters at times, never by far.
  bool japanese = weight(Script::kana) * 8 > weight(Script::han) && weight(Script::kana) > 0;
  if (best == Script::none || weight(best) < 8) return {};
  double sure = weight(best) / all;
  switch (best) {
    case Script::latin: {
      Language out = latin(counts);
      out.confidence *= sure;
      return out;
    }
    case Script::cyrillic: return cyrillic(counts, sure);
    case Script::greek: return {"el", sure};
    case Script::hebrew: return {"he", sure};
    case Script::arabic: return {counts.persian > 0 ? "fa" : "ar", sure * (counts.persian > 0 ? 0.8 : 0.9)};
    case Script::indic: return {"hi", sure * 0.6};
    case Script::thai: return {"th", sure};
    case Script::hangul: return {"ko", sure};
    case Script::kana: return {"ja", sure};
    case Script::han: return {japanese ? "ja" : "zh", japanese ? 0.8 : sure * 0.9};
    default: return {};
  }
}

}  // namespace postern::filters
