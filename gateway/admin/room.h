#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

// How many sessions there is room for, and how the protocols share it.
namespace postern::admin {

enum class Service : std::uint8_t { smtp, imap, pop3 };
inline constexpr std::array kServices{Service::smtp, Service::imap, Service::pop3};
std::string_view name(Service service);

// Counts the open connections of all loops.  Each service has an eighth of the room for itself, so that
// no flood of one shuts out the others; the rest is for whoever comes first.  Safe from any thread.
class Room {
 public:
  // `capacity`: how many sessions the process can hold at once.
  explicit Room(std::size_t capacity) : capacity_(capacity), kept_(capacity / 8) {}
  Room(const Room&) = delete;

  // One open connection, counted as long as it lives.
  class Seat {
   public:
    Seat(Room& room, Service service) : count_(&room.of(service).open) { ++*count_; }
    Seat(Seat&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
    ~Seat() {
      if (count_ != nullptr) --*count_;
    }

   private:
    std::atomic<std::size_t>* count_;
  };
  Seat enter(Service service) { return Seat(*this, service); }

  // Why one of the connections that are open, the asking one included, must go; or "".
  std::string reason(Service service) const;
  void count_refused(Service service) { ++of(service).refused; }

  std::size_t open(Service service) const { return counts_[static_cast<std::size_t>(service)].open; }
  std::uint64_t refused(Service service) const { return counts_[static_cast<std::size_t>(service)].refused; }
  std::size_t open() const;

 private:
  struct Counts {
    std::atomic<std::size_t> open{0};
    std::atomic<std::uint64_t> refused{0};
  };
  Counts& of(Service service) { return counts_[static_cast<std::size_t>(service)]; }

  std::size_t capacity_;
  std::size_t kept_;
  std::array<Counts, kServices.size()> counts_;
};

// What the limit of descriptors of this process allows.
std::size_t session_capacity();

}  // namespace postern::admin
