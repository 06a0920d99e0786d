// The keys behind links that act.
#include "gateway/directory/link_keys.h"

namespace postern::directory {
namespace {

using namespace std::chrono_literals;

constexpr RotatingKeys::Kind kKind{"link:keys", "link", "the keys of links", "links that were sent before are refused", 30 * 24h, LinkKeys::kLongest};

}  // namespace

LinkKeys::LinkKeys(const Clock& clock) : keys_(kKind, clock) {}

void LinkKeys::use(const std::vector<RotatingKey>& keys) {
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
  return keys_.prepare(store, [this](const std::vector<RotatingKey>& keys) { use(keys); });
}

io::Task<void> LinkKeys::keep(store::Store& store) {
  return keys_.keep(store, [this](const std::vector<RotatingKey>& keys) { use(keys); });
}

}  // namespace postern::directory
