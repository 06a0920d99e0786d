// The keys behind rewritten senders.
#include "gateway/directory/srs_keys.h"

namespace postern::directory {
namespace {

using namespace std::chrono_literals;

constexpr auto kNewEvery = 90 * 24h;
constexpr RotatingKeys::Kind kKind{"srs:keys", "srs", "the keys of rewritten senders", "bounces to what was sent on before are refused", kNewEvery, kNewEvery - 24h};

}  // namespace

SrsKeys::SrsKeys(const Clock& clock) : keys_(kKind, clock) {}

void SrsKeys::use(const std::vector<RotatingKey>& keys) {
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
  return keys_.prepare(store, [this](const std::vector<RotatingKey>& keys) { use(keys); });
}

}  // namespace postern::directory
