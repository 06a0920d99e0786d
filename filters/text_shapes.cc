// Amounts of money, telephone numbers, crypto addresses and codes by their shape.
#include "filters/text_shapes.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "filters/letters.h"
#include "gateway/base/digits.h"
#include "gateway/base/text.h"
#include "gateway/mail/charset.h"

namespace postern::filters {
namespace {

bool is_word_octet(char c) { return is_alpha(c) || is_digit(c) || static_cast<unsigned char>(c) >= 0x80; }

// A number with its separators: "1,000,000.00", "1.000.000".
struct Number {
  std::size_t begin = 0, end = 0;
  double value = 0;
};

// The number that begins at `at`.
Number number_at(std::string_view text, std::size_t at) {
  Number out{at, at, 0};
  std::size_t behind_mark = 0;   // digits behind the last mark
  bool mark = false;
  double value = 0;
  while (out.end < text.size() && out.end - at < 32) {
    char c = text[out.end];
    bool inner_mark = (c == ',' || c == '.') && out.end + 1 < text.size() && is_digit(text[out.end + 1]);
    if (is_digit(c)) {
      value = value * 10 + (c - '0');
      ++behind_mark;
    } else if (inner_mark) {
      mark = true;
      behind_mark = 0;
    } else {
      break;
    }
    ++out.end;
  }
  if (mark && behind_mark <= 2) value /= behind_mark == 2 ? 100 : 10;   // cents
  out.value = value;
  return out;
}

constexpr std::array<std::string_view, 7> kSigns = {"$", "\xe2\x82\xac", "\xc2\xa3", "\xc2\xa5", "\xe2\x82\xab", "\xe2\x82\xb9", "\xe2\x82\xbd"};
constexpr std::array<std::string_view, 12> kWords = {"usd", "eur", "gbp", "dollar", "euro", "pound", "vnd", "vn\xc4\x91", "yen", "rub", "\xc4\x91\xe1\xbb\x93ng", "bitcoin"};

bool sign_before(std::string_view before) {
  for (std::string_view sign : kSigns) {
    if (before.ends_with(sign)) return true;
  }
  for (std::string_view word : {"usd", "eur", "gbp", "us"}) {
    if (iends_with(before, word) && (before.size() == word.size() || !is_alpha(before[before.size() - word.size() - 1]))) return word != "us";
  }
  return false;
}

bool sign_behind(std::string_view behind) {
  for (std::string_view sign : kSigns) {
    if (behind.starts_with(sign)) return true;
  }
  return std::any_of(kWords.begin(), kWords.end(), [&](std::string_view word) {
    if (!istarts_with(behind, word)) return false;
    std::string_view rest = behind.substr(word.size());
    if (!rest.empty() && ascii_lower(rest.front()) == 's') rest.remove_prefix(1);
    return rest.empty() || !is_alpha(rest.front());
  });
}

bool says_million(std::string_view behind) {
  constexpr std::array<std::string_view, 8> kLarge = {"million", "billion", "mio", "millones", "milh", "tri\xe1\xbb\x87u", "t\xe1\xbb\xb7", "m "};
  return std::any_of(kLarge.begin(), kLarge.end(), [&](std::string_view word) { return istarts_with(behind, word); });
}

std::string_view without_blank_end(std::string_view text) {
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

bool is_base58(std::string_view word) {
  bool upper = false, lower = false, digit = false;
  for (char c : word) {
    if (!(is_alpha(c) || is_digit(c)) || c == '0' || c == 'O' || c == 'I' || c == 'l') return false;
    upper = upper || (c >= 'A' && c <= 'Z');
    lower = lower || (c >= 'a' && c <= 'z');
    digit = digit || is_digit(c);
  }
  return upper && lower && digit;
}

// BIP 173 and BIP 350: the checksum of "bc1..." in either form.
bool is_bech32(std::string_view word) {
  constexpr std::string_view kAlphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  constexpr std::array<std::uint32_t, 5> kGenerator = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
  if (word.size() < 14 || word.size() > 90 || !istarts_with(word, "bc1")) return false;
  std::uint32_t check = 1;
  auto feed = [&](std::uint32_t value) {
    std::uint32_t top = check >> 25;
    check = (check & 0x1ffffff) << 5 ^ value;
    for (std::size_t i = 0; i < kGenerator.size(); ++i) check ^= (top >> i & 1) != 0 ? kGenerator[i] : 0;
  };
  for (std::uint32_t value : {3U, 3U, 0U, std::uint32_t{'b'} & 31, std::uint32_t{'c'} & 31}) feed(value);
  for (char c : word.substr(3)) {
    std::size_t value = kAlphabet.find(ascii_lower(c));
    if (value == std::string_view::npos) return false;
    feed(static_cast<std::uint32_t>(value));
  }
  return check == 1 || check == 0x2bc830a3;
}

bool is_crypto_address(std::string_view word) {
  if (word.size() == 42 && word.starts_with("0x")) return std::all_of(word.begin() + 2, word.end(), [](char c) { return hex_value(c) >= 0; });
  if (is_bech32(word)) return true;
  char first = word.front();
  bool bitcoin = (first == '1' || first == '3') && word.size() >= 26 && word.size() <= 35;
  bool tron = first == 'T' && word.size() == 34;
  bool monero = (first == '4' || first == '8') && word.size() == 95;
  return (bitcoin || tron || monero) && is_base58(word);
}

}  // namespace

Money money_in(std::string_view text) {
  Money out;
  for (std::size_t at = 0; at < text.size();) {
    if (!is_digit(text[at])) {
      ++at;
      continue;
    }
    Number number = number_at(text, at);
    std::size_t from = at < 8 ? 0 : at - 8;
    std::string_view before = without_blank_end(text.substr(from, at - from));
    std::string_view behind = text.substr(number.end, 24);
    while (!behind.empty() && behind.front() == ' ') behind.remove_prefix(1);
    bool million = says_million(behind);
    if (million) behind = behind.substr(std::min(behind.find(' '), behind.size()));
    while (!behind.empty() && behind.front() == ' ') behind.remove_prefix(1);
    if (sign_before(before) || sign_behind(behind)) {
      ++out.amounts;
      out.large = out.large || million || number.value >= 100'000;
    }
    at = std::max(number.end, at + 1);
  }
  return out;
}

std::size_t crypto_addresses_in(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && (is_alpha(text[end]) || is_digit(text[end]))) ++end;
    // In a path or an address of mail such a word is something else.
    bool part = (at > 0 && std::string_view("/=&@_-+.").find(text[at - 1]) != std::string_view::npos) ||
                (end < text.size() && std::string_view("/=&@_-+").find(text[end]) != std::string_view::npos);
    if (end - at >= 14 && end - at <= 95 && !part && is_crypto_address(text.substr(at, end - at))) ++count;
    at = std::max(end, at + 1);
  }
  return count;
}

