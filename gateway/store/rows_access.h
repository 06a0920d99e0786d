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
  // Replaces what there is by what `open` gives, while nobody reads.  After an Error the rows can still be
  // read, if they can be opened for that at least.
  template <class Open>
  Status reopen(Open open, KvOpening how) {
    std::unique_lock lock(mutex_);
    rows_.reset();   // first: a second opener of the folder is refused
    auto opened = open(how);
    if (opened) {
      rows_ = std::move(*opened);
      return {};
    }
    auto readable = open(KvOpening::read_only);
    if (readable) rows_ = std::move(*readable);
    return opened.error();
  }
  Kv* writer() { return rows_.get(); }   // the committer's

 private:
  mutable std::shared_mutex mutex_;
  std::unique_ptr<Kv> rows_;
};

}  // namespace postern::store
