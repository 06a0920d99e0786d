// Reads: memory first, then a worker.
#include "gateway/store/reader.h"

#include <algorithm>

#include "gateway/base/log.h"

namespace postern::store {
namespace {

using Reach = KvReader::Reach;

// Nothing: there is no answer with what is in memory.
template <class T>
using Tried = std::optional<Result<T>>;

Error failure(const std::string& what) {
  log::error("store.read", {{"what", what}});
  return Error(what);
}

// The answer of a read that found the rows closed, or locked for a reopening.
template <class T>
Tried<T> closed(Reach reach) {
  return reach == Reach::memory ? Tried<T>() : Tried<T>(Error("the store is being opened anew"));
}

Tried<std::vector<MessageRow>> read_messages(const RowsAccess::Reading& rows, MailboxId mailbox, Uid first, Uid last, std::size_t limit, Reach reach) {
  if (!rows) return closed<std::vector<MessageRow>>(reach);
  std::vector<MessageRow> found;
  const auto end = index_key(mailbox, last) + '\0';
  auto state_row = rows.kv->get(std::vector<std::string>{mailbox_key(mailbox)}, reach);
  auto indexes = state_row.ok() ? rows.kv->scan(index_key(mailbox, first), end, limit, reach) : KvAnswer<std::vector<KvRow>>();
  auto messages = indexes.ok() ? rows.kv->scan(message_key(mailbox, first), message_key(mailbox, last) + '\0', limit, reach)
                               : KvAnswer<std::vector<KvRow>>();
  if (!state_row.ok() || !indexes.ok() || !messages.ok()) {
    if (reach == Reach::memory) return {};
    return failure(state_row.error + indexes.error + messages.error);
  }
  if (!state_row.value[0]) return found;
  auto state = decode_mailbox(*state_row.value[0]);
  if (!state) return failure("the row of mailbox " + std::to_string(mailbox) + " is damaged");
  std::size_t next = 0;
  for (const auto& row : indexes.value) {
    auto uid = static_cast<Uid>(second_number(row.key, 4));
    // Both scans see nearly the same moment; a row that only one of them saw is being expunged or born.
    while (next < messages.value.size() && second_number(messages.value[next].key, 4) < uid) ++next;
    if (next == messages.value.size() || second_number(messages.value[next].key, 4) != uid) continue;
    auto index = decode_index(uid, row.value);
    auto stored = decode_message(messages.value[next].value);
    if (!index || !stored) return failure("message " + std::to_string(uid) + " of mailbox " + std::to_string(mailbox) + " has a damaged row");
    found.push_back(joined(mailbox, std::move(*index), std::move(*stored), state->keywords));
  }
  return found;
}

Tried<BodyStore::Read> read_body(const RowsAccess::Reading& rows, BodyStore& bodies, BodyId body, std::uint64_t offset, std::uint64_t length, Reach reach) {
  bool memory = reach == Reach::memory;
  if (!rows) return closed<BodyStore::Read>(reach);
  // A record that moved to another segment meanwhile is found by its new row.
  for (int attempt = 0; attempt < 3; ++attempt) {
    auto value = rows.kv->get(std::vector<std::string>{body_key(body)}, reach);
    if (!value.ok() && memory) return {};
    if (!value.ok()) return Error(value.error);
    auto row = value.value[0] ? decode_body(*value.value[0]) : std::nullopt;
    if (!row) return Error("body " + std::to_string(body) + " is not there: expunged, or its row is damaged");
    auto got = bodies.read(body, row->place, offset, length, memory ? Wait::never : Wait::disk);
    switch (got.state) {
      case BodyStore::Read::State::ok: return got;
      case BodyStore::Read::State::would_block:
        if (memory) return {};
        break;
      case BodyStore::Read::State::gone: break;
      case BodyStore::Read::State::damaged:
        log::error("store.damaged", {{"what", got.problem}});
        return Error(got.problem);
    }
  }
  return Error("body " + std::to_string(body) + ": its segment is missing");
}

Tried<std::vector<Row>> read_rows(const RowsAccess::Reading& rows, const std::string& from, const std::string& to, std::size_t limit, Reach reach) {
  if (!rows) return closed<std::vector<Row>>(reach);
  auto found = rows.kv->scan(from, to, limit, reach);
  if (!found.ok() && reach == Reach::memory) return {};
  if (!found.ok()) return failure(found.error);
  std::vector<Row> out;
  for (auto& row : found.value) out.push_back({row.key.substr(1), std::move(row.value)});
  return out;
}

Error damaged_entry(QueueId id) { return failure("queue entry " + std::to_string(id) + " has a damaged row"); }

// Until there are `limit` entries or no more rows: a page cut short by damaged ones would look like the last.
Result<std::vector<QueueEntry>> read_queue(const RowsAccess::Reading& rows, QueueId first, std::size_t limit) {
  if (!rows) return *closed<std::vector<QueueEntry>>(Reach::disk);
  std::vector<QueueEntry> entries;
  auto from = queue_key(first);
  const auto end = behind("q");
  while (entries.size() < limit) {
    auto wanted = limit - entries.size();
    auto page = rows.kv->scan(from, end, wanted, Reach::disk);
    if (!page.ok()) return failure(page.error);
    for (const auto& row : page.value) {
      auto entry = decode_queue(first_number(row.key), row.value);
      if (entry) entries.push_back(std::move(*entry));
      else damaged_entry(first_number(row.key));
    }
    if (page.value.size() < wanted) break;
    from = page.value.back().key + '\0';
  }
  return entries;
}

Tried<std::optional<QueueEntry>> read_entry(const RowsAccess::Reading& rows, QueueId id, Reach reach) {
  using Answer = Result<std::optional<QueueEntry>>;
  if (!rows) return closed<std::optional<QueueEntry>>(reach);
  auto found = rows.kv->get(std::vector<std::string>{queue_key(id)}, reach);
  if (!found.ok() && reach == Reach::memory) return {};
  if (!found.ok()) return failure(found.error);
  if (!found.value[0]) return Answer(std::optional<QueueEntry>());
  auto entry = decode_queue(id, *found.value[0]);
  if (!entry) return damaged_entry(id);
  return Answer(std::move(entry));
}

Tried<std::optional<std::string>> read_row(const RowsAccess::Reading& rows, const std::string& key, Reach reach) {
  if (!rows) return closed<std::optional<std::string>>(reach);
  auto found = rows.kv->get(std::vector<std::string>{key}, reach);
  if (found.ok()) return Result<std::optional<std::string>>(std::move(found.value[0]));
  if (reach == Reach::memory) return {};
  return failure(found.error);
}

Tried<std::vector<std::optional<std::string>>> read_all(const RowsAccess::Reading& rows, const std::vector<std::string>& keys, Reach reach) {
  using Values = std::vector<std::optional<std::string>>;
  if (!rows) return closed<Values>(reach);
  auto found = rows.kv->get(keys, reach);
  if (found.ok()) return Result<Values>(std::move(found.value));
  if (reach == Reach::memory) return {};
  return failure(found.error);
}

// The rest of a prefix+record range behind what the prefix gives.
struct Range {
  std::string head;            // from the prefix
  std::uint64_t offset = 0;    // into the record
  std::uint64_t length = 0;
};
Range cut(const std::string& prefix, std::uint64_t offset, std::uint64_t length) {
  Range range;
  range.length = length;
  if (offset < prefix.size()) {
    range.head = prefix.substr(offset, length);
    range.length -= range.head.size();
  } else {
    range.offset = offset - prefix.size();
  }
  return range;
}

}  // namespace

io::Task<Result<std::unique_ptr<MailboxWatch>>> Reader::watch(MailboxId mailbox) {
  auto& loop = io::Loop::current();
  auto made = watches_.watch_loaded(mailbox, loop);
  if (made || !catalog_.mailbox(mailbox)) co_return std::move(made);
  auto job = [this, mailbox, pass = gate_.enter(), &loop]() -> Result<std::unique_ptr<MailboxWatch>> {
    auto rows = rows_.read();
    if (!rows) return Error("the store is being opened anew");
    auto watch = watches_.watch(mailbox, *rows.kv, loop);
    if (!watch) return failure(watch.error().text);
    return watch;
  };
  auto watch = co_await workers_.run(std::move(job));
  co_return watch;
}

io::Task<Result<std::vector<MessageRow>>> Reader::messages(MailboxId mailbox, Uid first, Uid last, std::size_t limit) {
  if (first > last || limit == 0) co_return std::vector<MessageRow>();
  auto tried = read_messages(rows_.try_read(), mailbox, first, last, limit, Reach::memory);
  if (tried) co_return std::move(*tried);
  auto job = [this, mailbox, first, last, limit, pass = gate_.enter()] {
    return *read_messages(rows_.read(), mailbox, first, last, limit, Reach::disk);
  };
  auto found = co_await workers_.run(std::move(job));
  co_return found;
}

io::Task<Result<std::string>> Reader::read(BodyId body, std::string header_prefix, std::uint64_t offset, std::uint64_t length) {
  auto range = cut(header_prefix, offset, length);
  if (range.length == 0) co_return Result<std::string>(std::move(range.head));
  auto got = co_await read_record(body, range.offset, range.length);
  if (!got) co_return Result<std::string>(got.error());
  auto text = std::move(*got).text();
  if (range.head.empty()) co_return Result<std::string>(std::move(text));
  range.head += text;
  co_return Result<std::string>(std::move(range.head));
}

io::Task<Result<Octets>> Reader::record(BodyId body, std::uint64_t octets) {
  auto got = co_await read_record(body, 0, octets);
  if (!got) co_return Result<Octets>(got.error());
  co_return Result<Octets>(std::move(*got).shared());
}

io::Task<Result<BodyStore::Read>> Reader::read_record(BodyId body, std::uint64_t offset, std::uint64_t length) {
  auto tried = read_body(rows_.try_read(), bodies_, body, offset, length, Reach::memory);
  if (!tried) {
    auto job = [this, body, offset, length, pass = gate_.enter()] {
      return *read_body(rows_.read(), bodies_, body, offset, length, Reach::disk);
    };
    tried = co_await workers_.run(std::move(job));
  }
  co_return std::move(*tried);
}

io::Task<Result<std::vector<QueueEntry>>> Reader::queue(QueueId from, std::size_t limit) {
  auto job = [this, from, limit, pass = gate_.enter()] { return read_queue(rows_.read(), from, limit); };
  auto entries = co_await workers_.run(std::move(job));
  co_return entries;
}

io::Task<Result<std::optional<QueueEntry>>> Reader::queue_entry(QueueId id) {
  auto tried = read_entry(rows_.try_read(), id, Reach::memory);
  if (!tried) {
    auto job = [this, id, pass = gate_.enter()] { return *read_entry(rows_.read(), id, Reach::disk); };
    tried = co_await workers_.run(std::move(job));
  }
  co_return std::move(*tried);
}

io::Task<Result<std::vector<Row>>> Reader::scan(std::string from, std::string to, std::size_t limit) {
  auto tried = read_rows(rows_.try_read(), from, to, limit, Reach::memory);
  if (tried) co_return std::move(*tried);
  auto job = [this, from, to, limit, pass = gate_.enter()] { return *read_rows(rows_.read(), from, to, limit, Reach::disk); };
  auto found = co_await workers_.run(std::move(job));
  co_return found;
}

io::Task<Result<std::optional<std::string>>> Reader::get(std::string key) {
  auto tried = read_row(rows_.try_read(), key, Reach::memory);
  if (!tried) {
    auto job = [this, key, pass = gate_.enter()] { return *read_row(rows_.read(), key, Reach::disk); };
    tried = co_await workers_.run(std::move(job));
  }
  co_return std::move(*tried);
}

io::Task<Result<std::vector<std::optional<std::string>>>> Reader::get_all(std::vector<std::string> keys) {
  auto tried = read_all(rows_.try_read(), keys, Reach::memory);
  if (!tried) {
    auto job = [this, keys, pass = gate_.enter()] { return *read_all(rows_.read(), keys, Reach::disk); };
    tried = co_await workers_.run(std::move(job));
  }
  co_return std::move(*tried);
}

}  // namespace postern::store
