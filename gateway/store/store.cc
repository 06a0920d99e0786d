// The store as one thing: opening, recovery, and the interface's functions, each of which hands its
// work to the committer, the catalog or the reader.
#include "gateway/store/store.h"

#include <atomic>
#include <mutex>

#include "gateway/base/log.h"
#include "gateway/io/worker_pool.h"
#include "gateway/store/account.h"
#include "gateway/store/change_flags.h"
#include "gateway/store/committer.h"
#include "gateway/store/deliver.h"
#include "gateway/store/freeze.h"
#include "gateway/store/lock_file.h"
#include "gateway/store/mailbox.h"
#include "gateway/store/names.h"
#include "gateway/store/open.h"
#include "gateway/store/reader.h"
#include "gateway/store/rewrite.h"
#include "gateway/store/rocks_kv.h"
#include "gateway/store/senders.h"
#include "gateway/store/sweep.h"
#include "gateway/store/transfer.h"
#include "gateway/store/verify.h"

namespace postern::store {
namespace {

// Before the first segment: without this row, bodies on disk are not ours to remove.
Status write_format(Kv& rows) {
  KvBatch batch;
  batch.put(std::string(kFormatKey), std::string(kFormat));
  return rows.write(batch);
}

class StoreOnDisk : public Store, public Freezable {
 public:
  StoreOnDisk(StoreOptions options, io::WorkerPool& workers, Ground ground)
      : options_(std::move(options)),
        workers_(workers),
        ground_(std::move(ground)),
        bodies_(*ground_.files, options_.directory + "/segments", options_.segment_octets),
        reader_(rows_, bodies_, catalog_, watches_, workers_, gate_) {}

  ~StoreOnDisk() override {
    if (rewriter_) rewriter_->stop();
    gate_.wait();        // workers first: they may still submit
    committer_.reset();  // finishes what is queued
  }

  Status open() {
    if (auto error = ground_.files->make_directory(options_.directory)) return Error(options_.directory + ": " + error.message());
    auto lock = hold_lock_file(options_.directory + "/store.lock");
    if (!lock) return lock.error();
    lock_ = std::move(*lock);
    auto half = ground_.files->list(options_.directory + "/" + std::string(kRestoring));
    if (half.ok()) return Error("a restore into " + options_.directory + " was interrupted: run \"postern restore\" again");
    std::vector<MailboxId> doomed;
    auto fresh = open_rows(doomed, KvOpening::create);
    if (!fresh) return fresh.error();
    if (auto ready = open_bodies(*fresh); !ready) return ready;
    if (*fresh) {   // not earlier, or the next start would take the bodies of lost rows for its own leftovers
      if (auto written = write_format(*rows_.writer()); !written) return written;
    }
    if (auto synced = sync_folders(); !synced) return synced;
    catalog_.trace_for(options_.trace_days);
    committer_ = std::make_unique<Committer>(catalog_, bodies_, watches_, *ground_.files,
                                             Committer::Limits{options_.low_space_octets, options_.directory});
    freezer_ = std::make_unique<Freezer>(catalog_, rows_, bodies_, *committer_, *ground_.files, options_.directory, options_.low_space_octets);
    rewriter_ = std::make_unique<Rewriter>(catalog_, rows_, bodies_, *committer_, workers_, gate_);
    committer_->on_sparse([this] { rewriter_->look(); });
    committer_->on_space([this](std::uint64_t octets) { rewriter_->has_space(octets); });
    start(doomed);
    return {};
  }

  // --- accounts
  std::optional<Account> account(std::string_view address) const override { return catalog_.account(address); }
  std::optional<Account> account(AccountId id) const override { return catalog_.account(id); }
  std::vector<Account> accounts() const override { return catalog_.accounts(); }
  io::Task<Change> create_account(Account account) override { return change(*committer_, create_account_job(std::move(account))); }
  io::Task<Change> update_account(Account account) override { return change(*committer_, update_account_job(std::move(account))); }
  io::Task<Change> remove_account(AccountId id) override { return change(*committer_, remove_account_job(id)); }

  std::shared_ptr<const mail::SenderList> senders(AccountId account) const override { return catalog_.senders(account); }
  io::Task<Change> set_sender(AccountId account, std::string sender, std::optional<mail::SenderWord> word) override {
    return change(*committer_, set_sender_job(account, std::move(sender), word));
  }

