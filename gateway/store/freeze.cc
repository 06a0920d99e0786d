// The store at one moment, for a backup.  Design 5, hot backup.
#include "gateway/store/freeze.h"

#include "gateway/base/log.h"

namespace postern::store {

// Lets go of everything when it dies, in this order: nobody may find the folder taken once it can be taken again.
class Freezer::Still : public Frozen {
 public:
  Still(Files& files, std::shared_ptr<std::atomic<bool>> taken) : files_(files), taken_(std::move(taken)) {}
  ~Still() override {
    pin.reset();
    if (auto error = remove_folder(files_, rows)) log::warning("store.freeze", {{"folder", rows}, {"what", error.message()}});
    taken_->store(false);
  }
  std::shared_ptr<const void> pin;

 private:
  Files& files_;
  std::shared_ptr<std::atomic<bool>> taken_;
};

Freezer::Freezer(const Catalog& catalog, RowsAccess& rows, BodyStore& bodies, Committer& committer, Files& files, std::string directory,
                 std::uint64_t low_space_octets)
    : catalog_(catalog),
      rows_(rows),
      bodies_(bodies),
      committer_(committer),
      files_(files),
      directory_(std::move(directory)),
      low_space_octets_(low_space_octets) {}

// The rows' part of a checkpoint writes what is in memory: on a full disk that would cost the store its rows.
Status Freezer::look_for_space() const {
  auto state = committer_.state();
  if (!state.writable) return Error("the store is not writable: " + state.problem);
  auto free = files_.free_octets(directory_);
  if (free.ok() && free.value < low_space_octets_) return Error(directory_ + ": the disk is nearly full");
  return {};
}

Status Freezer::settle() {
  auto rows = rows_.read();
  if (!rows) return Error("the rows are not open");
  return rows.kv->settle();
}

Result<std::unique_ptr<Frozen>> Freezer::freeze() {
  if (auto space = look_for_space(); !space) return space.error();
  if (taken_->exchange(true)) return Error("a backup is being made already");
  auto still = std::make_unique<Still>(files_, taken_);
  still->rows = directory_ + "/frozen";
  // Of one that was made when the program was killed.
  if (auto error = remove_folder(files_, still->rows)) return Error(still->rows + ": " + error.message());
  if (auto settled = settle(); !settled) return settled.error();

  auto held = committer_.hold();
  auto begin = std::chrono::steady_clock::now();
  auto rows = rows_.read();
  if (!rows) return Error("the rows are not open");
  bodies_.abandon_open();
  still->moment = Clock::system().now();
  std::set<std::uint64_t> named;
  for (const auto& [number, row] : catalog_.segments()) {
    named.insert(number);
    still->segments.push_back({number, bodies_.path_of(number), row.end});
  }
  still->pin = bodies_.pin(std::move(named));
  auto kept = rows.kv->checkpoint(still->rows);
  held.unlock();
  if (!kept) return kept.error();
  still->pause = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
  log::info("store.frozen", {{"segments", std::to_string(still->segments.size())}, {"pause_us", std::to_string(still->pause.count())}});
  return std::unique_ptr<Frozen>(std::move(still));
}

}  // namespace postern::store
