// The keys behind rewritten senders: made by ourselves, kept in the store, replaced in time.
#include "gateway/directory/srs_keys.h"

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"

namespace postern::directory {
namespace {

using namespace std::chrono_literals;

constexpr const char* kRow = "srs:keys";
constexpr std::size_t kSecret = 32;
constexpr auto kNewEvery = 90 * 24h;

}  // namespace

// A line for each key, the newest first: unix time, a space, hexadecimal digits.
std::string SrsKeys::encode(const std::vector<Key>& keys) {
  std::string out;
  for (const auto& key : keys) out += std::to_string(to_unix(key.made)) + " " + hex(key.secret) + "\n";
  return out;
}

std::vector<SrsKeys::Key> SrsKeys::decode(std::string_view text) {
  std::vector<Key> out;
  for (auto line : split(text, '\n')) {
    auto parts = words(line);
    if (parts.size() != 2) continue;
    auto made = parse_number(parts[0]);
    auto secret = from_hex(parts[1]);
    constexpr std::uint64_t kLatest = 1ULL << 40;   // what a Time can hold
    if (made && *made < kLatest && secret && secret->size() == kSecret) out.push_back({from_unix(static_cast<std::int64_t>(*made)), std::move(*secret)});
  }
  return out;
}

void SrsKeys::use(const std::vector<Key>& keys) {
  std::vector<std::string> secrets;
  for (const auto& key : keys) secrets.push_back(key.secret);
  auto srs = std::make_shared<const Srs>(std::move(secrets));
  std::lock_guard lock(mutex_);
  srs_ = std::move(srs);
}

std::shared_ptr<const Srs> SrsKeys::current() const {
  std::lock_guard lock(mutex_);
  return srs_;
}

io::Task<Status> SrsKeys::prepare(store::Store& store) {
  auto row = co_await store.get(kRow);
  if (!row) co_return Status(Error("the keys of rewritten senders cannot be read: " + row.error().text));
  auto keys = *row ? decode(**row) : std::vector<Key>();
  if (*row && keys.empty()) log::error("srs.keys", {{"what", "the row srs:keys is damaged: bounces to what was sent on before are refused"}});
  if (!keys.empty()) use(keys);
  auto now = clock_.now();
  // One from the future was made by a clock that has been put back.
  if (!keys.empty() && now - keys.front().made < kNewEvery) co_return Status();
  if (keys.size() > 1) keys.resize(1);   // of the one before that nothing is good any more
  keys.insert(keys.begin(), Key{now, random_octets(kSecret)});
  std::vector<store::Row> rows(1);
  rows[0].key = kRow;
  rows[0].value = encode(keys);
  auto written = co_await store.write(std::move(rows));
  if (written.ok()) {
    use(keys);
    log::info("srs.new_key");
    co_return Status();
  }
  if (current()) {
    log::warning("srs.keys", {{"what", "a new key cannot be written: " + written.text}});
    co_return Status();
  }
  co_return Status(Error("the first key of rewritten senders cannot be written: " + written.text));
}

}  // namespace postern::directory