  // --- mailboxes
  std::vector<MailboxInfo> mailboxes(AccountId account) const override { return catalog_.mailboxes(account); }
  std::optional<MailboxInfo> mailbox(AccountId account, std::string_view name) const override {
    auto kept = mailbox_name(name);
    if (!kept) return {};
    return catalog_.mailbox(account, *kept);
  }
  std::optional<MailboxInfo> mailbox(AccountId account, SpecialUse use) const override { return catalog_.mailbox(account, use); }
  std::optional<MailboxInfo> mailbox(MailboxId id) const override { return catalog_.mailbox(id); }
  io::Task<Created> create_mailbox(AccountId account, std::string name, SpecialUse use) override {
    return change(*committer_, create_mailbox_job(account, std::move(name), use));
  }
  io::Task<Change> rename_mailbox(AccountId account, std::string from, std::string to) override {
    return change(*committer_, rename_mailbox_job(account, std::move(from), std::move(to)));
  }
  io::Task<Change> remove_mailbox(AccountId account, std::string name) override {
    return change(*committer_, remove_mailbox_job(account, std::move(name)));
  }
  io::Task<Change> subscribe(AccountId account, std::string name, bool subscribed) override {
    return change(*committer_, subscribe_job(account, std::move(name), subscribed));
  }
  std::vector<std::string> subscriptions(AccountId account) const override { return catalog_.subscriptions(account); }

  // --- messages
  io::Task<Delivered> deliver(Delivery delivery) override;
  io::Task<FlagsChanged> change_flags(MailboxId mailbox, std::vector<Uid> uids, FlagOperation operation, Flags flags,
                                      std::optional<ModSeq> unchanged_since) override {
    return change(*committer_, change_flags_job(mailbox, std::move(uids), operation, std::move(flags), unchanged_since));
  }
  io::Task<Copied> copy(MailboxId from, std::vector<Uid> uids, MailboxId to) override {
    return change(*committer_, copy_job(from, std::move(uids), to, options_.release));
  }
  io::Task<Copied> move(MailboxId from, std::vector<Uid> uids, MailboxId to) override {
    return change(*committer_, move_job(from, std::move(uids), to, options_.release));
  }
  io::Task<Expunged> expunge(MailboxId mailbox, std::optional<std::vector<Uid>> uids) override {
    return change(*committer_, expunge_job(mailbox, std::move(uids), false));
  }
  io::Task<Expunged> erase(MailboxId mailbox, std::vector<Uid> uids) override {
    return change(*committer_, expunge_job(mailbox, std::move(uids), true));
  }
  io::Task<Result<std::unique_ptr<MailboxWatch>>> watch(MailboxId mailbox) override { return reader_.watch(mailbox); }
  io::Task<Result<std::optional<MessageRow>>> message(MailboxId mailbox, Uid uid) override;
  io::Task<Result<std::vector<MessageRow>>> messages(MailboxId mailbox, Uid first, Uid last, std::size_t limit) override {
    return reader_.messages(mailbox, first, last, limit);
  }
  io::Task<Result<std::string>> read(const MessageRow& row, std::uint64_t offset, std::uint64_t length) override {
    return reader_.read(row.body, row.header_prefix, offset, length);
  }

  // --- the outgoing queue
  io::Task<Result<std::vector<QueueEntry>>> queue(QueueId from, std::size_t limit) override { return reader_.queue(from, limit); }
  io::Task<Result<std::optional<QueueEntry>>> queue_entry(QueueId id) override { return reader_.queue_entry(id); }
  io::Task<Result<std::string>> read(const QueueEntry& entry, std::uint64_t offset, std::uint64_t length) override {
    return reader_.read(entry.body, entry.header_prefix, offset, length);
  }
  io::Task<Result<Octets>> record(const QueueEntry& entry) override { return reader_.record(entry.body, entry.record_octets); }

  // --- general rows
  io::Task<Change> write(std::vector<Row> rows) override { return change(*committer_, write_rows_job(std::move(rows))); }
  io::Task<Result<std::optional<std::string>>> get(std::string key) override { return reader_.get(general_key(key)); }
  io::Task<Result<std::vector<Row>>> scan(std::string prefix, std::string from, std::size_t limit) override {
    auto begin = std::max(general_key(prefix), general_key(from));
    return reader_.scan(std::move(begin), behind(general_key(prefix)), limit);
  }

