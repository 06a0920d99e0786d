#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gateway/config/config.h"
#include "gateway/delivery/courier.h"
#include "gateway/delivery/deliverer.h"
#include "gateway/delivery/list_keeper.h"
#include "gateway/delivery/queue_index.h"
#include "gateway/delivery/queue_state.h"
#include "gateway/delivery/undeliverable.h"
#include "gateway/io/loop.h"
#include "gateway/io/signal.h"
#include "gateway/signing/signer.h"
#include "gateway/store/store.h"

namespace postern::delivery {

// For status and /metrics.
struct QueueFigures {
  std::atomic<std::uint64_t> waiting{0}, connections{0};
  std::atomic<std::uint64_t> sent{0}, deferred{0}, failed{0};   // recipients; an attempt that found no host counts nobody
};

// The outgoing queue at work: takes what is due, sends it along its route, and writes down what came of it.
//
// An entry leaves the store only when every recipient has it or its failure is stored, in one commit; so a crash can
// make a duplicate where the host's answer was not written down any more, and loses nothing.  A host that does not
// answer costs one attempt for all that waits for it.
//
// It lives on one loop.  What is marked so may be called from any thread; everything else there.  All references must
// outlive it, and its loop's tasks must have ended before it is destroyed.
class Queue {
 public:
  struct Parts {
    io::Loop& loop;
    store::Store& store;
    directory::Directory& directory;   // mailing lists change by mail
    const Routes& routes;
    Connector& connector;
    std::string hostname;
    signing::Signer* signer = nullptr;   // of our reports
    AbuseDesk* abuse = nullptr;          // counts what bounces; nullptr: nobody does
    UnsubscribeLink unsubscribe_link = {};   // of mailing lists
  };
  Queue(Parts parts, config::Queue settings);

  // Reads what the store holds, and works until it is cancelled.
  io::Task<void> run();
  // Any thread.  Entries that were committed just now.
  void added(std::vector<Queued> queued);
  // Any thread.  The operator has changed these entries: what the store says of them counts.  `hurry`: a host that was
  // down is tried at once.
  void changed(std::vector<store::QueueId> ids, bool hurry);
  // Any thread.  The operator wants these given up: their senders hear of it as of any failure, or their recipients find
  // them in their quarantines.  Also those that are held; one that is being sent when it waits again.
  void give_up(std::vector<store::QueueId> ids);
  // Any thread.  After a reload, when the routes are the new ones.
  void configure(config::Queue settings);
  // Any thread.  Begins nothing more; idle() when what was begun has ended.
  void drain();
  bool idle() const { return figures_.connections == 0; }
  // Any thread.  Why this mail waits; "": its host is not down.
  std::string trouble_of(const Lane& lane) const;
  const QueueFigures& figures() const { return figures_; }

 private:
  struct Parked {
    Line line;
    Deadline until{};
  };
  using Entry = store::QueueEntry;

  // Of the memory that messages take while they are being sent.
  class Share {
   public:
    Share(Queue& queue, std::uint64_t octets) : queue_(&queue), octets_(octets) { queue.in_memory_ += octets; }
    Share(Share&& other) noexcept : queue_(std::exchange(other.queue_, nullptr)), octets_(other.octets_) {}
    Share& operator=(Share&&) = delete;
    ~Share() {
      if (queue_ == nullptr) return;
      queue_->in_memory_ -= octets_;
      queue_->memory_left_.notify();
    }

   private:
    Queue* queue_;
    std::uint64_t octets_;
  };

  io::Task<void> load();
  void begin(QueueIndex::Begun begun);
  io::Task<void> work(Site& site, store::QueueId first);
  io::Task<void> deliver(Site& site, Line& line, store::QueueId id);
  io::Task<std::optional<Time>> take_for_list(const Entry& entry, QueueState state);
  io::Task<std::optional<Time>> take_home(const Entry& entry, QueueState state, const directory::Resolution& home);
  io::Task<Share> wait_for_memory(std::uint64_t octets);
  io::Task<std::optional<Time>> attempt(Site& site, Line& line, const Entry& entry, QueueState state);
  io::Task<std::optional<Time>> settle(const Entry& entry, QueueState state, Attempt attempt);
  io::Task<std::optional<Time>> give_up(const Entry& entry, QueueState state, std::vector<Fate> fates);
  io::Task<std::optional<Time>> give_up_late(const Entry& entry, QueueState state, const smtp_client::Outcome& outcome);
  io::Task<void> give_up_expired(std::vector<store::QueueId> ids, smtp_client::Outcome outcome);
  io::Task<void> give_up_as_told(std::vector<store::QueueId> ids);
  io::Task<void> tell_of_delays(std::vector<store::QueueId> ids);
  io::Task<std::optional<Time>> tell_of_delay(const Entry& entry, QueueState state);
  io::Task<std::optional<Time>> write_down(const Entry& entry, QueueState state, std::vector<Fate> fates, std::optional<Time> due,
                                           AbuseDesk::Noted noted = AbuseDesk::Noted(), std::vector<store::Row> trace = std::vector<store::Row>());
  io::Task<AbuseDesk::Noted> note_dead(const Entry& entry, const QueueState& state, const Attempt& attempt);
  io::Task<void> commit(store::Delivery delivery);
  void look_at_new(const store::Delivered& done);
  io::Task<std::optional<Entry>> read(store::QueueId id, std::optional<Time>& again);
  io::Task<void> look(std::vector<store::QueueId> ids, bool hurry);
  void feed_back(Site& site, const Attempt& attempt);
  void set_trouble(const Site& site);
  void finish(store::QueueId id, std::optional<Time> due);

  Line unpark(const std::string& route);
  void park(const std::string& route, Line line);
  void close_parked(Deadline now);
  void notice_clock();
  void notice_delays();
  void show_figures();

  Parts parts_;
  QueueIndex index_;
  Undeliverable undeliverable_;
  Reports reports_;
  ListKeeper lists_;
  QueueFigures figures_;
  io::Signal changed_;
  std::multimap<std::string, Parked> parked_;
  std::uint64_t in_memory_ = 0;   // octets
  io::Signal memory_left_;
  bool draining_ = false;
  bool expiring_ = false;                        // what has waited its whole time is being given up
  bool telling_ = false;                         // what is late is being told
  Deadline tell_again_{};                        // not before: the disk took no report
  std::set<store::QueueId> give_up_then_;        // are being sent, and then to be given up
  Time wall_{};
  Deadline steady_{};
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> troubles_;   // by Route::key
};

}  // namespace postern::delivery
