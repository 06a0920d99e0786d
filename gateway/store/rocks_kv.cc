// Rows in RocksDB.  Sized so that it idles in a few megabytes and replays its log in about a second.
#include "gateway/store/rocks_kv.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <algorithm>

namespace postern::store {
namespace {

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }

// Who only reads writes no log beside the rows either: they may lie in a backup.
class NoLog : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

rocksdb::Options rocks_options(KvOpening how) {
  rocksdb::Options options;
  options.create_if_missing = how == KvOpening::create;
  if (how == KvOpening::read_only) options.info_log = std::make_shared<NoLog>();
  options.write_buffer_size = 16 << 20;
  options.arena_block_size = 1 << 20;   // a sixteenth: small while idle
  options.max_write_buffer_number = 3;
  options.max_total_wal_size = 96 << 20;
  options.max_open_files = 128;
  options.max_background_jobs = 2;
  options.keep_log_file_num = 3;
  options.max_log_file_size = 1 << 20;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  // Only the torn record at the log's end may be dropped.  The default stops at the first bad
  // record and forgets all acknowledged ones behind it without a word.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  auto supported = rocksdb::GetSupportedCompressions();
  bool lz4 = std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
  options.compression = lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(8 << 20);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

// Reads of the newest state, or of a snapshot.
class Reader {
 public:
  using Reach = KvReader::Reach;
  Reader(rocksdb::DB* db, const rocksdb::Snapshot* at) : db_(db), at_(at) {}

  KvAnswer<std::vector<std::optional<std::string>>> get(std::span<const std::string> keys, Reach reach) const {
    KvAnswer<std::vector<std::optional<std::string>>> answer;
    answer.value.reserve(keys.size());
    if (keys.empty()) return answer;
    std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
    std::vector<rocksdb::PinnableSlice> values(keys.size());
    std::vector<rocksdb::Status> states(keys.size());
    db_->MultiGet(options(reach), db_->DefaultColumnFamily(), keys.size(), slices.data(), values.data(), states.data());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (states[i].IsNotFound()) {
        answer.value.emplace_back();
      } else if (settle(states[i], answer)) {
        answer.value.emplace_back(values[i].ToString());
      } else {
        return answer;
      }
    }
    return answer;
  }

  KvAnswer<std::vector<KvRow>> scan(std::string_view from, std::string_view to, std::size_t limit, Reach reach) const {
    KvAnswer<std::vector<KvRow>> answer;
    auto bounds = options(reach);
    auto upper = slice(to);
    bounds.iterate_upper_bound = &upper;
    std::unique_ptr<rocksdb::Iterator> row(db_->NewIterator(bounds));
    for (row->Seek(slice(from)); row->Valid() && answer.value.size() < limit; row->Next()) {
      answer.value.push_back({row->key().ToString(), row->value().ToString()});
    }
    settle(row->status(), answer);
    return answer;
  }

 private:
  rocksdb::ReadOptions options(Reach reach) const {
    rocksdb::ReadOptions read;
    read.snapshot = at_;
    if (reach == Reach::memory) read.read_tier = rocksdb::kBlockCacheTier;
    return read;
  }
  template <class T>
  static bool settle(const rocksdb::Status& state, KvAnswer<T>& answer) {
    if (state.ok()) return true;
    answer.state = state.IsIncomplete() ? KvAnswer<T>::State::would_block : KvAnswer<T>::State::failed;
    answer.error = "reading rows: " + state.ToString();
    return false;
  }

  rocksdb::DB* db_;
  const rocksdb::Snapshot* at_;
};

class RocksSnapshot : public KvReader {
 public:
  explicit RocksSnapshot(rocksdb::DB* db) : db_(db), at_(db->GetSnapshot()), reader_(db, at_) {}
  ~RocksSnapshot() override { db_->ReleaseSnapshot(at_); }
  RocksSnapshot(const RocksSnapshot&) = delete;
  RocksSnapshot& operator=(const RocksSnapshot&) = delete;
  KvAnswer<std::vector<std::optional<std::string>>> get(std::span<const std::string> keys, Reach reach) const override {
    return reader_.get(keys, reach);
  }
  KvAnswer<std::vector<KvRow>> scan(std::string_view from, std::string_view to, std::size_t limit, Reach reach) const override {
    return reader_.scan(from, to, limit, reach);
  }

 private:
  rocksdb::DB* db_;
  const rocksdb::Snapshot* at_;
  Reader reader_;
};

class RocksKv : public Kv {
 public:
  explicit RocksKv(std::unique_ptr<rocksdb::DB> db) : db_(std::move(db)), reader_(db_.get(), nullptr) {}

  KvAnswer<std::vector<std::optional<std::string>>> get(std::span<const std::string> keys, Reach reach) const override {
    return reader_.get(keys, reach);
  }
  KvAnswer<std::vector<KvRow>> scan(std::string_view from, std::string_view to, std::size_t limit, Reach reach) const override {
    return reader_.scan(from, to, limit, reach);
  }
  std::unique_ptr<KvReader> snapshot() const override { return std::make_unique<RocksSnapshot>(db_.get()); }

  Status write(const KvBatch& batch) override {
    rocksdb::WriteBatch steps;
    for (const auto& step : batch.steps) {
      switch (step.kind) {
        case KvBatch::Step::Kind::put: steps.Put(step.key, step.value); break;
        case KvBatch::Step::Kind::erase: steps.Delete(step.key); break;
        case KvBatch::Step::Kind::erase_range: steps.DeleteRange(step.key, step.value); break;
      }
    }
    rocksdb::WriteOptions options;
    options.sync = true;
    auto state = db_->Write(options, &steps);
    if (!state.ok()) return Error("writing rows: " + state.ToString());
    return {};
  }

  Status settle() const override {
    auto state = db_->Flush(rocksdb::FlushOptions());
    if (!state.ok()) return Error("writing rows: " + state.ToString());
    return {};
  }
  // Links to files that never change, with nothing left in the log of writes.
  Status checkpoint(const std::string& directory) const override {
    rocksdb::Checkpoint* made = nullptr;
    auto state = rocksdb::Checkpoint::Create(db_.get(), &made);
    std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    if (state.ok()) state = checkpoint->CreateCheckpoint(directory, 0);
    if (!state.ok()) return Error("a checkpoint of the rows in " + directory + ": " + state.ToString());
    return {};
  }

 private:
  std::unique_ptr<rocksdb::DB> db_;
  Reader reader_;
};

}  // namespace

std::string behind(std::string_view prefix) {
  std::string key(prefix);
  while (!key.empty() && key.back() == '\xff') key.pop_back();
  if (key.empty()) return std::string(2048, '\xff');
  key.back() = static_cast<char>(static_cast<unsigned char>(key.back()) + 1);
  return key;
}

Result<std::unique_ptr<Kv>> open_rocks_kv(const std::string& directory, KvOpening how) {
  rocksdb::DB* opened = nullptr;
  auto options = rocks_options(how);
  auto state = how == KvOpening::read_only ? rocksdb::DB::OpenForReadOnly(options, directory, &opened)
                                           : rocksdb::DB::Open(options, directory, &opened);
  if (!state.ok()) return Error("opening rows in " + directory + ": " + state.ToString());
  return std::unique_ptr<Kv>(std::make_unique<RocksKv>(std::unique_ptr<rocksdb::DB>(opened)));
}

}  // namespace postern::store
