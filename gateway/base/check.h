#pragma once

namespace postern {

// Logs the failed condition with its place and aborts.  Never returns.
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace postern

// For our own mistakes only: the store makes an abort safe.  Input of a peer or an
// administrator is never CHECKed, it is answered with a Result.
#define CHECK(condition) \
  do {                   \
    if (!(condition)) [[unlikely]] ::postern::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
