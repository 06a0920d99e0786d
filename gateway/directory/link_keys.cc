// The keys behind links that act: made by ourselves, kept in the store, replaced in time.
#include "gateway/directory/link_keys.h"

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/io/loop.h"

namespace postern::directory {
namespace {

using namespace std::chrono_literals;

constexpr const char* kRow = "link:keys";
constexpr std::size_t kSecret = 32;
constexpr auto kNewEvery = 30 * 24h;

}  // namespace

// A line for each key, the newest first: number, unix time, hexadecimal digits.
std::string LinkKeys::encode(const std::vector<Key>& keys) {
  std::string out;
  for (const auto& key : keys) out += std::to_string(key.number) + " " + std::to_string(to_unix(key.made)) + " " + hex(key.secret) + "\n";
  return out;
}

std::vector<LinkKeys::Key> LinkKeys::decode(std::string_view text) {
  std::vector<Key> out;
  for (auto line : split(text, '\n')) {
    auto parts = words(line);
    if (parts.size() != 3) continue;
    auto number = parse_number(parts[0]);
    auto made = parse_number(parts[1]);
    auto secret = from_hex(parts[2]);
    constexpr std::uint64_t kLatest = 1ULL << 40;   // what a Time can hold
    bool sound = number && *number < 256 && made && *made < kLatest && secret && secret->size() == kSecret;
    if (sound) out.push_back({static_cast<std::uint8_t>(*number), from_unix(static_cast<std::int64_t>(*made)), std::move(*secret)});
  }
  return out;
}

void LinkKeys::use(const std::vector<Key>& keys) {
  std::vector<LinkTokens::Key> all;
  for (const auto& key : keys) all.push_back({key.number, key.secret});
  auto tokens = std::make_shared<const LinkTokens>(std::move(all));
  std::lock_guard lock(mutex_);
  tokens_ = std::move(tokens);
}

std::shared_ptr<const LinkTokens> LinkKeys::current() const {
  std::lock_guard lock(mutex_);
  return tokens_;
}

io::Task<Status> LinkKeys::prepare(store::Store& store) {
  auto row = co_await store.get(kRow);
  if (!row) co_return Status(Error("the keys of links cannot be read: " + row.error().text));
  auto keys = *row ? decode(**row) : std::vector<Key>();
  if (*row && keys.empty()) log::error("link.keys", {{"what", "the row link:keys is damaged: links that were sent before are refused"}});
  if (!keys.empty()) use(keys);
  auto now = clock_.now();
  // One from the future was made by a clock that has been put back.
  if (!keys.empty() && now - keys.front().made < kNewEvery) co_return Status();
  // A key makes tokens until its successor is there, and those are good for kLongest at most.
  while (keys.size() > 1 && now - keys[keys.size() - 2].made > kLongest) keys.pop_back();
  auto number = static_cast<std::uint8_t>(keys.empty() ? 0 : keys.front().number + 1);
  keys.insert(keys.begin(), Key{number, now, random_octets(kSecret)});
  std::vector<store::Row> rows(1);
  rows[0].key = kRow;
  rows[0].value = encode(keys);
  auto written = co_await store.write(std::move(rows));
  if (written.ok()) {
    use(keys);
    log::info("link.new_key");
    co_return Status();
  }
  if (current()) {
    log::warning("link.keys", {{"what", "a new key cannot be written: " + written.text}});
    co_return Status();
  }
  co_return Status(Error("the first key of links cannot be written: " + written.text));
}

io::Task<void> LinkKeys::keep(store::Store& store) {
  for (;;) {
    co_await io::sleep_until(in(1h));
    auto prepared = co_await prepare(store);
    if (!prepared) log::error("link.keys", {{"what", prepared.error().text}});
  }
}

}  // namespace postern::directory
