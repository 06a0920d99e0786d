#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/delivery/originals.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

namespace postern::admin {

using RowPlace = delivery::MessagePlace;

// One recipient's held copy.  Of class virus it is the original, whatever became of the notice in his
// Quarantine.  What strangers chose the length of is cut.
struct HeldCopy {
  enum class Kind : std::uint8_t {
    message,
    original,          // of class virus, this recipient's own
    shared_original,   // of a store from before each recipient had his own
    lone_notice        // its original is gone
  };
  Kind kind = Kind::message;
  RowPlace place;
  std::string id;
  store::AccountId account = 0;   // 0: the account was removed
  std::string user;               // its address
  std::string message_class, reason, sender, subject;
  double score = 0;
  bool released = false;
  Time date{};
  std::uint64_t size = 0;
};

struct HeldFilter {
  std::string id, user, message_class;   // "": any
  std::string sender;                    // part of the envelope sender or of From, in any case; "": any
  std::optional<Time> before, after;     // when it came
  bool open = false;                     // without what is released already
  bool names_something() const { return !id.empty() || !user.empty() || !message_class.empty() || !sender.empty() || before || after; }
};

struct HeldPage {
  std::vector<HeldCopy> copies;
  std::optional<RowPlace> next;   // where to go on, when there may be more
};
// The held copies that the filter names, in the order of their places, from `from` on: `enough` or a few more; an Error
// if some cannot be read.
io::Task<Result<HeldPage>> held_page(store::Store& store, HeldFilter filter, RowPlace from, std::size_t enough);

}  // namespace postern::admin
