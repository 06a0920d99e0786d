#pragma once

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "gateway/store/open.h"
#include "gateway/store/rocks_kv.h"

// Files and rows that fail once, at a chosen step.
namespace postern::store::test {

enum class Fault { none, io_error, no_space, no_quota, short_write, lost_answer };

// Counts the steps that change the disk; the step number `at` (from 0) fails.
struct Plan {
  std::mutex mutex;
  bool armed = false;
  int at = -1;
  Fault fault = Fault::none;
  int steps = 0;
  bool fired = false;
  std::uint64_t free = 1ULL << 40;
  int syncs_after_failed_sync = 0;
  bool refuse_opening = false;   // the rows, unless for reading alone
  int reopenings = 0;
  std::function<void()> at_next_rows;   // called once, on the committer's thread, before rows are written
  std::atomic<char> bad_rows = '\0';
  bool is_bad(std::string_view key) const { return !key.empty() && key[0] == bad_rows; }

  // What happens to the next step.
  Fault next() {
    std::lock_guard lock(mutex);
    if (!armed) return Fault::none;
    if (steps++ != at) return Fault::none;
    fired = true;
    return fault;
  }
  void arm(int step, Fault what) {
    std::lock_guard lock(mutex);
    armed = true;
    at = step;
    fault = what;
    steps = 0;
    fired = false;
  }
  bool has_fired() {
    std::lock_guard lock(mutex);
    return fired;
  }
  void disarm() {
    std::lock_guard lock(mutex);
    armed = false;
  }
};

inline std::error_code error_of(Fault fault) {
  if (fault == Fault::no_quota) return {EDQUOT, std::generic_category()};
  return std::make_error_code(fault == Fault::no_space ? std::errc::no_space_on_device : std::errc::io_error);
}

class FailingFile : public File {
 public:
  FailingFile(std::unique_ptr<File> file, Plan& plan) : file_(std::move(file)), plan_(plan) {}
  std::error_code sync() override {
    if (sync_failed_) ++plan_.syncs_after_failed_sync;
    auto fault = plan_.next();
    if (fault == Fault::none || fault == Fault::short_write) return file_->sync();
    if (fault == Fault::lost_answer) file_->sync();
    sync_failed_ = true;
    return error_of(fault);
  }
  std::error_code truncate(std::uint64_t size) override { return file_->truncate(size); }
  IoResult<std::uint64_t> size() const override { return file_->size(); }

 protected:
  IoResult<std::size_t> write_some(std::span<const iovec> pieces, std::uint64_t offset) override {
    const std::string_view first[] = {{static_cast<const char*>(pieces[0].iov_base), pieces[0].iov_len}};
    auto fault = plan_.next();
    if (fault == Fault::io_error || fault == Fault::no_space || fault == Fault::no_quota) {
      // Half of it is there all the same.
      const std::string_view half[] = {first[0].substr(0, first[0].size() / 2)};
      file_->write_at(half, offset);
      return {error_of(fault), 0};
    }
    if (fault == Fault::short_write && first[0].size() > 1) {
      const std::string_view part[] = {first[0].substr(0, 1)};
      return {file_->write_at(part, offset), 1};
    }
    return {file_->write_at(first, offset), first[0].size()};   // one piece a call: every write is a short one
  }
  IoResult<std::size_t> read_some(char* to, std::size_t length, std::uint64_t offset, Wait wait) const override {
    auto got = file_->read_at(offset, length, wait);
    got.value.copy(to, got.value.size());
    return {got.error, got.value.size()};
  }

 private:
  std::unique_ptr<File> file_;
  Plan& plan_;
  bool sync_failed_ = false;
};

class FailingFiles : public Files {
 public:
  explicit FailingFiles(Plan& plan) : plan_(plan) {}
  IoResult<std::unique_ptr<File>> create(const std::string& path) override {
    auto fault = plan_.next();
    if (fault != Fault::none && fault != Fault::short_write) return {error_of(fault), nullptr};
    return wrapped(real_.create(path));
  }
  IoResult<std::unique_ptr<File>> open(const std::string& path, bool write) override { return wrapped(real_.open(path, write)); }
  std::error_code make_directory(const std::string& path) override { return real_.make_directory(path); }
  std::error_code sync_directory(const std::string& path) override {
    auto fault = plan_.next();
    if (fault != Fault::none && fault != Fault::short_write) return error_of(fault);
    return real_.sync_directory(path);
  }
  std::error_code remove(const std::string& path) override {
    auto fault = plan_.next();
    if (fault != Fault::none && fault != Fault::short_write) return error_of(fault);
    return real_.remove(path);
  }
  std::error_code link(const std::string& from, const std::string& to) override {
    auto fault = plan_.next();
    if (fault != Fault::none && fault != Fault::short_write) return error_of(fault);
    return real_.link(from, to);
  }
  std::error_code rename(const std::string& from, const std::string& to) override {
    auto fault = plan_.next();
    if (fault != Fault::none && fault != Fault::short_write) return error_of(fault);
    return real_.rename(from, to);
  }
  std::error_code remove_directory(const std::string& path) override {
    auto fault = plan_.next();
    if (fault != Fault::none && fault != Fault::short_write) return error_of(fault);
    return real_.remove_directory(path);
  }
  IoResult<std::vector<std::string>> list(const std::string& path) override { return real_.list(path); }
  IoResult<std::uint64_t> free_octets(const std::string&) override { return {{}, plan_.free}; }
  IoResult<State> state(const std::string& path) override { return real_.state(path); }

