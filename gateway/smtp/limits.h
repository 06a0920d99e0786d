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

struct AddressHash {
  std::size_t operator()(const IpAddress& a) const { return std::hash<std::string_view>()(a.octets()); }
};

struct RateLimit {
  std::uint64_t count = 0;                   // 0: no limit
  std::chrono::milliseconds window{60'000};
};

struct LimitSettings {                       // 0: no limit
  std::uint64_t connections_per_address = 50;
  std::uint64_t connections_per_network = 200;
  RateLimit connection_rate_per_address{300, std::chrono::milliseconds(60'000)};
  RateLimit error_rate_per_address;
  RateLimit error_rate_per_network;
  RateLimit recipient_rate_per_address;
  RateLimit recipient_rate_per_network;
};

// How often something happened by address lately.  Memory is bounded: a full table forgets half of it.
class Rates {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  void add(const IpAddress& key, const RateLimit& limit, Instant now);
  // Has it happened more often than `limit` allows?
  bool over(const IpAddress& key, const RateLimit& limit, Instant now) const;
  // add(), and whether that was allowed.
  bool allow(const IpAddress& key, const RateLimit& limit, Instant now);

 private:
  struct Rate {
    Instant window_start;
    std::uint64_t count = 0;
    std::uint64_t previous = 0;
  };
  std::unordered_map<IpAddress, Rate, AddressHash> rates_;
};

// Counts connections, errors and recipients over all loops, by address (an IPv6 address counts as its /64) and
// network (/24, /48).  Safe from any thread.  Memory is bounded.
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

  // A reply 5xx to this client.  False: so many lately that it is to be sent away.
  bool error(const IpAddress& address);
  // One more recipient by this client.  False: too many lately, it is to wait.
  bool recipient(const IpAddress& address);

  // Has this address waited out a greeting before (within a day)?  Then it is not made to wait again.
  bool is_patient(const IpAddress& address);
  void remember_patient(const IpAddress& address);

  void set(LimitSettings settings);

 private:
  friend class Place;
  void leave(const IpAddress& address);

  std::mutex mutex_;
  LimitSettings settings_;
  std::unordered_map<IpAddress, std::uint64_t, AddressHash> addresses_;
  std::unordered_map<IpAddress, std::uint64_t, AddressHash> networks_;
  Rates connecting_;
  Rates address_errors_, network_errors_;
  Rates address_recipients_, network_recipients_;
  std::unordered_map<IpAddress, std::chrono::steady_clock::time_point, AddressHash> patient_;
};

}  // namespace postern::smtp