  io::Task<Result<std::vector<std::optional<std::string>>>> get_all(std::vector<std::string> keys) override {
    for (auto& key : keys) key = general_key(key);
    return reader_.get_all(std::move(keys));
  }
  io::Task<Change> erase_rows(std::string from, std::string to) override {
    return change(*committer_, erase_rows_job(std::move(from), std::move(to)));
  }

  StoreState state() const override;
  io::Task<bool> recover() override;
  io::Task<Result<std::unique_ptr<Frozen>>> freeze() override {
    auto job = [this, pass = gate_.enter()] { return freezer_->freeze(); };
    auto frozen = co_await workers_.run(std::move(job));
    co_return std::move(frozen);
  }
  std::vector<std::string> verify() override {
    auto still = committer_->hold();   // or a rewriting would take a segment away between two looks
    auto rows = rows_.read();
    if (!rows) return {"the rows are not open"};
    return verify_store(*rows.kv, bodies_);
  }

 private:
  // Whether they were just made.
  Result<bool> open_rows(std::vector<MailboxId>& doomed, KvOpening how);
  Status open_bodies(bool fresh);
  Status sync_folders();
  void start(const std::vector<MailboxId>& doomed);
  void write_large(const std::shared_ptr<Deliver>& job);
  std::optional<Change> refusal(std::uint64_t octets) const;
  bool has_space(std::uint64_t octets) const;
  Status open_anew(std::vector<MailboxId>& doomed);
  bool reopen();

