#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/io/task.h"

namespace postern::store {

// The store as it was at one moment between two commits, on disk, for who copies it.  Until it dies none of its files
// changes or goes; mail goes on meanwhile.  Any thread; ends best where unlinking some files holds nobody up.
class Frozen {
 public:
  virtual ~Frozen() = default;
  struct Segment {
    std::uint64_t number = 0;
    std::string path;
    std::uint64_t octets = 0;   // of the file so many belong to it, which never change again
  };
  std::string rows;             // a folder of files
  std::vector<Segment> segments;
  Time moment{};
  std::chrono::microseconds pause{0};   // for which no change was committed
};

// A store that can be backed up: what Store::open() gives.  Apart from Store, for not everything that keeps mail lies in
// files; ask by dynamic_cast.
class Freezable {
 public:
  virtual ~Freezable() = default;
  // An Error: a backup is being made already, or the store is not writable, or the disk is nearly full.
  virtual io::Task<Result<std::unique_ptr<Frozen>>> freeze() = 0;
};

// Of a store that may be one.
template <class S>
io::Task<Result<std::unique_ptr<Frozen>>> freeze(S& store) {
  auto* freezable = dynamic_cast<Freezable*>(&store);
  if (freezable == nullptr) co_return Error("this store cannot be copied while it is in use");
  auto frozen = co_await freezable->freeze();
  co_return std::move(frozen);
}

}  // namespace postern::store
