#pragma once

#include <mutex>
#include <optional>
#include <unordered_set>
#include <utility>

#include "gateway/store/types.h"

namespace postern::pop3 {

// The maildrops that a POP3 session holds, over all loops: RFC 1939 4 wants exclusive access.  IMAP
// sessions are not kept out; a POP3 session works on the view of its login.  Thread-safe.
class Maildrops {
 public:
  // Held until it is destroyed.  The Maildrops must outlive it.
  class Lock {
   public:
    Lock(Maildrops& drops, store::AccountId account) : drops_(&drops), account_(account) {}
    Lock(Lock&& other) noexcept : drops_(std::exchange(other.drops_, nullptr)), account_(other.account_) {}
    Lock& operator=(Lock&&) = delete;
    ~Lock() {
      if (drops_ != nullptr) drops_->release(account_);
    }

   private:
    Maildrops* drops_;
    store::AccountId account_;
  };

  // nullopt: another session holds it.
  std::optional<Lock> take(store::AccountId account) {
    std::lock_guard guard(mutex_);
    if (!held_.insert(account).second) return std::nullopt;
    return std::optional<Lock>(std::in_place, *this, account);
  }

 private:
  void release(store::AccountId account) {
    std::lock_guard guard(mutex_);
    held_.erase(account);
  }
  std::mutex mutex_;
  std::unordered_set<store::AccountId> held_;
};

}  // namespace postern::pop3
