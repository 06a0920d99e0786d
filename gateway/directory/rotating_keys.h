#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

namespace postern::directory {

struct RotatingKey {
  std::uint8_t number = 0;   // counts up, and over
  Time made{};
  std::string secret;        // 32 octets
};

// Secrets that we make ourselves, in one row of the store, the newest first: a new one every so often, and an old one as
// long as something can be good that was made with it.
class RotatingKeys {
 public:
  struct Kind {
    std::string_view row;             // of the store, "link:keys"
    std::string_view name;            // of log events, "link": link.keys, link.new_key
    std::string_view what;            // "the keys of links"
    std::string_view when_damaged;    // what follows from that: "links that were sent before are refused"
    std::chrono::hours new_every{};
    std::chrono::hours good_for{};    // of what is made with a key
  };
  // Called with all keys, never none, and at once when they change.
  using Use = std::function<void(const std::vector<RotatingKey>&)>;

  // `clock` and the texts of `kind` must outlive it.
  RotatingKeys(const Kind& kind, const Clock& clock) : kind_(kind), clock_(clock) {}

  // Reads the keys, and makes the first or the next one when it is time.  At start, and now and then.  An Error: the row
  // cannot be read, or the first key not be written; with older keys a failed write is logged.
  io::Task<Status> prepare(store::Store& store, Use use);
  // Looks each hour whether it is time, for ever.  `store` outlives the task.
  io::Task<void> keep(store::Store& store, Use use);

 private:
  Kind kind_;
  const Clock& clock_;
};

}  // namespace postern::directory