std::size_t phone_numbers_in(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size();) {
    char c = text[at];
    bool begins = (c == '+' || c == '(' || is_digit(c)) && (at == 0 || !(is_word_octet(text[at - 1]) || std::string_view("/=&.,:-_#$").find(text[at - 1]) != std::string_view::npos));
    if (!begins) {
      ++at;
      continue;
    }
    std::size_t end = at, digits = 0;
    std::string groups;   // the length of each group of digits, as a digit
    bool in_group = false, bracket = false;
    while (end < text.size() && end - at < 28) {
      char one = text[end];
      if (is_digit(one)) {
        ++digits;
        if (!in_group) groups += '0';
        in_group = true;
        if (groups.back() < '9') ++groups.back();
      } else if (one == ' ' || one == '-' || one == '.' || one == '(' || one == ')' || (one == '+' && end == at)) {
        bracket = bracket || one == ')';
        if (!in_group && end > at && (one == '-' || one == '.')) break;   // rows of marks
        in_group = false;
      } else {
        break;
      }
      ++end;
    }
    bool whole = end >= text.size() || !is_word_octet(text[end]);
    // Without "+", brackets or a leading 0 any number could be meant, unless it is grouped as North America groups them.
    bool shaped = c == '+' ? digits >= 9 : bracket ? digits >= 9 : c == '0' ? digits >= 9 && groups.size() >= 2 : groups == "334" || groups == "1334";
    if (whole && shaped && digits <= 15) ++count;
    at = std::max(end, at + 1);
  }
  return count;
}

