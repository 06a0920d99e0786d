// DKIM keys between the store and those who sign.
#include "gateway/signing/key_ring.h"

#include <algorithm>

#include "gateway/base/log.h"

namespace postern::signing {
namespace {

constexpr std::size_t kPage = 500;

bool before(const Key& a, const Key& b) { return std::pair(a.domain, a.selector) < std::pair(b.domain, b.selector); }
bool same(const Key& a, const Key& b) { return a.domain == b.domain && a.selector == b.selector; }

}  // namespace

io::Task<Status> KeyRing::load(store::Store& store) {
  Keys found;
  std::string from;
  for (bool more = true; more;) {
    auto rows = co_await store.scan(std::string(kKeyRows), from, kPage);
    if (!rows) co_return Status(Error("the DKIM keys cannot be read: " + rows.error().text));
    for (const auto& row : *rows) {
      from = row.key + '\0';
      auto key = decode_key(row.key, row.value.value_or(""));
      if (key) found.push_back(std::move(*key));
      else log::error("dkim.key", {{"what", key.error().text}});
    }
    more = rows->size() == kPage;
  }
  publish(std::move(found));
  co_return Status();
}

std::shared_ptr<const Keys> KeyRing::keys() const {
  std::lock_guard lock(mutex_);
  return keys_;
}

void KeyRing::publish(Keys keys) {
  std::sort(keys.begin(), keys.end(), before);
  auto made = std::make_shared<const Keys>(std::move(keys));
  std::lock_guard lock(mutex_);
  keys_ = std::move(made);
}

io::Task<Status> KeyRing::change(store::Store& store, Keys put, Keys erase, std::vector<store::Item> mail) {
  store::Delivery delivery;
  delivery.items = std::move(mail);
  auto& rows = delivery.rows;
  for (const auto& key : put) rows.push_back({row_name(key), encode(key)});
  for (const auto& key : erase) rows.push_back({row_name(key), std::nullopt});
  auto written = co_await store.deliver(std::move(delivery));
  if (!written.ok()) co_return Status(Error("the DKIM keys could not be stored: " + written.text));
  Keys now = *keys();
  auto gone = [&](const Key& key) {
    auto named = [&](const Key& other) { return same(key, other); };
    return std::any_of(put.begin(), put.end(), named) || std::any_of(erase.begin(), erase.end(), named);
  };
  std::erase_if(now, gone);
  for (auto& key : put) now.push_back(std::move(key));
  publish(std::move(now));
  co_return Status();
}

const Key* find(const Keys& keys, std::string_view domain, std::string_view selector) {
  for (const auto& key : keys) {
    if (key.domain == domain && key.selector == selector) return &key;
  }
  return nullptr;
}

}  // namespace postern::signing
