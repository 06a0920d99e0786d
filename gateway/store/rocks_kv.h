#pragma once

#include <memory>
#include <string>

#include "gateway/base/result.h"
#include "gateway/store/kv.h"

namespace postern::store {

// Opens the rows in `directory`.  The only place that knows RocksDB.
Result<std::unique_ptr<Kv>> open_rocks_kv(const std::string& directory, KvOpening how);

}  // namespace postern::store
