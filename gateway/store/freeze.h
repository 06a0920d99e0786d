#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "gateway/store/body_store.h"
#include "gateway/store/catalog.h"
#include "gateway/store/committer.h"
#include "gateway/store/frozen.h"
#include "gateway/store/rows_access.h"

namespace postern::store {

// Makes the store stand still for a backup, in a folder of its own beside the rows: between two commits the open segment
// is ended and the rows are checkpointed.  What they name is pinned instead of the rewriting being stopped: half a
// rewriting is as sound a state as any other, as after a crash.  Blocks: on a worker.
class Freezer {
 public:
  Freezer(const Catalog& catalog, RowsAccess& rows, BodyStore& bodies, Committer& committer, Files& files, std::string directory,
          std::uint64_t low_space_octets);

  // One at a time.
  Result<std::unique_ptr<Frozen>> freeze();

 private:
  class Still;
  Status settle();
  Status look_for_space() const;

  const Catalog& catalog_;
  RowsAccess& rows_;
  BodyStore& bodies_;
  Committer& committer_;
  Files& files_;
  std::string directory_;
  std::uint64_t low_space_octets_;
  std::shared_ptr<std::atomic<bool>> taken_ = std::make_shared<std::atomic<bool>>(false);   // shared with the Frozen
};

}  // namespace postern::store
