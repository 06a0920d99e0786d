// The signs of a text.  One pass over its words, one over its lines, and the shapes.
#include "filters/text_signs.h"

#include <algorithm>

#include "filters/letters.h"
#include "filters/text_shapes.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

// Words of Latin letters, with digits and marks in them, as they stand between blanks.
struct WordsSeen {
  std::size_t leet = 0, gibberish = 0, too_long = 0, shouted = 0, long_enough = 0;
};

bool is_link(std::string_view word) { return word.find("://") != std::string_view::npos || istarts_with(word, "www.") || word.find('@') != std::string_view::npos; }

// "v1agra", "fr33", "cl!ck" and "pa$$word": one or two stand-ins between letters, the letters small or all capitals; no codes
// like "x86" or "B210", where the digits stand at the end.
bool is_leet(std::string_view word) {
  std::size_t letters = 0, stand_ins = 0, upper = 0;
  bool between = false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    char c = word[i];
    if (is_alpha(c)) {
      ++letters;
      if (c >= 'A' && c <= 'Z') ++upper;
    } else if (std::string_view("013457!$@").find(c) != std::string_view::npos) {
      ++stand_ins;
      std::size_t behind = i + 1 < word.size() && !is_alpha(word[i + 1]) ? i + 2 : i + 1;   // one may follow another
      between = between || (i > 0 && behind < word.size() && is_alpha(word[i - 1]) && is_alpha(word[behind]));
    } else {
      return false;
    }
  }
  bool plain_case = upper == 0 || upper == letters || (upper == 1 && word.front() >= 'A' && word.front() <= 'Z');
  bool vowel = word.find_first_of("aeiouAEIOU") != std::string_view::npos;
  return between && plain_case && vowel && letters >= 4 && stand_ins <= 2 && word.size() <= 14;
}

void look_at_word(std::string_view word, WordsSeen& seen) {
  if (is_link(word)) return;
  if (word.size() > 40 && is_ascii(word)) ++seen.too_long;
  while (!word.empty() && std::string_view(".,;:?!\"'()[]<>*").find(word.back()) != std::string_view::npos) word.remove_suffix(1);
  while (!word.empty() && std::string_view("\"'([<*").find(word.front()) != std::string_view::npos) word.remove_prefix(1);
  if (word.size() < 4) return;
  if (is_leet(word)) ++seen.leet;
  if (!std::all_of(word.begin(), word.end(), is_alpha)) return;
  ++seen.long_enough;
  if (std::all_of(word.begin(), word.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) ++seen.shouted;
  if (word.size() >= 7 && word.find_first_of("aeiouyAEIOUY") == std::string_view::npos) ++seen.gibberish;
}

WordsSeen look_at_words(std::string_view text) {
  WordsSeen out;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    bool blank = i == text.size() || text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r';
    if (!blank) continue;
    if (i > begin) look_at_word(text.substr(begin, i - begin), out);
    begin = i + 1;
  }
  return out;
}

struct LinesSeen {
  std::size_t longest_gap = 0, lines = 0, quoted = 0;
};

LinesSeen look_at_lines(std::string_view text) {
  LinesSeen out;
  std::size_t gap = 0;
  while (!text.empty()) {
    std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    gap = line.empty() ? gap + 1 : 0;
    // What follows the last words is no gap.
    if (!text.empty()) out.longest_gap = std::max(out.longest_gap, gap);
    if (line.empty()) continue;
    ++out.lines;
    if (line.front() == '>') ++out.quoted;
  }
  return out;
}

struct CharactersSeen {
  std::size_t digits = 0, exclamations = 0, piled = 0, broken = 0;
  bool in_row = false;
};

CharactersSeen look_at_characters(std::string_view text) {
  CharactersSeen out;
  std::size_t marks = 0;
  for (std::size_t at = 0; at < text.size();) {
    char32_t c = next_character(text, at);
    bool exclaims = c == U'!' || c == 0xff01 || c == 0xa1;
    out.in_row = out.in_row || (exclaims && at < text.size() && text[at] == '!');
    out.exclamations += exclaims ? 1 : 0;
    out.digits += c < 0x80 && is_digit(static_cast<char>(c)) ? 1 : 0;
    out.broken += c == 0xfffd ? 1 : 0;
    marks = c >= 0x300 && c <= 0x36f ? marks + 1 : 0;
    out.piled += marks == 3 ? 1 : 0;
  }
  return out;
}

