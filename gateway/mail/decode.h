#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// Transfer encodings.  Lenient as mail needs it, and never more than `limit` octets come out.
namespace postern::mail {

enum class TransferEncoding : std::uint8_t {
  identity,          // 7bit, 8bit, binary, or none named
  base64,
  quoted_printable,
  uuencode,
  other,             // a word that we do not know: the octets stay as they are, RFC 2045 6.4
};

constexpr std::size_t kNoLimit = static_cast<std::size_t>(-1);

// RFC 2045 6.8: octets outside the alphabet are ignored; decoding goes on behind padding, as with joined pieces.
std::string decode_base64(std::string_view text, std::size_t limit = kNoLimit);
// RFC 2045 6.7: white space at line ends is dropped, a wrong escape stays as it is.
std::string decode_quoted_printable(std::string_view text, std::size_t limit = kNoLimit);
// RFC 2047 4.2, the "Q" encoding.
std::string decode_q(std::string_view text, std::size_t limit = kNoLimit);
// From the "begin" line to "end"; without a begin line, or with a broken one, "".
std::string decode_uuencode(std::string_view text, std::size_t limit = kNoLimit);

std::string decode_body(std::string_view body, TransferEncoding encoding, std::size_t limit = kNoLimit);

}  // namespace postern::mail
