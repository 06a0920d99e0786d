// A backup: links or copies of what a frozen store consists of, then the manifest, then its name.
#include "gateway/backup/make.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "gateway/backup/take.h"

namespace postern::backup {
namespace {

// "20261130T234500Z"
std::string name_of(Time moment) {
  std::string name;
  for (char c : rfc3339(moment)) {
    if (c != '-' && c != ':') name += c;
  }
  return name;
}

class Making {
 public:
  Making(store::Files& files, Folder& folder, const Source& source, const Progress& progress)
      : files_(files), folder_(folder), source_(source), progress_(progress) {}

  Result<Made> run() {
    if (auto ready = prepare(); !ready) return ready.error();
    if (auto taken = take_rows(); !taken) return taken.error();
    for (const auto& segment : source_.segments) {
      if (auto taken = take_segment(segment); !taken) return taken.error();
    }
    if (auto still = source_.still ? source_.still() : Status(); !still) return still.error();
    if (auto ended = complete(); !ended) return ended.error();
    made_.octets = manifest_.octets();
    made_.segments = manifest_.segments.size();
    return made_;
  }

 private:
  Status prepare() {
    if (auto cleared = folder_.clear_partial(); !cleared) return cleared;
    auto generations = folder_.generations();
    if (!generations) return generations.error();
    std::set<std::string> names;
    for (const auto& generation : *generations) {
      names.insert(generation.name);
      if (!generation.problem.empty()) continue;
      for (const auto& one : generation.manifest.segments) known_.insert_or_assign({one.number, one.octets, one.changed}, one);
      previous_ = generation.name;
      previous_rows_ = generation.manifest.rows;
    }
    made_.generation = name_of(source_.moment);
    for (int again = 2; names.contains(made_.generation); ++again) made_.generation = name_of(source_.moment) + "-" + std::to_string(again);
    partial_ = folder_.path() + "/" + made_.generation + ".partial";
    for (const auto& path : {partial_, partial_ + "/rows"}) {
      if (auto error = files_.make_directory(path)) return failed(path, error);
    }
    for (const auto& segment : source_.segments) whole_ += segment.octets;
    manifest_.version = source_.version;
    manifest_.hostname = source_.hostname;
    manifest_.moment = source_.moment;
    return {};
  }

  Status take_rows() {
    auto names = files_.list(source_.rows);
    if (!names.ok()) return failed(source_.rows, names.error);
    std::sort(names.value.begin(), names.value.end());
    for (const auto& name : names.value) {
      auto from = source_.rows + "/" + name;
      auto state = files_.state(from);
      if (!state.ok()) return failed(from, state.error);
      auto taken = take_row_file(from, name, state.value.octets);
      if (!taken) return taken.error();
      manifest_.rows.push_back({name, state.value.octets, *taken});
    }
    return {};
  }

  // One that the backup before has as well is taken from there: where links lead from the store, they lead there too.
  Result<std::uint32_t> take_row_file(const std::string& from, const std::string& name, std::uint64_t octets) {
    auto to = partial_ + "/rows/" + name;
    auto before = std::find_if(previous_rows_.begin(), previous_rows_.end(), [&](const RowFile& file) { return file.name == name && file.octets == octets; });
    if (before != previous_rows_.end()) {
      auto sum = sum_of(files_, from, octets);
      if (!sum) return sum.error();
      if (*sum == before->sum && !files_.link(folder_.rows(previous_) + "/" + name, to)) return *sum;
    }
    auto taken = take(files_, from, to, octets, How::link);
    if (!taken) return taken.error();
    made_.linked = made_.linked || taken->linked;
    made_.new_octets += octets;
    return taken->sum;
  }

  Status take_segment(const store::Frozen::Segment& from) {
    auto state = files_.state(from.path);
    if (!state.ok()) return failed(from.path, state.error);
    Segment one{.number = from.number, .octets = from.octets, .sum = 0, .changed = state.value.changed};
    auto known = known_.find({one.number, one.octets, one.changed});
    if (known != known_.end() && is_there(known->second)) {
      one.sum = known->second.sum;
    } else {
      auto partial = folder_.segments() + "/" + std::to_string(one.number) + ".partial";
      auto taken = take(files_, from.path, partial, one.octets, How::link);
      if (!taken) return taken.error();
      one.sum = taken->sum;
      auto error = files_.rename(partial, folder_.segment(one));
      // Where both names are the same file already, of a backup that did not come to its end, a renaming does nothing.
      if (!error) error = files_.remove(partial);
      if (error && error != std::errc::no_such_file_or_directory) return failed(partial, error);
      made_.linked = made_.linked || taken->linked;
      made_.new_octets += one.octets;
      ++made_.new_segments;
    }
    manifest_.segments.push_back(one);
    done_ += one.octets;
    if (progress_) progress_(done_, whole_);
    return {};
  }

  bool is_there(const Segment& one) {
    auto state = files_.state(folder_.segment(one));
    return state.ok() && state.value.octets >= one.octets;
  }

  // Everything it names is durable before the manifest is, and that before it gets its name.
  Status complete() {
    for (const auto& path : {folder_.segments(), partial_ + "/rows"}) {
      if (auto error = files_.sync_directory(path)) return failed(path, error);
    }
    if (auto written = write_file(files_, partial_ + "/manifest", encode(manifest_)); !written) return written;
    auto error = files_.sync_directory(partial_);
    if (!error) error = files_.rename(partial_, folder_.path() + "/" + made_.generation);
    if (!error) error = files_.sync_directory(folder_.path());
    if (error) return failed(partial_, error);
    return {};
  }

  store::Files& files_;
  Folder& folder_;
  const Source& source_;
  const Progress& progress_;
  Manifest manifest_;
  Made made_;
  std::string partial_;
  std::map<std::tuple<std::uint64_t, std::uint64_t, std::int64_t>, Segment> known_;   // by number, octets, changed
  std::string previous_;
  std::vector<RowFile> previous_rows_;
  std::uint64_t done_ = 0, whole_ = 0;
};

}  // namespace

Result<Made> make(store::Files& files, Folder& folder, const Source& source, const Progress& progress) {
  return Making(files, folder, source, progress).run();
}

}  // namespace postern::backup
