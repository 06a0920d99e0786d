// Rewriting of sparse segments.
#include "gateway/store/rewrite.h"

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/store/sweep.h"

namespace postern::store {
namespace {

constexpr std::uint64_t kNoSpaceHelps = ~std::uint64_t{0};

}  // namespace

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
    end_copy(true);
    rewriter_.ended(segment_, State::done);
  }
  void fail(Outcome, std::string text) override {
    log::warning("store.rewrite", {{"segment", std::to_string(segment_)}, {"what", text}});
    end_copy(!rows_written_);   // otherwise rows that name the copy may be on disk
    rewriter_.ended(segment_, State::failed);
  }

 private:
  // A copy that no row ever named goes now; one that lives no more is found by the next look.
  void end_copy(bool rows_known) {
    if (moves_.empty()) return;
    auto copy = moves_[0].to.segment;
    if (rows_known && !rewriter_.catalog_.segment(copy)) rewriter_.bodies_.remove(copy);
    rewriter_.bodies_.end_copy();
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
  for (auto number : catalog_.sparse_segments()) {
    if (number != bodies_.open_segment() && !damaged_.contains(number) && !put_off_.contains(number)) {
      return number;
    }
  }
  return {};
}

void Rewriter::look() {
  std::lock_guard lock(mutex_);
  if (stopped_ || running_ || !committer_.state().writable) return;
  auto segment = next_segment();
  if (!segment) return;
  running_ = true;
  workers_.run_detached([this, number = *segment, pass = gate_.enter()] { rewrite(number); });
}

void Rewriter::start() {
  {
    std::lock_guard lock(mutex_);
    put_off_.clear();
  }
  look();
}

void Rewriter::has_space(std::uint64_t octets) {
  {
    std::lock_guard lock(mutex_);
    if (std::erase_if(put_off_, [octets](const auto& one) { return one.second <= octets; }) == 0) return;
  }
  look();
}

void Rewriter::ended(std::uint64_t segment, State how) {
  {
    std::lock_guard lock(mutex_);
    running_ = false;
    auto row = catalog_.segment(segment);
    if (!row) {
      // It is gone, as it should be.
    } else if (how == State::no_space) {
      put_off_[segment] = row->live;
    } else if (how == State::failed) {
      put_off_[segment] = kNoSpaceHelps;
    } else {   // damaged; or copied and still there, since its row counts more than its records hold
      damaged_.insert(segment);
    }
  }
  look();
}

void Rewriter::rewrite(std::uint64_t segment) {
  auto give_up = [&](State how, const std::string& why) {
    // Its last message went while it was read, as happens at the head of a queue that drains.
    if (!catalog_.segment(segment)) return ended(segment, State::done);
    log::warning("store.rewrite", {{"segment", bodies_.path_of(segment)}, {"what", why}});
    ended(segment, how);
  };
  auto row = catalog_.segment(segment);
  if (!row) return ended(segment, State::done);
  std::vector<Moves::Move> moves;
  if (row->live > 0) {
    auto records = bodies_.records(segment, row->end);
    if (!records) return give_up(State::damaged, records.error().text);
    std::vector<std::string> keys;
    for (const auto& record : *records) keys.push_back(body_key(record.id));
    std::vector<BodyStore::Found> live;
    {
      auto rows = rows_.read();
      if (!rows) return give_up(State::failed, "the rows are not open");
      auto values = rows.kv->get(keys, KvReader::Reach::disk);
      if (!values.ok()) return give_up(State::failed, values.error);
      for (std::size_t i = 0; i < records->size(); ++i) {
        auto body = values.value[i] ? decode_body(*values.value[i]) : std::nullopt;
        if (body && body->place == (*records)[i].place) live.push_back((*records)[i]);
      }
    }
    if (!live.empty()) {
      auto copy = bodies_.copy(live);
      if (copy.state != State::done) return give_up(copy.state, copy.problem);
      for (std::size_t i = 0; i < live.size(); ++i) moves.push_back({live[i].id, live[i].place, copy.places[i]});
    }
  }
  committer_.submit(std::make_shared<Moves>(*this, segment, std::move(moves)));
}

}  // namespace postern::store
