// A whole store from a backup: copied beside its place, renewed there, moved into it.
#include "gateway/backup/restore.h"

#include <algorithm>
#include <functional>
#include <thread>

#include "gateway/backup/take.h"
#include "gateway/store/kv.h"
#include "gateway/store/lock_file.h"
#include "gateway/store/rocks_kv.h"
#include "gateway/store/rows.h"

namespace postern::backup {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::string_view kLock = "store.lock";
// A store in which mailboxes were made faster than one a second is ahead of the clock with its last UIDVALIDITY; two
// restores of the same backup that went on from there would give the same values.
constexpr auto kAhead = std::chrono::hours(24);

// Calls `take` with each row that begins with `letter`, and writes what it put into the batch, page by page.
Status change_each(store::Kv& rows, char letter, const std::function<Status(const store::KvRow&, store::KvBatch&)>& take) {
  std::string from(1, letter);
  const std::string to(1, static_cast<char>(letter + 1));
  for (;;) {
    auto page = rows.scan(from, to, kPage, store::KvReader::Reach::disk);
    if (!page.ok()) return Error(page.error);
    store::KvBatch batch;
    for (const auto& row : page.value) {
      if (auto taken = take(row, batch); !taken) return taken;
    }
    if (!batch.empty()) {
      if (auto written = rows.write(batch); !written) return written;
    }
    if (page.value.size() < kPage) return {};
    from = page.value.back().key + '\0';
  }
}

Error damaged(std::string_view what, const store::KvRow& row) {
  return Error("the " + std::string(what) + " row " + std::to_string(store::first_number(row.key)) + " of the backup is damaged");
}

// What of an old state must not come back as it was.
class Renewal {
 public:
  Renewal(store::Kv& rows, WholeOptions options, Whole& whole) : rows_(rows), options_(options), whole_(whole) {}

  Status run() {
    auto value = rows_.get(std::vector<std::string>{std::string(store::kCountersKey)}, store::KvReader::Reach::disk);
    if (!value.ok()) return Error(value.error);
    auto counters = value.value[0] ? store::decode_counters(*value.value[0]) : std::optional<store::Counters>(store::Counters());
    if (!counters) return Error("the row of counters of the backup is damaged");
    // As for a new mailbox: above all before, and from the clock above those of the time that is lost.
    const Time began = Clock::system().now();
    next_ = std::max<std::uint32_t>(counters->last_uidvalidity + 1, static_cast<std::uint32_t>(to_unix(began + kAhead)));
    auto changed = change_each(rows_, 'x', [this](const store::KvRow& row, store::KvBatch& batch) { return mailbox(row, batch); });
    if (changed) changed = change_each(rows_, 'q', [this](const store::KvRow& row, store::KvBatch& batch) { return entry(row, batch); });
    if (changed) changed = change_each(rows_, 'a', [this](const store::KvRow&, store::KvBatch&) {
      ++whole_.accounts;
      return Status();
    });
    if (!changed || options_.keep_uids) return changed;
    counters->last_uidvalidity = next_ - 1;
    store::KvBatch batch;
    batch.put(std::string(store::kCountersKey), store::encode(*counters));
    if (auto written = rows_.write(batch); !written) return written;
    // The next restore knows nothing of this one but the clock: it must not begin in the same second.
    const auto left = from_unix(to_unix(began) + 1) - Clock::system().now();
    std::this_thread::sleep_for(std::min<Time::duration>(left, std::chrono::seconds(1)));
    return {};
  }

 private:
  Status mailbox(const store::KvRow& row, store::KvBatch& batch) {
    auto state = store::decode_mailbox(row.value);
    if (!state) return damaged("mailbox", row);
    ++whole_.mailboxes;
    whole_.messages += state->info.messages;
    if (options_.keep_uids) return {};
    state->info.uidvalidity = next_++;
    batch.put(row.key, store::encode(*state));
    return {};
  }
  Status entry(const store::KvRow& row, store::KvBatch& batch) {
    auto entry = store::decode_queue(store::first_number(row.key), row.value);
    if (!entry) return damaged("queue", row);
    ++whole_.queued;
    if (options_.send_queue || entry->held) return {};
    ++whole_.held;
    entry->held = true;
    batch.put(row.key, store::encode(*entry));
    return {};
  }

