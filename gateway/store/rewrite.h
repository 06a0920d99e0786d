#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "gateway/io/worker_pool.h"
#include "gateway/store/body_store.h"
#include "gateway/store/catalog.h"
#include "gateway/store/committer.h"
#include "gateway/store/gate.h"
#include "gateway/store/rows_access.h"

namespace postern::store {

// Gives back the disk space of expunged mail: copies what lives of a segment that is less than half
// live into a new one, one segment at a time, on a worker, while mail goes on.  A crash at any moment
// leaves either place whole: the copy is synced before a row names it, the old file goes only after
// no row names it, and what no row names is removed at the start.
class Rewriter {
 public:
  Rewriter(const Catalog& catalog, RowsAccess& rows, BodyStore& bodies, Committer& committer, io::WorkerPool& workers, Gate& gate);

  // Begins if there is a segment to rewrite and none is being rewritten.  Any thread.
  void look();
  // The store takes changes, perhaps again: what failed before is tried anew.
  void start();
  // So much can be written: what failed for want of it is tried anew.
  void has_space(std::uint64_t octets);
  // No more from now on; one that is being copied ends after the present segment.
  void stop();

 private:
  class Moves;
  using State = BodyStore::Copy::State;
  std::optional<std::uint64_t> next_segment();
  void rewrite(std::uint64_t segment);
  void ended(std::uint64_t segment, State how);

  const Catalog& catalog_;
  RowsAccess& rows_;
  BodyStore& bodies_;
  Committer& committer_;
  io::WorkerPool& workers_;
  Gate& gate_;

  std::mutex mutex_;             // guards all below
  bool stopped_ = false;
  bool running_ = false;
  std::set<std::uint64_t> damaged_;                     // never again
  std::map<std::uint64_t, std::uint64_t> put_off_;      // until there is space for its live octets, or start()
};

}  // namespace postern::store
