#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "gateway/base/clock.h"
#include "gateway/base/ip.h"

namespace postern::smtp {

struct LimitSettings {                       // 0: no limit
  std::uint64_t connections_per_address = 50;
  std::uint64_t connections_per_network = 200;
  std::uint64_t connections_in_window = 300; // connection_rate_per_address
  std::chrono::milliseconds window{60'000};
};

// Counts connections over all loops, by address (an IPv6 address counts as its /64) and network
// (/24, /48).  Safe from any thread.  Memory is bounded: a full table forgets half of it.
class ConnectionLimits {
 public:
  explicit ConnectionLimits(LimitSettings settings) : settings_(settings) {}

  // A place for one connection; leaves when destroyed.  Empty when refused.
  class Place {
   public:
    Place() = default;
    Place(ConnectionLimits* owner, IpAddress address) : owner_(owner), address_(address) {}
    Place(Place&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), address_(other.address_) {}
    Place& operator=(Place&& other) noexcept {
      if (this != &other) {
        leave();
        owner_ = std::exchange(other.owner_, nullptr);
        address_ = other.address_;
      }
      return *this;
    }
    ~Place() { leave(); }
    explicit operator bool() const { return owner_ != nullptr; }

   private:
    void leave() {
      if (owner_ != nullptr) std::exchange(owner_, nullptr)->leave(address_);
    }
    ConnectionLimits* owner_ = nullptr;
    IpAddress address_;
  };
  // `why` says in words which limit was hit, for the 421.
  Place enter(const IpAddress& address, std::string& why);

  // Has this address waited out a greeting before (within a day)?  Then it is not made to wait again.
  bool is_patient(const IpAddress& address);
  void remember_patient(const IpAddress& address);

  void set(LimitSettings settings);

 private:
  friend class Place;
  void leave(const IpAddress& address);
  bool over_rate(const IpAddress& address, std::chrono::steady_clock::time_point now);

  struct Hash {
    std::size_t operator()(const IpAddress& a) const { return std::hash<std::string_view>()(a.octets()); }
  };
  struct Rate {
    std::chrono::steady_clock::time_point window_start;
    std::uint64_t count = 0;
    std::uint64_t previous = 0;
  };
  std::mutex mutex_;
  LimitSettings settings_;
  std::unordered_map<IpAddress, std::uint64_t, Hash> addresses_;
  std::unordered_map<IpAddress, std::uint64_t, Hash> networks_;
  std::unordered_map<IpAddress, Rate, Hash> rates_;
  std::unordered_map<IpAddress, std::chrono::steady_clock::time_point, Hash> patient_;
};

}  // namespace postern::smtp
