#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/io/task.h"
#include "gateway/io/worker_pool.h"
#include "gateway/store/body_store.h"
#include "gateway/store/catalog.h"
#include "gateway/store/gate.h"
#include "gateway/store/notify.h"
#include "gateway/store/rows_access.h"
#include "gateway/store/store.h"

namespace postern::store {

// The reads of the store.  Each is tried at once with what is in memory and goes to a worker only
// if the disk is needed.
class Reader {
 public:
  Reader(RowsAccess& rows, BodyStore& bodies, const Catalog& catalog, Watches& watches, io::WorkerPool& workers, Gate& gate)
      : rows_(rows), bodies_(bodies), catalog_(catalog), watches_(watches), workers_(workers), gate_(gate) {}

  io::Task<Result<std::unique_ptr<MailboxWatch>>> watch(MailboxId mailbox);
  io::Task<Result<std::vector<MessageRow>>> messages(MailboxId mailbox, Uid first, Uid last, std::size_t limit);
  io::Task<Result<std::string>> read(BodyId body, std::string header_prefix, std::uint64_t offset, std::uint64_t length);
  io::Task<Result<Octets>> record(BodyId body, std::uint64_t octets);
  io::Task<Result<std::vector<QueueEntry>>> queue(QueueId from, std::size_t limit);
  io::Task<Result<std::optional<QueueEntry>>> queue_entry(QueueId id);
  io::Task<Result<std::vector<Row>>> scan(std::string from, std::string to, std::size_t limit);
  io::Task<Result<std::optional<std::string>>> get(std::string key);
  io::Task<Result<std::vector<std::optional<std::string>>>> get_all(std::vector<std::string> keys);

 private:
  io::Task<Result<BodyStore::Read>> read_record(BodyId body, std::uint64_t offset, std::uint64_t length);

  RowsAccess& rows_;
  BodyStore& bodies_;
  const Catalog& catalog_;
  Watches& watches_;
  io::WorkerPool& workers_;
  Gate& gate_;
};

}  // namespace postern::store
