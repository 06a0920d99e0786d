// Keys of our own, replaced in time: behind links that act, and behind rewritten senders.
#include "gateway/directory/rotating_keys.h"

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/io/loop.h"

namespace postern::directory {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSecret = 32;

// A line for each key, the newest first: number, unix time, hexadecimal digits.
std::string encode(const std::vector<RotatingKey>& keys) {
  std::string out;
  for (const auto& key : keys) out += std::to_string(key.number) + " " + std::to_string(to_unix(key.made)) + " " + hex(key.secret) + "\n";
  return out;
}

std::vector<RotatingKey> decode(std::string_view text) {
  std::vector<RotatingKey> out;
  for (auto line : split(text, '\n')) {
    auto parts = words(line);
    if (parts.size() == 2) parts.insert(parts.begin(), "0");   // as senders' keys were written once
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

}  // namespace

io::Task<Status> RotatingKeys::prepare(store::Store& store, Use use) {
  const std::string what(kind_.what);
  const auto event = std::string(kind_.name) + ".keys";
  auto row = co_await store.get(std::string(kind_.row));
  if (!row) co_return Status(Error(what + " cannot be read: " + row.error().text));
  auto keys = *row ? decode(**row) : std::vector<RotatingKey>();
  if (*row && keys.empty()) log::error(event, {{"what", "the row " + std::string(kind_.row) + " is damaged: " + std::string(kind_.when_damaged)}});
  bool first = keys.empty();
  if (!first) use(keys);
  auto now = clock_.now();
  // One from the future was made by a clock that has been put back.
  if (!first && now - keys.front().made < kind_.new_every) co_return Status();
  // A key is used until its successor is there, and what it made then is good for so long.
  while (keys.size() > 1 && now - keys[keys.size() - 2].made > kind_.good_for) keys.pop_back();
  auto number = static_cast<std::uint8_t>(first ? 0 : keys.front().number + 1);
  keys.insert(keys.begin(), RotatingKey{number, now, random_octets(kSecret)});
  std::vector<store::Row> rows(1);
  rows[0].key = kind_.row;
  rows[0].value = encode(keys);
  auto written = co_await store.write(std::move(rows));
  if (written.ok()) {
    use(keys);
    log::info(std::string(kind_.name) + ".new_key");
    co_return Status();
  }
  if (first) co_return Status(Error("the first of " + what + " cannot be written: " + written.text));
  log::warning(event, {{"what", "a new key cannot be written: " + written.text}});
  co_return Status();
}

io::Task<void> RotatingKeys::keep(store::Store& store, Use use) {
  for (;;) {
    co_await io::sleep_until(in(1h));
    auto prepared = co_await prepare(store, use);
    if (!prepared) log::error(std::string(kind_.name) + ".keys", {{"what", prepared.error().text}});
  }
}

}  // namespace postern::directory
