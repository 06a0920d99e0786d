#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/directory/srs.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

namespace postern::directory {

// The keys of Srs, in the store's row "srs:keys".  A new one is made every 90 days; the one before it stays until the next,
// far longer than an address is good that was made with it.  current() is safe from any thread.
class SrsKeys {
 public:
  // `clock` must outlive it.
  explicit SrsKeys(const Clock& clock = Clock::system()) : clock_(clock) {}

  // Reads the keys, and makes the first or the next one when it is time.  At start, and now and then.  An Error: the row
  // cannot be read, or the first key not be written; with older keys a failed write is logged.
  io::Task<Status> prepare(store::Store& store);

  // nullptr before the first prepare() has succeeded.
  std::shared_ptr<const Srs> current() const;

 private:
  struct Key {
    Time made{};
    std::string secret;
  };
  static std::string encode(const std::vector<Key>& keys);
  static std::vector<Key> decode(std::string_view text);
  void use(const std::vector<Key>& keys);

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Srs> srs_;
};

}  // namespace postern::directory
