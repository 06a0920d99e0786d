#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::mail {

// Octets kept of one field and of all together; longer values are cut.
constexpr std::size_t kMaxEnvelopeField = 64 * 1024;
constexpr std::size_t kMaxEnvelope = 128 * 1024;

// The fields of an IMAP ENVELOPE (RFC 3501 7.4.2) in one pass over a header, as a compact blob for the message row.
// Values are raw: unfolded, encoded words untouched, NULs removed.  Of a repeated address field the values are
// joined with ", ", of any other field the first one counts.
std::string envelope_of(std::string_view header);

// Reads such a blob in place; the blob must outlive the view.
class EnvelopeView {
 public:
  enum Field : std::uint8_t { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id };
  static constexpr std::size_t kFields = 10;

  // nullopt when the octets are not such a blob.
  static std::optional<EnvelopeView> read(std::string_view blob);

  // nullopt when the message has no such field.  Addresses: parse_address_list() of the value; that IMAP shows From
  // where Sender and Reply-To are missing is left to the caller.
  std::optional<std::string_view> get(Field field) const { return values_[field]; }

 private:
  std::array<std::optional<std::string_view>, kFields> values_;
};

}  // namespace postern::mail
