#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "filters/facts.h"
#include "filters/header_signs.h"
#include "filters/memo.h"
#include "filters/message_signs.h"
#include "gateway/base/bytes.h"
#include "gateway/io/worker_pool.h"
#include "gateway/mail/mime.h"

namespace postern::filters {

// Messages up to this size are taken apart on the loop: sooner done than handed to a worker.
constexpr std::size_t kSmallMessage = 64 * 1024;

// Text, links and attachments.  Any thread; what it costs is bounded by the message's length, what it decodes by
// some MiB.
Content content_of(std::string_view message, const mail::PartTable& table);
// The signs of that message and content.
MessageSigns signs_of(std::string_view message, const mail::PartTable& table, const HeaderContext& context, const Content& content);

// The parts of one message, found once for all who ask, on one loop.
class Parts {
 public:
  // `workers` nullptr: large messages are taken apart on the loop, too.
  Parts(Octets octets, io::WorkerPool* workers);

  bool on_worker() const { return workers_ != nullptr && octets_.size() > kSmallMessage; }
  // Not for messages that are to be taken apart on a worker.
  const mail::PartTable& now();
  // `this` must outlive the task and the table.
  io::Task<const mail::PartTable*> get();

 private:
  Octets octets_;
  io::WorkerPool* workers_;
  std::optional<mail::PartTable> table_;
  Memo<std::optional<mail::PartTable>> large_;
};

// Content of a large message.  `workers` outlives the task.
io::Task<Content> decode_on_worker(Octets octets, std::shared_ptr<Parts> parts, io::WorkerPool& workers);
// Its signs; nothing where it could not be decoded.
io::Task<std::optional<MessageSigns>> signs_on_worker(Octets octets, std::shared_ptr<Parts> parts, std::shared_ptr<Memo<Content>> content,
                                                      HeaderContext context, io::WorkerPool& workers);

}  // namespace postern::filters