  store::Kv& rows_;
  WholeOptions options_;
  Whole& whole_;
  std::uint32_t next_ = 0;
};

class Restoring {
 public:
  Restoring(store::Files& files, const Folder& folder, const Generation& generation, std::string data, const Progress& progress)
      : files_(files), folder_(folder), manifest_(generation.manifest), generation_(generation.name), data_(std::move(data)), progress_(progress) {}

  Result<Whole> run(WholeOptions options) {
    if (auto may = may_restore_into(files_, data_); !may) return may.error();
    auto lock = store::hold_lock_file(data_ + "/" + std::string(kLock));
    if (!lock) return lock.error();
    if (auto cleared = clear(); !cleared) return cleared.error();
    if (auto copied = copy(); !copied) return copied.error();
    Whole whole;
    whole.octets = manifest_.octets();
    whole.segments = manifest_.segments.size();
    if (auto renewed = renew(options, whole); !renewed) return renewed.error();
    if (auto moved = move_in(); !moved) return moved.error();
    return whole;
  }

 private:
  // Of an earlier try.  Its folder stays until everything else is away: as long the rest is known to be no store.
  Status clear() {
    for (const auto& path : {data_ + "/segments", data_ + "/rows", building() + "/segments", building() + "/rows"}) {
      if (auto error = store::remove_folder(files_, path)) return failed(path, error);
    }
    for (const auto& path : {building(), building() + "/segments", building() + "/rows"}) {
      if (auto error = files_.make_directory(path)) return failed(path, error);
    }
    if (auto error = files_.sync_directory(data_)) return failed(data_, error);
    return {};
  }

  Status copy_one(const std::string& from, const std::string& to, std::uint64_t octets, std::uint32_t sum) {
    auto taken = take(files_, from, to, octets, How::copy);   // or who owns the store would own, and could spoil, the backup
    if (!taken) return taken.error();
    if (taken->sum != sum) return Error(from + " is damaged: its checksum is not that of the manifest");
    done_ += octets;
    if (progress_) progress_(done_, manifest_.octets());
    return {};
  }

  Status copy() {
    for (const auto& file : manifest_.rows) {
      auto copied = copy_one(folder_.rows(generation_) + "/" + file.name, building() + "/rows/" + file.name, file.octets, file.sum);
      if (!copied) return copied;
    }
    for (const auto& one : manifest_.segments) {
      auto copied = copy_one(folder_.segment(one), building() + "/segments/" + one.file().substr(0, 16) + ".seg", one.octets, one.sum);
      if (!copied) return copied;
    }
    return {};
  }

  Status renew(WholeOptions options, Whole& whole) {
    auto rows = store::open_rocks_kv(building() + "/rows", store::KvOpening::existing);
    if (!rows) return rows.error();
    return Renewal(**rows, options, whole).run();
  }

  Status move_in() {
    std::error_code error;
    for (const auto& path : {building() + "/segments", building() + "/rows", building()}) {
      if (!error) error = files_.sync_directory(path);
    }
    for (std::string part : {"/segments", "/rows"}) {
      if (!error) error = files_.rename(building() + part, data_ + part);
    }
    if (!error) error = files_.sync_directory(data_);   // before the folder goes that says "not yet"
    if (!error) error = files_.remove_directory(building());
    if (!error) error = files_.sync_directory(data_);
    if (error) return failed(building(), error);
    return {};
  }

  std::string building() const { return data_ + "/" + std::string(store::kRestoring); }

  store::Files& files_;
  const Folder& folder_;
  const Manifest& manifest_;
  std::string generation_;
  std::string data_;
  const Progress& progress_;
  std::uint64_t done_ = 0;
};

}  // namespace

Status may_restore_into(store::Files& files, const std::string& data) {
  auto names = files.list(data);
  if (!names.ok()) return failed(data, names.error);
  const auto& there = names.value;
  // Nobody can have opened a store there since.
  if (std::find(there.begin(), there.end(), store::kRestoring) != there.end()) return {};
  for (const auto& name : there) {
    if (name != kLock) return Error(data + " is not empty (" + name + "): move it away first; a whole backup is only restored into an empty folder");
  }
  return {};
}

Result<Whole> restore_whole(store::Files& files, const Folder& folder, const Generation& generation, const std::string& data,
                            WholeOptions options, const Progress& progress) {
  return Restoring(files, folder, generation, data, progress).run(options);
}

}  // namespace postern::backup
