#pragma once

#include <cstddef>
#include <string_view>

// Things that are told by their shape alone, found in a text: amounts, numbers, addresses.  Each costs one pass.
namespace postern::filters {

struct Money {
  std::size_t amounts = 0;
  bool large = false;     // a hundred thousand or more, or millions in words
};
Money money_in(std::string_view text);

// Bitcoin (base 58 and bech32, whose checksum is checked), Ethereum, Tron, Monero.
std::size_t crypto_addresses_in(std::string_view text);

// International ("+84 24 3825 1234") and with an area code in brackets or separators, 9 to 15 digits.
std::size_t phone_numbers_in(std::string_view text);

std::size_t mail_addresses_in(std::string_view text);

// A lone number of 4 to 8 digits, or six capitals and digits mixed, in a text of at most 150 words that speaks of a code, in
// English, Vietnamese, German, French, Spanish, Russian or Chinese.
bool looks_like_one_time_code(std::string_view text, std::size_t words);

// Single letters with the same space or mark between them, four and more: "V I A G R A", "f-r-e-e".
std::size_t spaced_out_words_in(std::string_view text);

}  // namespace postern::filters
