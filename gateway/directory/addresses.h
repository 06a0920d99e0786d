#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

namespace postern::directory {

// Where the owner of a mailbox has his good mail sent on to.
struct Forward {
  std::vector<std::string> targets;
  bool keep = false;   // a copy stays
  bool operator==(const Forward&) const = default;
};

// Aliases and forwards: rows "alias:<address>" and "forward:<account>" of the store, all of them in memory.  Nothing here
// knows what an address means; Directory does.
//
// Addresses are in canonical form: "local@domain", the domain in A-labels and lower case, the local part in lower case
// where the domain is ours.
class Addresses {
 public:
  struct Table {
    std::map<std::string, std::vector<std::string>, std::less<>> aliases;
    std::map<std::string, Forward, std::less<>> forwards;
  };
  // What takes the place of an alias or a forward; nothing: it goes.
  struct Edit {
    enum class Of { alias, forward };
    Of of = Of::alias;
    std::string address;
    std::optional<Forward> value;   // of an alias only the targets count
  };

  Addresses();

  // At start; again does no harm.  A damaged row is logged and left out.
  io::Task<Status> load(store::Store& store);
  // Safe from any thread.
  std::shared_ptr<const Table> current() const;
  // `base` with the edit made.
  static Table edited(const Table& base, const Edit& edit);

  // In force at once, durable when the task ends; a failed write undoes it.  `good` is asked under the lock about the
  // table as it would be, so that two changes that are each good cannot make a loop together; its Error refuses.
  using Good = std::function<Status(std::shared_ptr<const Table>)>;
  io::Task<Status> change(store::Store& store, Edit edit, Good good);

 private:
  Result<std::optional<Forward>> begin(const Edit& edit, const Good& good);
  static std::optional<Forward> value_of(const Table& table, const Edit& edit);
  io::Task<Status> write(store::Store& store, Edit edit, std::optional<Forward> before);

  mutable std::mutex mutex_;
  std::shared_ptr<const Table> table_;
};

}  // namespace postern::directory
