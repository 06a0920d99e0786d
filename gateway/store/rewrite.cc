// Rewriting of sparse segments.
#include "gateway/store/rewrite.h"

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/store/sweep.h"

namespace postern::store {

// Points the body rows at the copies, slice by slice; a body that was expunged meanwhile has no row any more.
class Rewriter::Moves : public Job {
 public:
  struct Move {
    BodyId id = 0;
    Place from, to;
  };
  Moves(Rewriter& rewriter, std::uint64_t segment, std::vector<Move> moves)
      : rewriter_(rewriter), segment_(segment), moves_(std::move(moves)) {}

  bool apply(Group& group) override {
    auto end = std::min(moves_.size(), done_ + kSlice);
    for (auto i = done_; i < end; ++i) group.move_body(moves_[i].id, moves_[i].from, moves_[i].to);
    group.touch_segment(segment_);
    next_ = end;
    return end == moves_.size();
  }
  void writing() override { rows_written_ = true; }
  void committed() override {
    rows_written_ = false;
    done_ = next_;
    if (done_ != moves_.size()) return;
    drop_unused_copy();
    rewriter_.ended(segment_, true);
  }
  void fail(Outcome, std::string text) override {
    log::warning("store.rewrite", {{"segment", std::to_string(segment_)}, {"what", text}});
    if (!rows_written_) drop_unused_copy();   // otherwise rows that name the copy may be on disk
    rewriter_.ended(segment_, false);
  }

 private:
  void drop_unused_copy() {
    if (moves_.empty() || rewriter_.catalog_.segments().contains(moves_[0].to.segment)) return;
    rewriter_.bodies_.remove(moves_[0].to.segment);
  }

  Rewriter& rewriter_;
  std::uint64_t segment_;
  std::vector<Move> moves_;
  std::size_t done_ = 0, next_ = 0;   // durable, planned
  bool rows_written_ = false;         // of the slice under way
};

Rewriter::Rewriter(const Catalog& catalog, RowsAccess& rows, BodyStore& bodies, Committer& committer, io::WorkerPool& workers, Gate& gate)
    : catalog_(catalog), rows_(rows), bodies_(bodies), committer_(committer), workers_(workers), gate_(gate) {}

void Rewriter::stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
}

std::optional<std::uint64_t> Rewriter::next_segment() {
  for (const auto& [number, row] : catalog_.segments()) {
    if (is_sparse(row) && number != bodies_.open_segment() && !left_alone_.contains(number)) return number;
  }
  return {};
}

void Rewriter::look() {
  std::lock_guard lock(mutex_);
  if (stopped_ || running_) return;
  auto segment = next_segment();
  if (!segment) return;
  running_ = true;
  workers_.run_detached([this, number = *segment, pass = gate_.enter()] { rewrite(number); });
}

void Rewriter::ended(std::uint64_t segment, bool moved) {
  {
    std::lock_guard lock(mutex_);
    running_ = false;
    // Still there: its row counts more than its records hold.  Once is enough.
    if (!moved || catalog_.segments().contains(segment)) left_alone_.insert(segment);
  }
  look();
}

void Rewriter::rewrite(std::uint64_t segment) {
  auto give_up = [&](const std::string& why) {
    log::warning("store.rewrite", {{"segment", bodies_.path_of(segment)}, {"what", why}});
    ended(segment, false);
  };
  auto segments = catalog_.segments();
  auto row = segments.find(segment);
  if (row == segments.end()) return ended(segment, true);
  std::vector<Moves::Move> moves;
  if (row->second.live > 0) {
    auto records = bodies_.records(segment, row->second.end);
    if (!records) return give_up(records.error().text);
    std::vector<std::string> keys;
    for (const auto& record : *records) keys.push_back(body_key(record.id));
    std::vector<BodyStore::Found> live;
    {
      auto rows = rows_.read();
      if (!rows) return give_up("the rows are not open");
      auto values = rows.kv->get(keys, KvReader::Reach::disk);
      if (!values.ok()) return give_up(values.error);
      for (std::size_t i = 0; i < records->size(); ++i) {
        auto body = values.value[i] ? decode_body(*values.value[i]) : std::nullopt;
        if (body && body->place == (*records)[i].place) live.push_back((*records)[i]);
      }
    }
    if (!live.empty()) {
      auto places = bodies_.copy(live);
      if (!places) return give_up(places.error().text);
      for (std::size_t i = 0; i < live.size(); ++i) moves.push_back({live[i].id, live[i].place, (*places)[i]});
    }
  }
  committer_.submit(std::make_shared<Moves>(*this, segment, std::move(moves)));
}

}  // namespace postern::store
