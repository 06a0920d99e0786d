#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/directory/rotating_keys.h"
#include "gateway/directory/srs.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

namespace postern::directory {

// The keys of Srs, in the store's row "srs:keys".  A new one is made every 90 days; the one before it stays until the next,
// far longer than an address is good that was made with it.  current() is safe from any thread.
class SrsKeys {
 public:
  // `clock` must outlive it.
  explicit SrsKeys(const Clock& clock = Clock::system());

  // As RotatingKeys.
  io::Task<Status> prepare(store::Store& store);

  // nullptr before the first prepare() has succeeded.
  std::shared_ptr<const Srs> current() const;

 private:
  void use(const std::vector<RotatingKey>& keys);

  RotatingKeys keys_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Srs> srs_;
};

}  // namespace postern::directory