  StoreOptions options_;
  io::WorkerPool& workers_;
  Ground ground_;
  io::Fd lock_;
  Catalog catalog_;
  Watches watches_;
  RowsAccess rows_;
  BodyStore bodies_;
  Gate gate_;
  Reader reader_;
  std::atomic<std::uint64_t> large_octets_ = 0;   // that workers are writing now
  std::mutex reopening_;
  bool recovery_failed_ = false;      // and was told; under reopening_
  std::vector<std::string> damage_;   // found at the start
  std::unique_ptr<Rewriter> rewriter_;   // outlives the committer, which calls it
  std::unique_ptr<Committer> committer_;
  std::unique_ptr<Freezer> freezer_;
};

// True: the rows are new, and say so themselves from write_format() on.
Result<bool> check_format(Kv& rows) {
  auto format = rows.get(std::vector<std::string>{std::string(kFormatKey)}, KvReader::Reach::disk);
  if (!format.ok()) return Error(format.error);
  if (!format.value[0]) return true;
  if (*format.value[0] != kFormat) {
    return Error("the store has the format \"" + *format.value[0] + "\", this program knows \"" + std::string(kFormat) + "\"");
  }
  return false;
}

Result<bool> StoreOnDisk::open_rows(std::vector<MailboxId>& doomed, KvOpening how) {
  auto open = [&](KvOpening as) {
    auto directory = options_.directory + "/rows";
    return ground_.open_rows ? ground_.open_rows(directory, as) : open_rocks_kv(directory, as);
  };
  auto opened = rows_.reopen(open, how);
  if (!opened) return opened.error();
  auto fresh = check_format(*rows_.writer());
  if (!fresh) return fresh.error();
  if (*fresh && how == KvOpening::existing) return Error("the rows in " + options_.directory + "/rows are empty: restore a backup");
  if (auto loaded = catalog_.load(*rows_.writer(), doomed); !loaded) return loaded.error();
  bodies_.raise_next_id(catalog_.counters().next_body);
  return fresh;
}

// Only at the start of the process: later a segment without rows may be a large body, or the copy of a
// sparse segment, whose rows wait in the queue.
Status StoreOnDisk::open_bodies(bool fresh) {
  auto ready = bodies_.open(catalog_.segments(), fresh, damage_);
  for (const auto& one : damage_) log::error("store.damaged", {{"what", one}});
  return ready;
}

// The names of what was just made, and of the folder itself, or the first mail could go with all of it.
Status StoreOnDisk::sync_folders() {
  const auto& folder = options_.directory;
  if (auto error = ground_.files->sync_directory(folder)) return Error(folder + ": " + error.message());
  // The one above may be closed to our user; whoever made ours in it did so long ago, as a rule.
  if (auto error = ground_.files->sync_directory(folder + "/..")) log::warning("store.sync", {{"folder", folder + "/.."}, {"what", error.message()}});
  return {};
}

void StoreOnDisk::start(const std::vector<MailboxId>& doomed) {
  committer_->use(rows_.writer());
  rewriter_->start();
  for (auto mailbox : doomed) committer_->submit(sweep_job(mailbox));
  if (auto job = complete_accounts_job(catalog_)) committer_->submit(std::move(job));
}

io::Task<Delivered> StoreOnDisk::deliver(Delivery delivery) {
  auto job = std::make_shared<Deliver>(std::move(delivery), bodies_);
  if (job->large_octets() == 0) return change<Delivered>(*committer_, std::move(job));
  // From worker to committer without the waiting task, which may be gone by then.
  std::function<void()> start = [this, job] {
    workers_.run_detached([this, job, pass = gate_.enter()] { write_large(job); });
  };
  return started<Delivered>(job, std::move(start));
}

void StoreOnDisk::write_large(const std::shared_ptr<Deliver>& job) {
  auto octets = job->large_octets();
  auto refused = refusal(large_octets_ += octets);
  std::error_code error;
  if (!refused) error = job->write_large();
  large_octets_ -= octets;
  if (error) refused = Change{is_no_space(error) ? Outcome::no_space : Outcome::broken, "writing a body: " + error.message()};
  if (!refused) return committer_->submit(job);
  job->fail(refused->outcome, refused->text);
  Committer::acknowledge({job});
}

// Before anything is written that the committer would refuse.
std::optional<Change> StoreOnDisk::refusal(std::uint64_t octets) const {
  auto state = committer_->state();
  if (!state.writable) return Change{Outcome::broken, state.problem};
  if (!has_space(octets)) return Change{Outcome::no_space, "the disk is nearly full"};
  return {};
}

io::Task<Result<std::optional<MessageRow>>> StoreOnDisk::message(MailboxId mailbox, Uid uid) {
  auto rows = co_await reader_.messages(mailbox, uid, uid, 1);
  if (!rows) co_return rows.error();
  std::optional<MessageRow> found;
  if (!rows->empty()) found = std::move(rows->front());
  co_return found;
}

StoreState StoreOnDisk::state() const {
  StoreState state;
  auto committer = committer_->state();
  state.writable = committer.writable;
  state.problem = committer.problem;
  state.commits = committer.commits;
  state.changes = committer.changes;
  state.free_octets = committer.free_octets;
  auto segments = catalog_.segment_totals();
  state.segments = segments.count;
  state.body_octets = segments.live;
  if (state.problem.empty() && !damage_.empty()) state.problem = damage_[0];
  return state;
}

// Whether the reserve is whole once so much was written.
bool StoreOnDisk::has_space(std::uint64_t octets) const {
  auto free = ground_.files->free_octets(options_.directory);
  return !free.ok() || free.value >= options_.low_space_octets + octets;
}

Status StoreOnDisk::open_anew(std::vector<MailboxId>& doomed) {
  auto opened = open_rows(doomed, KvOpening::existing);
  if (!opened) return opened.error();
  return watches_.reload(*rows_.writer());
}

// A second fsync on a descriptor whose first one failed lies: everything is opened anew, and what
// the rows on disk say is what happened.
bool StoreOnDisk::reopen() {
  std::lock_guard lock(reopening_);
  if (committer_->state().writable) return true;
  // An opening writes: on a full disk it fails, and meanwhile nobody can read.
  if (!has_space(0)) return false;
  committer_->use(nullptr);
  std::vector<MailboxId> doomed;
  if (auto opened = open_anew(doomed); !opened) {
    // Once: it is tried every second.
    if (!std::exchange(recovery_failed_, true)) log::error("store.recover", {{"what", opened.error().text}});
    return false;
  }
  recovery_failed_ = false;
  start(doomed);
  log::info("store.recovered");
  return true;
}

io::Task<bool> StoreOnDisk::recover() {
  auto job = [this, pass = gate_.enter()] { return reopen(); };
  bool writable = co_await workers_.run(std::move(job));
  co_return writable;
}

}  // namespace

Result<std::unique_ptr<Store>> open_on(const StoreOptions& options, io::WorkerPool& workers, Ground ground) {
  auto store = std::make_unique<StoreOnDisk>(options, workers, std::move(ground));
  if (auto opened = store->open(); !opened) return opened.error();
  return std::unique_ptr<Store>(std::move(store));
}

Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options, io::WorkerPool& workers) {
  return open_on(options, workers, Ground());
}

}  // namespace postern::store
