#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/io/fd.h"
#include "gateway/io/task.h"

namespace postern::io {

class Edge;

constexpr std::size_t kMaxPacket = 128 * 1024;
constexpr std::size_t kMaxPacketDescriptors = 8;

// One packet of a unix socket, with the descriptors that travelled with it (close-on-exec).
struct Packet {
  std::string octets;
  std::vector<Fd> descriptors;
};

// A connected AF_UNIX SOCK_SEQPACKET socket: packets keep their bounds, and descriptors travel
// with them (SCM_RIGHTS).  One sender and one receiver at a time.
class PacketSocket {
 public:
  PacketSocket();
  explicit PacketSocket(Fd fd);
  PacketSocket(PacketSocket&&) noexcept;
  PacketSocket& operator=(PacketSocket&&) noexcept;
  ~PacketSocket();
  // Two connected ends, close-on-exec.
  static Result<std::pair<PacketSocket, PacketSocket>> pair();

  // At most kMaxPacket octets (not none: an empty packet reads like the end) and
  // kMaxPacketDescriptors descriptors, which stay ours.  Throws Closed, TimedOut.
  // `octets`, `descriptors` and `this` must outlive the task.
  Task<void> send(std::string_view octets, std::span<const int> descriptors, Deadline deadline);
  // Throws Closed at the end, and for a packet that does not fit; TimedOut.  `this` must outlive
  // the task.
  Task<Packet> receive(Deadline deadline);

  // Whether a packet, or the end, is there before the deadline.  `this` must outlive the task.
  Task<bool> readable(Deadline deadline);

  // send() and receive() for a process without a loop: they wait as long as it takes.  False when the other
  // side is gone.
  bool send_blocking(std::string_view octets, std::span<const int> descriptors = {}) const;
  std::optional<Packet> receive_blocking() const;

  bool valid() const { return fd_.valid(); }
  int fd() const { return fd_.get(); }
  void close();

 private:
  Edge& edge(std::unique_ptr<Edge>& which, short what) const;

  Fd fd_;
  // From the first wait on, on the loop that waits; they leave epoll before the descriptor is closed.
  std::unique_ptr<Edge> read_;
  std::unique_ptr<Edge> write_;
};

}  // namespace postern::io
