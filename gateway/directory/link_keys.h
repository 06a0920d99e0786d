#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/directory/link_tokens.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

namespace postern::directory {

// The keys of LinkTokens, in the store's row "link:keys".  A new one is made every 30 days; an old one stays as long as a
// token can be good that was made with it.  current() is safe from any thread.
class LinkKeys {
 public:
  // `clock` must outlive it.
  explicit LinkKeys(const Clock& clock = Clock::system()) : clock_(clock) {}

  // The longest time for which a token may be made.
  static constexpr auto kLongest = std::chrono::hours(366 * 24);

  // Reads the keys, and makes the first or the next one when it is time.  At start, and now and then.  An Error: the row
  // cannot be read, or the first key not be written; with older keys a failed write is logged.
  io::Task<Status> prepare(store::Store& store);
  // Looks each hour whether it is time, for ever.  `store` outlives the task.
  io::Task<void> keep(store::Store& store);

  // nullptr before the first prepare() has succeeded.
  std::shared_ptr<const LinkTokens> current() const;

 private:
  struct Key {
    std::uint8_t number = 0;
    Time made{};
    std::string secret;
  };
  static std::string encode(const std::vector<Key>& keys);
  static std::vector<Key> decode(std::string_view text);
  void use(const std::vector<Key>& keys);

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::shared_ptr<const LinkTokens> tokens_;
};

}  // namespace postern::directory
