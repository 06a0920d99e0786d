#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// The header block of a message or part, read in place.  RFC 5322 2.2, 3.6; CRLF and bare LF alike.
// Nothing here throws or fails: whatever the octets are, they have fields and a place where the body begins.
namespace postern::mail {

struct HeaderField {
  // Without white space before the colon.  Empty for a line that is no field (an mbox "From " line, rubbish).
  std::string_view name;
  // Everything behind the colon with its folding, without the final line end; the whole line when it has no name.
  std::string_view raw;
  // Octets from the begin of the block: first octet of the name, first octet behind the final line end.
  std::size_t begin = 0;
  std::size_t end = 0;
};

// Reads one field after the other; no limit, no memory.  The text must outlive the reader and its fields.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view text) : text_(text) {}

  // False at the empty line or the end of the text.
  bool next(HeaderField& field);
  // Valid once next() gave false: octets of the fields alone, and with the empty line behind them.
  std::size_t fields_end() const { return at_; }
  std::size_t body_offset() const { return body_; }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t body_ = 0;
};

// All fields at once, for repeated look-ups.  Keeps views: the text must outlive the block.
class HeaderBlock {
 public:
  // Beyond so many fields only offsets are kept right and `truncated()` is set.
  static constexpr std::size_t kMaxFields = 10'000;

  HeaderBlock() = default;
  explicit HeaderBlock(std::string_view text);

  const std::vector<HeaderField>& fields() const { return fields_; }
  // The first field of that name (ASCII case-blind), or nullptr.
  const HeaderField* find(std::string_view name) const { return nth(name, 0); }
  // The n-th one, counted from 0 and from the top.
  const HeaderField* nth(std::string_view name, std::size_t n) const;
  std::size_t count(std::string_view name) const;

  std::size_t fields_end() const { return fields_end_; }
  std::size_t body_offset() const { return body_offset_; }
  bool truncated() const { return truncated_; }

 private:
  std::vector<HeaderField> fields_;
  std::size_t fields_end_ = 0;
  std::size_t body_offset_ = 0;
  bool truncated_ = false;
};

// One line: line ends removed, white space around trimmed, what stood between stays.  RFC 5322 2.2.3.
std::string unfolded(std::string_view raw);

// Octets of a field that are decoded: no reader looks at more.
constexpr std::size_t kMaxReadableField = 64 * 1024;

// The field as a reader means it: unfolded, encoded words decoded, always valid UTF-8; of what is longer the beginning.
std::string readable(std::string_view raw);

}  // namespace postern::mail
