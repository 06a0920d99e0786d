#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/imap/fetch_items.h"
#include "gateway/mail/mime.h"
#include "gateway/store/types.h"

namespace postern::imap {

// Octets [begin, end) of a message, its header prefix included.
struct Extent {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t size() const { return end - begin; }
};

// Where a section lies (for the HEADER.FIELDS forms: the header that they choose from); nothing when the message has
// no such part.  The prefix belongs to the message's own header: part offsets count from behind it.
std::optional<Extent> extent_of(const store::MessageRow& row, const mail::PartTable& table, const Section& section);

// The fields of a header that a section asks for, with the empty line.  RFC 3501 6.4.5.
std::string chosen_fields(std::string_view header, const Section& section);

// The part [first, first+count) of an extent, cut at its end.
Extent cut(Extent extent, const Section& section);

// NUL may not stand in a literal (RFC 3501 9, CHAR8): it is sent as 0x80, so that no size changes.
void hide_nuls(std::string& octets);

}  // namespace postern::imap
