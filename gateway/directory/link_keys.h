#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/directory/link_tokens.h"
#include "gateway/directory/rotating_keys.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

namespace postern::directory {

// The keys of LinkTokens, in the store's row "link:keys".  A new one is made every 30 days; an old one stays as long as a
// token can be good that was made with it.  current() is safe from any thread.
class LinkKeys {
 public:
  // `clock` must outlive it.
  explicit LinkKeys(const Clock& clock = Clock::system());

  // The longest time for which a token may be made.
  static constexpr auto kLongest = std::chrono::hours(366 * 24);

  // As RotatingKeys.
  io::Task<Status> prepare(store::Store& store);
  io::Task<void> keep(store::Store& store);

  // nullptr before the first prepare() has succeeded.
  std::shared_ptr<const LinkTokens> current() const;

 private:
  void use(const std::vector<RotatingKey>& keys);

  RotatingKeys keys_;
  mutable std::mutex mutex_;
  std::shared_ptr<const LinkTokens> tokens_;
};

}  // namespace postern::directory
