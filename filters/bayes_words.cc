// Words of a mail's text for Bayes.  What a sender can vary at no cost (numbers, ids, letters set apart) becomes a class
// or the word that was meant, so that it cannot make each copy of a mail a new one.
#include "filters/bayes_words.h"

#include <algorithm>
#include <cstring>

#include "filters/bayes_letters.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMostSpaced = 30;   // letters of a word that was spaced out
constexpr std::size_t kLongestUrl = 2048;

bool is_joiner(char c) { return c == '$' || c == '!' || c == '|' || c == '*' || c == '@' || c == '\''; }

bool is_currency(char32_t c) { return c == '$' || c == 0xa3 || c == 0xa5 || (c >= 0x20a0 && c <= 0x20cf); }

// The letter that a digit or sign stands for in a disguised word, or 0.
char meant_by(char c) {
  switch (c) {
    case '0': return 'o';
    case '1': case '!': case '|': return 'i';
    case '3': return 'e';
    case '4': case '@': return 'a';
    case '5': case '$': return 's';
    case '7': return 't';
    default: return 0;
  }
}

std::size_t in_steps(std::size_t length) { return length <= 12 ? length : length <= 20 ? 20 : length <= 40 ? 40 : length <= 80 ? 80 : 999; }

}  // namespace

// Letters and digits with what stands between them and does not part them.
struct BayesWords::Run {
  std::size_t octets = 0;      // in the text
  std::size_t size = 0;        // in buffer_, as far as they fit
  unsigned letters = 0, digits = 0, signs = 0;
  unsigned ascii = 0, twins = 0;      // of the letters
  unsigned capitals = 0;
  unsigned whole = 0;          // digits before the point
  bool invisible = false;
  bool too_long = false;
  bool point = false;
  char32_t before = 0;         // the character in front
};

namespace {

// "user@host.example": the sign parts an address, it does not disguise a letter.
bool is_address(std::string_view text, std::size_t sign) {
  std::size_t i = sign + 1;
  std::size_t end = std::min(text.size(), sign + 64);
  while (i < end && (is_alpha(text[i]) || is_digit(text[i]) || text[i] == '-')) ++i;
  return i + 1 < end && text[i] == '.' && (is_alpha(text[i + 1]) || is_digit(text[i + 1]));
}

// Whether what stands at `at` joins the letters or digits around it.
bool joins(std::string_view text, std::size_t at, bool behind_digit) {
  if (at + 1 >= text.size()) return false;
  char c = text[at];
  if (behind_digit && (c == '.' || c == ',')) return is_digit(text[at + 1]);
  if (!is_joiner(c) || (c == '@' && is_address(text, at))) return false;
  std::size_t next = at + 1;
  if (next + 1 < text.size() && is_joiner(text[next]) && text[next] != '\'') ++next;
  return is_alpha(text[next]);
}

}  // namespace

void BayesWords::append(Run& run, char32_t small) {
  if (run.size + 4 > kMaxWord) {
    run.too_long = true;
    return;
  }
  if (small < 0x80) {
    buffer_[run.size++] = static_cast<char>(small);
    return;
  }
  std::size_t length = small < 0x800 ? 2 : small < 0x10000 ? 3 : 4;
  constexpr unsigned kLead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (std::size_t i = length; i-- > 1; small >>= 6) buffer_[run.size + i] = static_cast<char>(0x80U | (small & 0x3fU));
  buffer_[run.size] = static_cast<char>(kLead[length] | small);
  run.size += length;
}

// A sign that parts neither the letters nor the digits around it: "pa$$word", "1,000.50", "don't".
bool BayesWords::take_joiner(Run& run) {
  char sign = text_[at_];
  if (run.letters + run.digits == 0 || !joins(text_, at_, run.letters == 0)) return false;
  ++at_;
  if (sign == '.' || sign == ',') {
    run.point = run.point || sign == '.';
    return true;
  }
  if (sign == '\'') return true;
  append(run, static_cast<unsigned char>(sign));
  ++run.signs;
  if (!is_joiner(text_[at_])) return true;
  append(run, static_cast<unsigned char>(text_[at_]));
  ++at_;
  return true;
}

