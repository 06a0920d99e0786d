#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gateway/io/task.h"
#include "gateway/signing/key.h"
#include "gateway/store/store.h"

namespace postern::signing {

// All DKIM keys, in memory as the store has them.  Parsed when they are loaded, not for each message.
class KeyRing {
 public:
  KeyRing() = default;
  KeyRing(const KeyRing&) = delete;

  // Replaces what is here.  An Error: the rows cannot be read.  A damaged row is logged, left out and left alone.
  io::Task<Status> load(store::Store& store);

  // Any thread; never nullptr.  By domain and selector.
  std::shared_ptr<const Keys> keys() const;

  // Puts keys in, over those of the same name, and takes others out: durable, and then in force; in one commit with
  // `mail`, what is written of it to people.  One loop's; an Error leaves all as it was.
  io::Task<Status> change(store::Store& store, Keys put, Keys erase, std::vector<store::Item> mail = {});

 private:
  void publish(Keys keys);

  mutable std::mutex mutex_;
  std::shared_ptr<const Keys> keys_ = std::make_shared<const Keys>();
};

// The key of that name, or nullptr; of `keys`.
const Key* find(const Keys& keys, std::string_view domain, std::string_view selector);

}  // namespace postern::signing
