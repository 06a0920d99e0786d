#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace postern::mail {

// Octets [begin, end) of a message.
struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool operator==(const Range&) const = default;
};

// The fields of a received message's header that only we may write: Authentication-Results (and ARC's is none of
// them) with our name, X-Postern-*, X-Spam-Flag.  In order, not overlapping, whole fields with their line ends.
std::vector<Range> forged_fields(std::string_view message, std::string_view authserv_id);

// `octets` without those ranges: the record that the store keeps.
std::string without(std::string_view octets, const std::vector<Range>& cuts);

}  // namespace postern::mail
