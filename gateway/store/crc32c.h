#pragma once

#include <cstdint>
#include <string_view>

namespace postern::store {

// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of what was summed into `crc` so far followed by
// `octets`; 0 begins.  By the processor's instruction where there is one.
std::uint32_t crc32c(std::uint32_t crc, std::string_view octets);

namespace detail {
std::uint32_t crc32c_by_table(std::uint32_t crc, std::string_view octets);   // for the test that both agree
}

}  // namespace postern::store
