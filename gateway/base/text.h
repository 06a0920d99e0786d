#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Octet-wise helpers for protocol text.  "ascii" means: only A-Z change, every other octet stays.
namespace postern {

constexpr char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr char ascii_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_wsp(char c) { return c == ' ' || c == '\t'; }

std::string ascii_lowered(std::string_view text);
std::string ascii_uppered(std::string_view text);
bool iequals(std::string_view a, std::string_view b);
bool istarts_with(std::string_view text, std::string_view prefix);
bool iends_with(std::string_view text, std::string_view suffix);
// Position of the first case-blind occurrence at or behind `from`, or npos.
std::size_t ifind(std::string_view text, std::string_view needle, std::size_t from = 0);

// Without leading and trailing SP, HTAB, CR and LF.
std::string_view trimmed(std::string_view text);

// The pieces between separators, empty ones included; "" gives one empty piece.
std::vector<std::string_view> split(std::string_view text, char separator);
// The pieces between runs of SP and HTAB; never an empty one.
std::vector<std::string_view> words(std::string_view text);
std::string join(const std::vector<std::string>& parts, std::string_view separator);

// Decimal, whole text, no sign, no overflow.
std::optional<std::uint64_t> parse_number(std::string_view text);

// "50MB", "256 KiB", "1GB", "4096": octets; KB/MB/GB and KiB/MiB/GiB are both powers of 1024.
std::optional<std::uint64_t> parse_octets(std::string_view text);

// "5s", "250ms", "3m", "2h", "7d": milliseconds.
std::optional<std::int64_t> parse_milliseconds(std::string_view text);

std::string hex(std::string_view octets);
std::optional<std::string> from_hex(std::string_view text);

// RFC 4648 4, with padding and without line breaks.
std::string base64(std::string_view octets);
// Strict: no white space, right padding; nothing otherwise (SASL wants that, MIME does not).
std::optional<std::string> from_base64(std::string_view text);

// For humans and logs: control octets and 8-bit rubbish as \xNN, cut to `limit` octets with "...".
std::string printable(std::string_view octets, std::size_t limit = 200);

bool is_ascii(std::string_view text);
// Well-formed UTF-8 without surrogates or overlong forms, RFC 3629 4.
bool is_utf8(std::string_view text);

// The best match for a mistyped word by edit distance (at most a third of its letters), or "".
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known);
// The same for the end of a complaint: " (subject?)", or "".
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace postern
