// Which recipients the hosts behind us know: two bounded tables, and rows for the yes.
#include "gateway/delivery/recipient_memory.h"

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/delivery/recipient_answer.h"
#include "gateway/io/loop.h"

namespace postern::delivery {
namespace {

using namespace std::chrono_literals;

constexpr auto kFresh = 24h;
constexpr auto kYesHolds = 31 * 24h;
constexpr auto kNoHolds = 10min;
constexpr auto kSaveEvery = 5s;
constexpr std::size_t kRowsAWrite = 500;
constexpr std::size_t kRowsAPage = 5'000;
constexpr std::string_view kPrefix = "known:";

// An answer from the future comes from a clock that was put back: its age is not known.
bool is_within(Time said, Time now, Time::duration wait) { return said <= now && now - said < wait; }

}  // namespace

RecipientMemory::Recalled RecipientMemory::recall(std::string_view route, std::string_view address) {
  Recalled out;
  std::lock_guard lock(mutex_);
  auto now = clock_.now();
  if (const No* no = no_.find(address); no != nullptr && no->route == route && is_within(no->said, now, kNoHolds)) {
    out.kind = Recalled::Kind::unknown;
    out.words = no->words;
    return out;
  }
  const Yes* yes = yes_.find(address);
  if (yes == nullptr || yes->route != route) return out;
  if (now - yes->said >= kYesHolds) {
    forget_yes(std::string(address));
    return out;
  }
  out.kind = is_within(yes->said, now, kFresh) ? Recalled::Kind::known : Recalled::Kind::stale;
  return out;
}

void RecipientMemory::note_known(const std::string& route, const std::string& address) {
  std::lock_guard lock(mutex_);
  no_.erase(address);
  Yes yes;
  yes.route = route;
  yes.said = clock_.now();
  if (const Yes* old = yes_.peek(address); old != nullptr && old->route == route) yes.written = old->written;
  if (!is_within(yes.written, yes.said, kFresh)) mark(address);
  auto gone = yes_.put(address, std::move(yes));
  if (gone) mark(*gone);   // or guessed addresses at a host that takes all would fill the store
}

void RecipientMemory::note_unknown(const std::string& route, const std::string& address, std::string_view words) {
  std::lock_guard lock(mutex_);
  forget_yes(address);
  No no;
  no.route = route;
  no.said = clock_.now();
  no.words = words.substr(0, kMaxRecipientWords);
  no_.put(address, std::move(no));
}

// When the store takes nothing for long, the rest is left as it is: load() looks at each row's time.
void RecipientMemory::mark(const std::string& address) {
  if (unsaved_.size() < 2 * most_) unsaved_.insert(address);
}

void RecipientMemory::forget_yes(const std::string& address) {
  if (yes_.erase(address)) mark(address);
}

// Whom nobody wanted for 31 days stands at the end, and was not asked of the host since either.
void RecipientMemory::forget_old(Time now) {
  for (std::size_t i = 0; i < kRowsAWrite; ++i) {
    const auto* oldest = yes_.oldest();
    if (oldest == nullptr || now - oldest->second.said < kYesHolds) return;
    forget_yes(std::string(oldest->first));
  }
}

void RecipientMemory::take_row(const store::Row& row, Time now) {
  std::string address = row.key.substr(kPrefix.size());
  if (yes_.peek(address) != nullptr) return;   // heard since the start: newer
  std::string_view value = *row.value;
  auto space = value.find(' ');
  auto seconds = parse_number(value.substr(0, space));
  constexpr std::uint64_t kLatest = 1ULL << 40;   // what a Time can hold
  bool readable = seconds && *seconds < kLatest && space != std::string_view::npos;
  Yes yes;
  if (readable) yes.said = from_unix(static_cast<std::int64_t>(*seconds));
  if (!readable || now - yes.said >= kYesHolds) {
    mark(address);
    return;
  }
  yes.written = yes.said;
  yes.route = value.substr(space + 1);
  auto gone = yes_.put(address, std::move(yes));
  if (gone) mark(*gone);
}

std::vector<store::Row> RecipientMemory::take_unsaved() {
  std::vector<store::Row> rows;
  std::lock_guard lock(mutex_);
  forget_old(clock_.now());
  while (!unsaved_.empty() && rows.size() < kRowsAWrite) {
    auto address = std::move(unsaved_.extract(unsaved_.begin()).value());
    auto& row = rows.emplace_back();
    row.key = std::string(kPrefix) + address;
    Yes* yes = yes_.peek(address);
    if (yes == nullptr) continue;   // without a value: erased
    yes->written = yes->said;
    row.value = std::to_string(to_unix(yes->said)) + ' ' + yes->route;
  }
  return rows;
}

bool RecipientMemory::note_written(const store::Change& written, const std::vector<std::string>& addresses) {
  std::lock_guard lock(mutex_);
  bool was_failing = std::exchange(failing_, !written.ok());
  if (written.ok()) return true;
  for (const auto& address : addresses) mark(address);
  // A full disk stays so for hours, and a save comes every few seconds.
  if (!was_failing) log::warning("recipients.unsaved", {{"what", written.text}});
  return false;
}

io::Task<Status> RecipientMemory::load(store::Store& store) {
  std::string prefix(kPrefix);
  std::string from = prefix;
  for (;;) {
    auto rows = co_await store.scan(prefix, from, kRowsAPage);
    if (!rows) co_return rows.error();
    {
      std::lock_guard lock(mutex_);
      auto now = clock_.now();
      for (const auto& row : *rows) take_row(row, now);
    }
    if (rows->size() < kRowsAPage) co_return Status();
    from = rows->back().key + '\0';
  }
}

io::Task<void> RecipientMemory::save(store::Store& store) {
  for (;;) {
    auto rows = take_unsaved();
    if (rows.empty()) co_return;
    std::vector<std::string> addresses;
    for (const auto& row : rows) addresses.push_back(row.key.substr(kPrefix.size()));
    auto written = co_await store.write(std::move(rows));
    bool done = note_written(written, addresses);
    if (!done) co_return;
  }
}

io::Task<void> RecipientMemory::keep(store::Store& store) {
  for (;;) {
    co_await io::sleep_until(in(kSaveEvery));
    co_await save(store);
  }
}

}  // namespace postern::delivery