void BayesWords::take_run(Run& run) {
  std::size_t begin = at_;
  while (at_ < text_.size()) {
    std::size_t next = at_;
    char32_t c = take_character(text_, next);
    Letter letter = letter_class(c);
    if (letter == Letter::other) {
      if (c == 0x2019 && run.letters > 0) {   // a typographer's apostrophe
        at_ = next;
        continue;
      }
      if (c < 0x80 && take_joiner(run)) continue;
      break;
    }
    if (letter == Letter::invisible) {
      run.invisible = run.letters > 0;
      at_ = next;
      continue;
    }
    if (letter != Letter::letter && letter != Letter::digit) break;
    char32_t small = lower_letter(c);
    if (letter == Letter::digit) {
      ++run.digits;
      if (!run.point) ++run.whole;
    } else {
      ++run.letters;
      run.ascii += small < 0x80 ? 1 : 0;
      run.twins += look_alike(small) != 0 ? 1 : 0;
      run.capitals += small != c ? 1 : 0;
    }
    append(run, small);
    at_ = next;
  }
  run.octets = at_ - begin;
}

void BayesWords::number_form(const Run& run, BayesWord& word) {
  bool percent = at_ < text_.size() && text_[at_] == '%';
  if (percent && run.digits <= 3 && !run.too_long) {
    buffer_[run.size] = '%';
    word.kind = BayesWord::Kind::percent;
    word.text = {buffer_.data(), run.size + 1};
    return;
  }
  bool money = is_currency(run.before);
  word.kind = money ? BayesWord::Kind::money : BayesWord::Kind::number;
  std::size_t digits = std::min<std::size_t>(money ? run.whole : run.digits, 20);
  buffer_[0] = money ? '$' : '#';
  buffer_[1] = static_cast<char>('a' + digits);
  word.text = {buffer_.data(), 2};
}

// Letters with digits or signs: a word in disguise, a short name ("mp3"), or an id.
void BayesWords::mixed_form(const Run& run, BayesWord& word) {
  std::size_t size = 0;
  bool inner = !run.too_long && run.size <= 20 && run.letters >= 3 && run.letters >= 2 * (run.digits + run.signs);
  bool disguised = false;
  for (std::size_t i = 0; inner && i < run.size; ++i) {
    char c = buffer_[i];
    if (is_alpha(c) || static_cast<unsigned char>(c) >= 0x80) {
      fold_[size++] = c;
      continue;
    }
    // Between letters, or at the beginning: "usb3" is no disguise.
    char meant = meant_by(c);
    bool before_letter = i + 1 < run.size && !is_digit(buffer_[i + 1]);
    inner = before_letter && (meant != 0 || c == '*');
    if (meant != 0) fold_[size++] = meant;
    disguised = true;
  }
  if (inner && disguised) {
    word.folded = {fold_.data(), size};
    word.disguise = BayesWord::Disguise::digits;
  }
  word.kind = BayesWord::Kind::word;
  word.text = {buffer_.data(), run.size};
  if (run.too_long || (run.size > 6 && !(inner && disguised))) {
    word.kind = BayesWord::Kind::code;
    constexpr std::string_view kCode = "code:";
    std::memcpy(buffer_.data(), kCode.data(), kCode.size());
    buffer_[kCode.size()] = static_cast<char>('a' + in_steps(run.octets) % 26);
    word.text = {buffer_.data(), kCode.size() + 1};
  }
}

