#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern::imap {

// A sequence-set of RFC 3501 9: "1,3:5,*,7:*".  Numbers are sequence numbers or UIDs, as the command says.
class SequenceSet {
 public:
  static constexpr std::uint32_t kLast = 0;          // "*"
  static constexpr std::size_t kMaxRanges = 50'000;  // in one set

  // Nothing for what is no set: an empty item, 0, a number above 2^32-1, too many ranges.
  static std::optional<SequenceSet> parse(std::string_view text);

  // Ascending, disjoint ranges once "*" means `last` (RFC 3501: 5:3 is 3:5; "*" with 7:* includes the last even when
  // it is below 7).  `last` 0 (an empty mailbox): ranges with "*" hold nothing.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> resolved(std::uint32_t last) const;

  // The largest number written, and whether "*" is in it.
  std::uint32_t largest() const;
  bool has_last() const;

 private:
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges_;
};

// "1:3,5" of ascending numbers, for COPYUID.  RFC 4315 3.
std::string compact_set(const std::vector<std::uint32_t>& ascending);

}  // namespace postern::imap