 private:
  IoResult<std::unique_ptr<File>> wrapped(IoResult<std::unique_ptr<File>> file) {
    if (!file.ok()) return file;
    return {{}, std::make_unique<FailingFile>(std::move(file.value), plan_)};
  }
  Files& real_ = Files::system();
  Plan& plan_;
};

// Rows on a bad sector: those whose key begins with Plan::bad_rows.
class FailingReader : public KvReader {
 public:
  FailingReader(std::unique_ptr<KvReader> rows, Plan& plan) : rows_(std::move(rows)), plan_(plan) {}
  KvAnswer<std::vector<std::optional<std::string>>> get(std::span<const std::string> keys, Reach reach) const override {
    bool bad = !keys.empty() && plan_.is_bad(keys[0]);
    return bad ? failed<std::vector<std::optional<std::string>>>() : rows_->get(keys, reach);
  }
  KvAnswer<std::vector<KvRow>> scan(std::string_view from, std::string_view to, std::size_t limit, Reach reach) const override {
    return plan_.is_bad(from) ? failed<std::vector<KvRow>>() : rows_->scan(from, to, limit, reach);
  }

 private:
  template <class T>
  static KvAnswer<T> failed() {
    return {.state = KvAnswer<T>::State::failed, .value = {}, .error = "a bad sector"};
  }
  std::unique_ptr<KvReader> rows_;
  Plan& plan_;
};

class FailingKv : public Kv {
 public:
  FailingKv(std::unique_ptr<Kv> kv, Plan& plan) : kv_(kv.get()), reader_(std::move(kv), plan), plan_(plan) {}
  KvAnswer<std::vector<std::optional<std::string>>> get(std::span<const std::string> keys, Reach reach) const override {
    return reader_.get(keys, reach);
  }
  KvAnswer<std::vector<KvRow>> scan(std::string_view from, std::string_view to, std::size_t limit, Reach reach) const override {
    return reader_.scan(from, to, limit, reach);
  }
  std::unique_ptr<KvReader> snapshot() const override { return std::make_unique<FailingReader>(kv_->snapshot(), plan_); }
  Status write(const KvBatch& batch) override {
    if (auto notice = std::exchange(plan_.at_next_rows, nullptr)) notice();
    auto fault = plan_.next();
    if (fault == Fault::none || fault == Fault::short_write) return kv_->write(batch);
    if (fault == Fault::lost_answer) {
      if (auto written = kv_->write(batch); !written) return written;
    }
    return Error("the disk said no");
  }
  Status settle() const override {
    auto fault = plan_.next();
    if (fault != Fault::none && fault != Fault::short_write) return Error("the disk said no");
    return kv_->settle();
  }
  Status checkpoint(const std::string& directory) const override {
    auto fault = plan_.next();
    if (fault == Fault::none || fault == Fault::short_write) return kv_->checkpoint(directory);
    std::filesystem::create_directory(directory);   // half of it is there all the same
    return Error("the disk said no");
  }

 private:
  Kv* kv_;   // reader_ owns it
  FailingReader reader_;
  Plan& plan_;
};

inline Ground failing_ground(FailingFiles& files, Plan& plan) {
  Ground ground;
  ground.files = &files;
  ground.open_rows = [&plan](const std::string& directory, KvOpening how) -> Result<std::unique_ptr<Kv>> {
    if (how == KvOpening::existing) ++plan.reopenings;
    if (how != KvOpening::read_only && plan.refuse_opening) return Error("the disk said no");
    auto opened = open_rocks_kv(directory, how);
    if (!opened) return opened.error();
    return std::unique_ptr<Kv>(std::make_unique<FailingKv>(std::move(*opened), plan));
  };
  return ground;
}

}  // namespace postern::store::test
