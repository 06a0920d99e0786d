// Limits by address and network: connections at once, and how often.
#include "gateway/smtp/limits.h"

#include <algorithm>

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

void Rates::add(const IpAddress& key, const RateLimit& limit, Instant now) {
  if (limit.count == 0) return;
  bound(rates_);
  auto& rate = rates_[key];
  auto age = now - rate.window_start;
  if (age >= limit.window) {
    rate.previous = age < 2 * limit.window ? rate.count : 0;
    rate.count = 0;
    rate.window_start = now;
  }
  ++rate.count;
}

bool Rates::over(const IpAddress& key, const RateLimit& limit, Instant now) const {
  auto found = limit.count == 0 ? rates_.end() : rates_.find(key);
  if (found == rates_.end()) return false;
  const auto& rate = found->second;
  // Sliding: what is left of the window before counts by its share.
  double age = std::chrono::duration<double>(now - rate.window_start) / std::chrono::duration<double>(limit.window);
  double lately = age < 1 ? static_cast<double>(rate.count) + (1 - age) * static_cast<double>(rate.previous)
                          : std::max(0.0, 2 - age) * static_cast<double>(rate.count);
  return lately > static_cast<double>(limit.count);
}

bool Rates::allow(const IpAddress& key, const RateLimit& limit, Instant now) {
  add(key, limit, now);
  return !over(key, limit, now);
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
  auto now = std::chrono::steady_clock::now();
  if (!connecting_.allow(address, settings_.connection_rate_per_address, now)) {
    why = "Connecting too often from " + address.to_string();
    return {};
  }
  if (address_errors_.over(address, settings_.error_rate_per_address, now)) {
    why = "Too many errors lately from " + address.to_string();
    return {};
  }
  if (network_errors_.over(network.base(), settings_.error_rate_per_network, now)) {
    why = "Too many errors lately from " + network.to_string();
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

// Both are counted, whatever the first says.
bool ConnectionLimits::error(const IpAddress& client) {
  auto now = std::chrono::steady_clock::now();
  std::lock_guard lock(mutex_);
  bool address = address_errors_.allow(counted_address(client), settings_.error_rate_per_address, now);
  bool network = network_errors_.allow(counted_network(client).base(), settings_.error_rate_per_network, now);
  return address && network;
}

bool ConnectionLimits::recipient(const IpAddress& client) {
  auto now = std::chrono::steady_clock::now();
  std::lock_guard lock(mutex_);
  bool address = address_recipients_.allow(counted_address(client), settings_.recipient_rate_per_address, now);
  bool network = network_recipients_.allow(counted_network(client).base(), settings_.recipient_rate_per_network, now);
  return address && network;
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
