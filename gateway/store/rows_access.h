#pragma once

#include <memory>
#include <shared_mutex>

#include "gateway/store/kv.h"

namespace postern::store {

// Lets many read the rows while recover() can close and open them.
class RowsAccess {
 public:
  // `kv` is null while none are open.
  class Reading {
   public:
    Reading(std::shared_lock<std::shared_mutex> lock, const Kv* rows) : kv(rows), lock_(std::move(lock)) {}
    explicit operator bool() const { return lock_.owns_lock() && kv != nullptr; }
    const Kv* kv;

   private:
    std::shared_lock<std::shared_mutex> lock_;
  };
  Reading read() const {   // waits for a reopening
    std::shared_lock lock(mutex_);
    return {std::move(lock), rows_.get()};
  }
  Reading try_read() const {
    std::shared_lock lock(mutex_, std::try_to_lock);
    const Kv* rows = lock.owns_lock() ? rows_.get() : nullptr;
    return {std::move(lock), rows};
  }
  // Replaces what there is by what `open` gives, while nobody reads.
  template <class Open>
  Status reopen(Open open) {
    std::unique_lock lock(mutex_);
    rows_.reset();
    auto opened = open();
    if (!opened) return opened.error();
    rows_ = std::move(*opened);
    return {};
  }
  Kv* writer() { return rows_.get(); }   // the committer's

 private:
  mutable std::shared_mutex mutex_;
  std::unique_ptr<Kv> rows_;
};

}  // namespace postern::store
