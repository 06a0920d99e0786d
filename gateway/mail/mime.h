#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/mail/content.h"

// The structure of a message as a table of offsets: one pass, no copy of any body.  RFC 2045, RFC 2046 5.
// Filters, IMAP (BODY[...], BODYSTRUCTURE) and search read the same table.
namespace postern::mail {

constexpr std::size_t kMaxParts = 1000;
constexpr std::size_t kMaxDepth = 30;
// Octets of all texts in a table (types, parameters, embedded envelopes); of later ones only those parameters are kept
// that decide, up to as many octets again.
constexpr std::size_t kMaxTableText = 256 * 1024;

// A message or a part of one.  Offsets count from the first octet that was parsed (in the store: of the record).
struct Part {
  enum class Kind : std::uint8_t {
    leaf,
    multipart,   // children are its parts; none when no delimiter was found
    message,     // message/rfc822 or message/global, not encoded: its one child is the embedded message
  };

  std::uint32_t header = 0;   // first octet of the header
  std::uint32_t body = 0;     // first octet behind the empty line (the header's end)
  std::uint32_t end = 0;      // behind the last octet of the body; the line end before a delimiter belongs to the delimiter
  std::uint32_t lines = 0;    // LFs in the body
  std::uint16_t parent = 0;   // index in PartTable::parts; the root names itself
  std::uint8_t depth = 0;
  Kind kind = Kind::leaf;
  // A whole message (the root, or the child of Kind::message): has an envelope, its header is BODY[n.HEADER].
  bool is_message = false;

  ContentType type;                        // with the default of its container when the field is absent
  TransferEncoding encoding = TransferEncoding::identity;
  std::string encoding_word;               // as written, lower case; "" when absent (IMAP: "7BIT")
  Disposition disposition;
  std::string id;                          // Content-ID, Content-Description, Content-MD5, -Language, -Location:
  std::string description;                 // unfolded as written, "" when absent
  std::string md5;
  std::string language;
  std::string location;
  std::string envelope;                    // only of an embedded message: blob for EnvelopeView

  std::uint32_t header_size() const { return body - header; }
  std::uint32_t body_size() const { return end - body; }
  bool is(std::string_view wanted_type, std::string_view wanted_subtype) const {
    return type.type == wanted_type && type.subtype == wanted_subtype;
  }
  // From Content-Disposition, else the name of Content-Type, as UTF-8; "" without one.  A foreign text: no path.
  std::string file_name() const;
  // The charset as written, or "".
  std::string_view charset() const { return type.parameters.plain("charset"); }

  bool operator==(const Part&) const = default;
};

struct PartTable {
  std::vector<Part> parts;    // never empty; [0] is the message, a parent stands before its children
  std::uint32_t size = 0;     // octets parsed
  // A limit was met, so another reader may see parts, names or texts that are not here: more parts or levels than are
  // read (the last part stands for the rest, opaque), or parameters that were dropped or cut.
  bool truncated = false;

  const Part& root() const { return parts.front(); }
  std::vector<std::size_t> children(std::size_t index) const;

  // The part of an IMAP number, "" = the message, "2.1" = RFC 3501 6.4.5: a message that is no multipart has the part
  // "1", its own body; numbers below a message/rfc822 part count in the embedded message.  For "1" of a message
  // without multipart the message itself is given.  nullopt: no such part or not a number.
  std::optional<std::size_t> find(std::string_view number) const;
  // For BODY[n.HEADER] and BODY[n.TEXT]: the message that part n holds, "" = the root.  nullopt: it holds none.
  std::optional<std::size_t> message_of(std::string_view number) const;

  bool operator==(const PartTable&) const = default;
};

// Any octets have a table.  Messages of 4 GiB and more are cut there.
PartTable parse(std::string_view message);

// A compact, versioned form for the message row.
std::string serialize(const PartTable& table);
// Trusts nothing: offsets are in order and inside, parents stand before their children, limits hold.
Result<PartTable> deserialize(std::string_view blob);

// Slices; `message` must be what was parsed (or the same octets read again).
inline std::string_view header_of(std::string_view message, const Part& part) {
  return message.substr(part.header, part.header_size());
}
inline std::string_view body_of(std::string_view message, const Part& part) {
  return message.substr(part.body, part.body_size());
}

}  // namespace postern::mail
