#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filters/language.h"
#include "filters/signs.h"

// The signs of a readable text: how it is written, not what it says.

// clang-format off
#define POSTERN_TEXT_SIGNS(SIGN) \
  SIGN(text_words, number, "The text has so many words.") \
  SIGN(text_none, flag, "There is no text to read.") \
  SIGN(text_none_but_image, flag, "There is nothing to read but an image.") \
  SIGN(text_none_but_attachment, flag, "There is nothing to read but an attachment.") \
  SIGN(text_none_but_link, flag, "There is hardly more to read than a link.") \
  SIGN(text_words_per_link, number, "So many words stand for each link.") \
  SIGN(text_mixed_words, number, "So many words mix letters of alphabets that look alike.") \
  SIGN(text_mixed_share, number, "The share of words that mix letters of alphabets that look alike.") \
  SIGN(text_disguised_words, number, "So many words are written in foreign letters that look like Latin ones.") \
  SIGN(text_invisible, number, "So many invisible characters stand in the text.") \
  SIGN(text_invisible_inside, number, "So many invisible characters stand between letters of words.") \
  SIGN(text_direction_turned, number, "So many characters turn the direction of the text.") \
  SIGN(text_styled, number, "So many letters only imitate letters.") \
  SIGN(text_symbols, number, "So many emoji and other symbols stand in the text.") \
  SIGN(text_piled_marks, number, "So many times three marks and more are piled on one letter.") \
  SIGN(text_broken_characters, number, "So many characters could not be decoded.") \
  SIGN(text_spaced_out, number, "So many words are written with their letters spaced out.") \
  SIGN(text_leet_words, number, "So many words have digits in the place of letters.") \
  SIGN(text_leet_share, number, "The share of words that have digits in the place of letters.") \
  SIGN(text_gibberish_words, number, "So many words have seven letters or more and no vowel.") \
  SIGN(text_long_words, number, "So many words are longer than forty characters and no link.") \
  SIGN(text_capitals_share, number, "The share of capitals in the letters, of forty letters and more.") \
  SIGN(text_shouted_words, number, "So many words of four letters and more are all capitals.") \
  SIGN(text_shouted_share, number, "The share of words of four letters and more that are all capitals.") \
  SIGN(text_exclamations, number, "So many exclamation marks stand in the text.") \
  SIGN(text_exclamations_in_row, flag, "Two exclamation marks and more stand in a row.") \
  SIGN(text_longest_gap, number, "So many blank lines stand in a row.") \
  SIGN(text_money, number, "So many amounts of money are named.") \
  SIGN(text_large_money, flag, "An amount of a hundred thousand or of millions is named.") \
  SIGN(text_crypto_addresses, number, "So many addresses of crypto money stand in the text.") \
  SIGN(text_phone_numbers, number, "So many telephone numbers stand in the text.") \
  SIGN(text_email_addresses, number, "So many mail addresses stand in the text.") \
  SIGN(text_one_time_code, context, "It looks like a one-time code: short, a lone number, and the words that go with it.") \
  SIGN(text_greets_by_address, flag, "The recipient is greeted by his address or its local part.") \
  SIGN(text_digits_share, number, "The share of digits in letters and digits.") \
  SIGN(text_quoted_share, context_number, "The share of lines that are quoted from another message.") \
  SIGN(text_foreign_to_subject, flag, "Text and subject are in different languages, both surely.")
// clang-format on

namespace postern::filters {

enum class TextSign : std::uint8_t {
#define POSTERN_SIGN_MEMBER(name, kind, says) name,
  POSTERN_TEXT_SIGNS(POSTERN_SIGN_MEMBER)
#undef POSTERN_SIGN_MEMBER
  count_
};

// In the order of the enum.
inline constexpr auto kTextSigns = std::to_array<SignInfo>({
#define POSTERN_SIGN_INFO(name, kind, says) {#name, SignKind::kind, says},
    POSTERN_TEXT_SIGNS(POSTERN_SIGN_INFO)
#undef POSTERN_SIGN_INFO
});

constexpr std::size_t kMaxSignedText = 256 * 1024;   // octets that are looked at

// What stands beside the text.
struct TextContext {
  std::string_view subject = {};                // decoded
  std::optional<std::size_t> links = {};        // of all parts, each once; nullopt: not known
  std::optional<std::size_t> images = {};       // shown in the message, attached or from the net
  std::optional<std::size_t> attachments = {};  // other than images
  std::vector<std::string> recipients = {};     // of the envelope, or of To; empty: not known
};

struct TextSigns {
  SignSet<TextSign> signs;
  Language language;
};

// `text` is readable UTF-8 as mail::readable_text() gives it.  Pure; any thread; costs what its length costs.
TextSigns text_signs(std::string_view text, const TextContext& context);

}  // namespace postern::filters