// "V I A G R A", "v.i.a.g.r.a": four or more single letters with one and the same sign between them.
bool BayesWords::spaced_out(const Run& first, BayesWord& word) {
  if (first.size != 1 || at_ >= text_.size()) return false;
  char sign = text_[at_];
  if (sign != ' ' && sign != '.' && sign != '-' && sign != '_' && sign != '*') return false;
  auto is_word = [&](std::size_t i) {
    return i < text_.size() && (is_alpha(text_[i]) || is_digit(text_[i]) || static_cast<unsigned char>(text_[i]) >= 0x80);
  };
  std::size_t size = 0;
  std::size_t i = at_;
  fold_[size++] = buffer_[0];
  while (size < kMostSpaced && i + 1 < text_.size() && text_[i] == sign && is_alpha(text_[i + 1]) && !is_word(i + 2)) {
    fold_[size++] = ascii_lower(text_[i + 1]);
    i += 2;
  }
  if (size < 4) return false;
  at_ = i;
  word.kind = BayesWord::Kind::word;
  word.text = {fold_.data(), size};
  word.folded = word.text;
  word.disguise = BayesWord::Disguise::spaced;
  return true;
}

bool BayesWords::finish(const Run& run, BayesWord& word) {
  word.capitals = run.capitals >= 2 && run.capitals == run.letters;
  if (run.letters == 0) {
    number_form(run, word);
    return true;
  }
  if (run.digits + run.signs > 0 || run.too_long) {
    mixed_form(run, word);
    return true;
  }
  if (run.letters == 1) return spaced_out(run, word);
  std::string_view text(buffer_.data(), run.size);
  word.kind = BayesWord::Kind::word;
  word.text = text;
  if (run.invisible) word.disguise = BayesWord::Disguise::invisible;
  // Letters of two scripts in one word, and all the foreign ones look like Latin ones.
  if (run.ascii > 0 && run.twins > 0 && run.ascii + run.twins == run.letters && run.size <= kMaxWord) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < text.size();) {
      char32_t c = take_character(text, i);
      fold_[size++] = c < 0x80 ? static_cast<char>(c) : look_alike(c);
    }
    word.folded = {fold_.data(), size};
    word.disguise = BayesWord::Disguise::look_alikes;
  }
  return true;
}

// Bigrams: of "ABC" AB and BC; a lone character alone.  `length`: octets of the character at at_.
void BayesWords::take_piece(std::size_t length, BayesWord& word) {
  std::size_t next = at_ + length;
  std::size_t behind = next;
  if (behind < text_.size() && letter_class(take_character(text_, behind)) != Letter::unspaced) behind = next;
  bool lone = behind == next;
  word.kind = BayesWord::Kind::piece;
  word.text = lone && after_piece_ ? std::string_view() : text_.substr(at_, behind - at_);
  after_piece_ = !lone;
  at_ = next;
}

bool BayesWords::next(BayesWord& word) {
  char32_t before = 0;
  while (at_ < text_.size()) {
    std::size_t behind = at_;
    char32_t c = take_character(text_, behind);
    Letter letter = letter_class(c);
    word.folded = {};
    word.disguise = BayesWord::Disguise::none;
    word.capitals = false;
    if (letter == Letter::unspaced) {
      take_piece(behind - at_, word);
      if (!word.text.empty()) return true;
      continue;
    }
    after_piece_ = false;
    if (letter == Letter::picture) {
      word.kind = BayesWord::Kind::picture;
      word.text = text_.substr(at_, behind - at_);
      at_ = behind;
      return true;
    }
    if (letter != Letter::letter && letter != Letter::digit) {
      at_ = behind;
      before = c;
      continue;
    }
    Run run;
    run.before = before;
    before = 0;
    take_run(run);
    // A link is a token of its own.
    std::string_view scheme(buffer_.data(), run.size);
    if ((scheme == "http" || scheme == "https") && text_.substr(at_, 3) == "://") {
      std::size_t end = std::min(text_.size(), at_ + kLongestUrl);
      while (at_ < end && static_cast<unsigned char>(text_[at_]) > ' ') ++at_;
      continue;
    }
    if (finish(run, word)) return true;
  }
  return false;
}

}  // namespace postern::filters
