#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

namespace postern::delivery {

// What the hosts behind us said of their recipients.  One for the whole program, safe from any thread; a lock is held
// for one address, or for one page of rows.
//
// A yes is fresh for a day, and good for 31 days while the host does not answer; a no is good for ten minutes.  Of each
// kind so many addresses are kept; the one that was wanted longest ago goes.  Addresses are "local@domain" in lower
// case, routes Route::key: what was said along one route is worth nothing for another.
class RecipientMemory {
 public:
  static constexpr std::size_t kMost = 100'000;

  // `clock` must outlive it.
  explicit RecipientMemory(const Clock& clock = Clock::system(), std::size_t most = kMost)
      : clock_(clock), most_(most), yes_(most), no_(most) {}

  struct Recalled {
    enum class Kind {
      nothing,
      known,
      stale,    // known, to be asked again
      unknown
    };
    Kind kind = Kind::nothing;
    std::string words;   // the remote's, of unknown
  };
  Recalled recall(std::string_view route, std::string_view address);
  void note_known(const std::string& route, const std::string& address);
  void note_unknown(const std::string& route, const std::string& address, std::string_view words);

  // Each yes survives a restart in a row "known:<address>": the unix time of the answer, a space, the route.  It is
  // written when it is new or a day older than the answer, and erased with the yes.
  //
  // At start.  An Error: the rows cannot be read; what was loaded until then is kept.
  io::Task<Status> load(store::Store& store);
  // Writes what has changed since.  A failed write is logged, and its rows come with the next save().
  io::Task<void> save(store::Store& store);
  // save() every few seconds, for ever.
  io::Task<void> keep(store::Store& store);

 private:
  struct Yes {
    std::string route;
    Time said{};
    Time written{};   // as in the row; 0: there is none
  };
  struct No {
    std::string route;
    Time said{};
    std::string words;
  };

  // Values by address, the one that was found or put last in front.  A tree: whoever can guess a hash's collisions
  // would make a list of it.
  template <class T>
  class Recent {
   public:
    explicit Recent(std::size_t most) : most_(most) {}

    T* find(std::string_view address) {
      auto found = index_.find(address);
      if (found == index_.end()) return nullptr;
      items_.splice(items_.begin(), items_, found->second);
      return &found->second->second;
    }
    // find() that changes no order.
    T* peek(std::string_view address) {
      auto found = index_.find(address);
      return found == index_.end() ? nullptr : &found->second->second;
    }
    // Gives the address that had to go for it.
    std::optional<std::string> put(const std::string& address, T value) {
      if (T* old = find(address)) {
        *old = std::move(value);
        return std::nullopt;
      }
      items_.emplace_front(address, std::move(value));
      index_.emplace(items_.front().first, items_.begin());
      if (items_.size() <= most_) return std::nullopt;
      std::string gone = items_.back().first;
      erase(gone);
      return gone;
    }
    bool erase(std::string_view address) {
      auto found = index_.find(address);
      if (found == index_.end()) return false;
      auto item = found->second;
      index_.erase(found);   // first: its key is the item's
      items_.erase(item);
      return true;
    }
    const std::pair<const std::string, T>* oldest() const { return items_.empty() ? nullptr : &items_.back(); }

   private:
    using Items = std::list<std::pair<const std::string, T>>;
    std::size_t most_;
    Items items_;
    std::map<std::string_view, typename Items::iterator> index_;   // views of the items' addresses
  };

  void mark(const std::string& address);
  void forget_yes(const std::string& address);
  void forget_old(Time now);
  void take_row(const store::Row& row, Time now);
  std::vector<store::Row> take_unsaved();
  bool note_written(const store::Change& written, const std::vector<std::string>& addresses);

  const Clock& clock_;
  const std::size_t most_;
  std::mutex mutex_;
  Recent<Yes> yes_;
  Recent<No> no_;
  std::set<std::string> unsaved_;   // whose row may not be what yes_ has
  bool failing_ = false;            // the last write did not succeed
};

}  // namespace postern::delivery
