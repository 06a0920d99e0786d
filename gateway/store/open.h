#pragma once

#include <functional>
#include <memory>
#include <string>

#include "gateway/store/file.h"
#include "gateway/store/kv.h"
#include "gateway/store/store.h"

namespace postern::store {

// What the store stands on; tests put failing ones there.
struct Ground {
  Files* files = &Files::system();
  std::function<Result<std::unique_ptr<Kv>>(const std::string& directory, KvOpening how)> open_rows;   // null: RocksDB
};

Result<std::unique_ptr<Store>> open_on(const StoreOptions& options, io::WorkerPool& workers, Ground ground);

}  // namespace postern::store
