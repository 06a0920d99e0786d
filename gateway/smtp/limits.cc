// Connection limits: how many at once, how many a minute.
#include "gateway/smtp/limits.h"

namespace postern::smtp {
namespace {

constexpr std::size_t kMaxRemembered = 100'000;

// Makes room by dropping about a half; which half does not matter, a flood of addresses is what fills it.
template <class Map>
void bound(Map& map) {
  if (map.size() < kMaxRemembered) return;
  bool drop = false;
  for (auto it = map.begin(); it != map.end();) {
    drop = !drop;
    it = drop ? map.erase(it) : std::next(it);
  }
}

template <class Map>
void decrease(Map& map, const IpAddress& key) {
  auto found = map.find(key);
  if (found != map.end() && --found->second == 0) map.erase(found);
}

}  // namespace

bool ConnectionLimits::over_rate(const IpAddress& address, std::chrono::steady_clock::time_point now) {
  if (settings_.connections_in_window == 0) return false;
  bound(rates_);
  auto& rate = rates_[address];
  auto age = now - rate.window_start;
  if (age >= settings_.window) {
    rate.previous = age < 2 * settings_.window ? rate.count : 0;
    rate.count = 0;
    rate.window_start = now;
    age = {};
  }
  ++rate.count;
  // Sliding: what is left of the window before counts by its share.
  double share = 1.0 - std::chrono::duration<double>(age) / std::chrono::duration<double>(settings_.window);
  return static_cast<double>(rate.count) + share * static_cast<double>(rate.previous) >
         static_cast<double>(settings_.connections_in_window);
}

ConnectionLimits::Place ConnectionLimits::enter(const IpAddress& client, std::string& why) {
  auto address = counted_address(client);
  auto network = counted_network(client);
  std::lock_guard lock(mutex_);
  auto now_open = [](const auto& map, const IpAddress& key) {
    auto found = map.find(key);
    return found == map.end() ? 0 : found->second;
  };
  if (settings_.connections_per_address != 0 && now_open(addresses_, address) >= settings_.connections_per_address) {
    why = "Too many connections from " + address.to_string();
    return {};
  }
  if (settings_.connections_per_network != 0 && now_open(networks_, network.base()) >= settings_.connections_per_network) {
    why = "Too many connections from " + network.to_string();
    return {};
  }
  if (over_rate(address, std::chrono::steady_clock::now())) {
    why = "Connecting too often from " + address.to_string();
    return {};
  }
  ++addresses_[address];
  ++networks_[network.base()];
  return Place(this, client);
}

void ConnectionLimits::leave(const IpAddress& client) {
  std::lock_guard lock(mutex_);
  decrease(addresses_, counted_address(client));
  decrease(networks_, counted_network(client).base());
}

bool ConnectionLimits::is_patient(const IpAddress& client) {
  std::lock_guard lock(mutex_);
  auto found = patient_.find(counted_address(client));
  return found != patient_.end() && std::chrono::steady_clock::now() - found->second < std::chrono::hours(24);
}

void ConnectionLimits::remember_patient(const IpAddress& client) {
  std::lock_guard lock(mutex_);
  bound(patient_);
  patient_[counted_address(client)] = std::chrono::steady_clock::now();
}

void ConnectionLimits::set(LimitSettings settings) {
  std::lock_guard lock(mutex_);
  settings_ = settings;
}

}  // namespace postern::smtp
