#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// The octets of our own row formats: LEB128 numbers and counted texts.
namespace postern::mail {

inline void put_number(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

inline void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size());
  out += text;
}

// Reads them back; trusts nothing.  After the first failure everything reads as 0 and "", and ok() is false.
class BlobReader {
 public:
  explicit BlobReader(std::string_view blob) : rest_(blob) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

  std::uint64_t number(std::uint64_t max = UINT64_MAX) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 63 && !rest_.empty(); shift += 7) {
      auto octet = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(octet & 0x7f) << shift;
      if ((octet & 0x80) == 0) return value <= max ? value : fail();
    }
    return fail();
  }
  std::string_view text() {
    auto size = number(rest_.size());
    if (size > rest_.size()) fail();
    std::string_view found = rest_.substr(0, ok_ ? size : 0);
    rest_.remove_prefix(found.size());
    return found;
  }

 private:
  std::uint64_t fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace postern::mail