std::size_t mail_addresses_in(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1)) {
    bool local = at > 0 && (is_alpha(text[at - 1]) || is_digit(text[at - 1]));
    std::size_t end = at + 1;
    bool dot = false;
    while (end < text.size() && end - at < 255 && (is_alpha(text[end]) || is_digit(text[end]) || text[end] == '-' || text[end] == '.')) {
      dot = dot || (text[end] == '.' && end + 1 < text.size() && is_alpha(text[end + 1]));
      ++end;
    }
    if (local && dot) ++count;
  }
  return count;
}

bool looks_like_one_time_code(std::string_view text, std::size_t words) {
  constexpr std::size_t kMaxWords = 150, kMaxText = 8 * 1024;
  // Folded: without marks on letters, small.
  constexpr std::array<std::string_view, 20> kSays = {"one-time", "one time", "verification code", "security code", "login code", "confirmation code", "passcode", "otp", "authentication code",
                                                      "ma xac", "ma otp", "ma bao mat", "einmal", "bestatigungscode", "sicherheitscode", "code de verification", "codigo de verificacion",
                                                      "\xd0\xba\xd0\xbe\xd0\xb4 \xd0\xbf\xd0\xbe\xd0\xb4\xd1\x82", "\xe9\xaa\x8c\xe8\xaf\x81\xe7\xa0\x81", "your code"};
  if (words == 0 || words > kMaxWords || text.size() > kMaxText) return false;
  std::size_t codes = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && (is_alpha(text[end]) || is_digit(text[end]))) ++end;
    std::string_view word = text.substr(at, end - at);
    bool digits = word.size() >= 4 && word.size() <= 8 && std::all_of(word.begin(), word.end(), is_digit);
    bool mixed = word.size() == 6 && std::all_of(word.begin(), word.end(), [](char c) { return is_digit(c) || (c >= 'A' && c <= 'Z'); }) &&
                 std::any_of(word.begin(), word.end(), is_digit);
    bool year = word.size() == 4 && (word.starts_with("19") || word.starts_with("20"));
    bool amount = at > 0 && std::string_view("$.,/=-+#").find(text[at - 1]) != std::string_view::npos;
    codes += (digits || mixed) && !year && !amount ? 1 : 0;
    at = std::max(end, at + 1);
  }
  if (codes == 0 || codes > 3) return false;   // an invoice has more numbers
  std::string folded = mail::search_form(text);
  std::replace(folded.begin(), folded.end(), '\n', ' ');
  return std::any_of(kSays.begin(), kSays.end(), [&](std::string_view word) {
    std::size_t found = folded.find(word);
    return found != std::string::npos && (word != "otp" || found == 0 || !is_alpha(folded[found - 1]));
  });
}

std::size_t spaced_out_words_in(std::string_view text) {
  std::size_t count = 0, run = 0;
  char mark = '\0';
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t begin = at;
    char32_t c = next_character(text, at);
    // A letter with the same mark before and behind it goes on; one with another mark begins anew.
    bool before = begin == 0 || std::string_view(" .-_*\n").find(text[begin - 1]) != std::string_view::npos;
    char behind = at < text.size() ? text[at] : '\n';
    bool alone = is_letter(c) && before && std::string_view(" .-_*\n!,").find(behind) != std::string_view::npos;
    if (!alone) {
      if (is_letter(c) || (c < 0x80 && is_digit(static_cast<char>(c)))) run = 0;
      continue;
    }
    bool joined = run > 0 && begin > 0 && text[begin - 1] == mark;
    run = joined ? run + 1 : 1;
    if (run == 4) ++count;
    mark = behind;
  }
  return count;
}

}  // namespace postern::filters