// The first lines, where greetings stand.
bool greets_by_address(std::string_view text, const std::vector<std::string>& recipients) {
  constexpr std::size_t kGreeting = 300, kMaxRecipients = 20;
  std::string_view head = text.substr(0, kGreeting);
  for (std::size_t i = 0; i < recipients.size() && i < kMaxRecipients; ++i) {
    const std::string& address = recipients[i];
    std::size_t at_sign = address.rfind('@');
    if (at_sign == std::string::npos || at_sign == 0) continue;
    std::size_t found = ifind(head, address);
    std::size_t length = address.size();
    // A first name is a proper greeting: the local part must be more than one word.
    std::string_view local = std::string_view(address).substr(0, at_sign);
    bool telling = local.find_first_of("._-0123456789") != std::string_view::npos && local.size() >= 5;
    if (found == std::string_view::npos && telling) {
      found = ifind(head, local);
      length = local.size();
    }
    if (found == std::string_view::npos) continue;
    // "Dear X," and the like: one or two short words before it on its line, or nothing.
    std::size_t line = head.substr(0, found).rfind('\n');
    std::string_view before = trimmed(head.substr(line == std::string_view::npos ? 0 : line + 1, found - (line == std::string_view::npos ? 0 : line + 1)));
    char behind = found + length < text.size() ? text[found + length] : '\n';
    bool closes = std::string_view(",!:;.\n\r ").find(behind) != std::string_view::npos;
    if (closes && before.size() <= 24 && before.find(':') == std::string_view::npos) return true;
  }
  return false;
}

using Set = SignSet<TextSign>;

void set_emptiness(Set& signs, std::size_t words, const TextContext& context) {
  constexpr std::size_t kHardly = 5;
  bool none = words == 0;
  signs.set(TextSign::text_none, none);
  auto beside = [&](TextSign sign, const std::optional<std::size_t>& count, bool little) {
    if (count) signs.set(sign, little && *count > 0);
    if (!count) signs.set_unknown(sign);
  };
  beside(TextSign::text_none_but_image, context.images, words <= kHardly);
  beside(TextSign::text_none_but_attachment, context.attachments, none);
  beside(TextSign::text_none_but_link, context.links, words <= kHardly);
  if (!context.links || *context.links == 0) {
    signs.set_unknown(TextSign::text_words_per_link);
  } else {
    signs.set(TextSign::text_words_per_link, static_cast<double>(words) / static_cast<double>(*context.links));
  }
}

double share(std::size_t some, std::size_t all) { return all == 0 ? 0 : static_cast<double>(some) / static_cast<double>(all); }

void set_letters(Set& signs, const Mixture& mixture) {
  constexpr std::size_t kEnough = 40;
  signs.set(TextSign::text_words, mixture.words);
  signs.set(TextSign::text_mixed_words, mixture.mixed);
  signs.set(TextSign::text_mixed_share, share(mixture.mixed, mixture.words));
  signs.set(TextSign::text_disguised_words, mixture.disguised);
  signs.set(TextSign::text_invisible, mixture.invisible);
  signs.set(TextSign::text_invisible_inside, mixture.invisible_inside);
  signs.set(TextSign::text_direction_turned, mixture.bidi);
  signs.set(TextSign::text_styled, mixture.styled);
  signs.set(TextSign::text_symbols, mixture.symbols);
  if (mixture.cased >= kEnough) signs.set(TextSign::text_capitals_share, share(mixture.capitals, mixture.cased));
}

}  // namespace

TextSigns text_signs(std::string_view text, const TextContext& context) {
  TextSigns out;
  Set& signs = out.signs;
  text = text.substr(0, kMaxSignedText);
  Mixture mixture = mixture_of(text);
  set_letters(signs, mixture);
  set_emptiness(signs, mixture.words, context);

  WordsSeen words = look_at_words(text);
  signs.set(TextSign::text_leet_words, words.leet);
  signs.set(TextSign::text_leet_share, share(words.leet, mixture.words));
  signs.set(TextSign::text_gibberish_words, words.gibberish);
  signs.set(TextSign::text_long_words, words.too_long);
  signs.set(TextSign::text_shouted_words, words.shouted);
  signs.set(TextSign::text_shouted_share, share(words.shouted, words.long_enough));

  LinesSeen lines = look_at_lines(text);
  signs.set(TextSign::text_longest_gap, lines.longest_gap);
  signs.set(TextSign::text_quoted_share, share(lines.quoted, lines.lines));

  CharactersSeen characters = look_at_characters(text);
  signs.set(TextSign::text_exclamations, characters.exclamations);
  signs.set(TextSign::text_exclamations_in_row, characters.in_row);
  signs.set(TextSign::text_piled_marks, characters.piled);
  signs.set(TextSign::text_broken_characters, characters.broken);
  signs.set(TextSign::text_digits_share, share(characters.digits, characters.digits + mixture.letters));

  signs.set(TextSign::text_spaced_out, spaced_out_words_in(text));
  Money money = money_in(text);
  signs.set(TextSign::text_money, money.amounts);
  signs.set(TextSign::text_large_money, money.large);
  signs.set(TextSign::text_crypto_addresses, crypto_addresses_in(text));
  signs.set(TextSign::text_phone_numbers, phone_numbers_in(text));
  signs.set(TextSign::text_email_addresses, mail_addresses_in(text));
  signs.set(TextSign::text_one_time_code, looks_like_one_time_code(text, mixture.words));
  if (context.recipients.empty()) {
    signs.set_unknown(TextSign::text_greets_by_address);
  } else {
    signs.set(TextSign::text_greets_by_address, greets_by_address(text, context.recipients));
  }

  out.language = language_of(text);
  Language subject = language_of(context.subject);
  bool both = out.language.confidence >= 0.7 && subject.confidence >= 0.7;
  signs.set(TextSign::text_foreign_to_subject, both && subject.code != out.language.code);
  return out;
}

}  // namespace postern::filters
