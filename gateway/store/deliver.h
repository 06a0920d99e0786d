#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "gateway/store/committer.h"
#include "gateway/store/queue.h"

namespace postern::store {

// A delivery on its way: prepare() on the submitting thread, write_large() on a worker if there are
// large bodies, then the committer.
class Deliver : public JobWith<Delivered> {
 public:
  Deliver(Delivery delivery, BodyStore& bodies);

  static constexpr std::uint64_t kLarge = 1 << 20;
  std::uint64_t large_octets() const;
  // Writes each large body durably into a segment of its own.
  std::error_code write_large();

  bool apply(Group& group) override;
  void writing() override { rows_written_ = true; }
  void fail(Outcome outcome, std::string text) override;
  bool grows() const override;
  std::size_t body_octets() const override;

 private:
  struct Goal {
    MailboxId mailbox = 0;
    Uid uid = 0;
  };
  // Notes what is gone; what is required and gone refuses.
  std::optional<Change> look_for(const QueueEntries& entries);
  std::optional<Change> resolve(Group& group);
  void place(Group& group);
  std::vector<Placed> place_copies(Group& group, std::size_t item, Time now);
  StoredMessage stored(const Item& item, const Target& target, const NewBody& body, Time now) const;

  Delivery delivery_;
  BodyStore& body_store_;
  std::vector<NewBody> bodies_;          // one an item
  std::vector<bool> written_;            // alone, before the commit
  bool rows_written_ = false;            // or half: they may be on disk
  std::vector<std::vector<Goal>> goals_;
};

// General rows alone.
std::shared_ptr<JobWith<Change>> write_rows_job(std::vector<Row> rows);
// Store::erase_rows.
std::shared_ptr<JobWith<Change>> erase_rows_job(std::string from, std::string to);

}  // namespace postern::store
