// Packets with descriptors over unix sockets: sendmsg/recvmsg with SCM_RIGHTS.
#include "gateway/io/packets.h"

#include <event2/event.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "gateway/base/check.h"
#include "gateway/io/edge.h"
#include "gateway/io/errors.h"
#include "gateway/io/loop.h"

namespace postern::io {
namespace {

constexpr std::size_t kControl = CMSG_SPACE(sizeof(int) * kMaxPacketDescriptors);

enum class Attempt { done, again, no_memory, closed };

Attempt attempt_of(ssize_t result) {
  if (result >= 0) return Attempt::done;
  if (errno == ENOBUFS) return Attempt::no_memory;
  return errno == EAGAIN || errno == EWOULDBLOCK ? Attempt::again : Attempt::closed;
}

Attempt send_once(int fd, std::string_view octets, std::span<const int> descriptors, int flags) {
  CHECK(!octets.empty() && octets.size() <= kMaxPacket && descriptors.size() <= kMaxPacketDescriptors);
  alignas(cmsghdr) std::array<char, kControl> control{};
  iovec part{const_cast<char*>(octets.data()), octets.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(fd, &message, flags | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return attempt_of(sent);
}

// The descriptors are taken over even from a packet that is refused, or they would leak.
void take_descriptors(msghdr& message, std::vector<Fd>& out) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      out.emplace_back(fd);
    }
  }
}

Attempt receive_once(int fd, Packet& packet, int flags) {
  static thread_local std::array<char, kMaxPacket> buffer;
  alignas(cmsghdr) std::array<char, kControl> control{};
  iovec part{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  Attempt attempt = attempt_of(got);
  if (attempt != Attempt::done) return attempt;
  take_descriptors(message, packet.descriptors);
  if (got == 0 || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return Attempt::closed;
  packet.octets.assign(buffer.data(), static_cast<std::size_t>(got));
  return Attempt::done;
}

}  // namespace

PacketSocket::PacketSocket() = default;
PacketSocket::PacketSocket(Fd fd) : fd_(std::move(fd)) {}
PacketSocket::PacketSocket(PacketSocket&&) noexcept = default;
PacketSocket::~PacketSocket() = default;
PacketSocket& PacketSocket::operator=(PacketSocket&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::move(other.fd_);
    read_ = std::move(other.read_);
    write_ = std::move(other.write_);
  }
  return *this;
}

void PacketSocket::close() {
  read_.reset();
  write_.reset();
  fd_.reset();
}

Edge& PacketSocket::edge(std::unique_ptr<Edge>& which, short what) const {
  if (!which) which = std::make_unique<Edge>(fd_.get(), what);
  return *which;
}

Result<std::pair<PacketSocket, PacketSocket>> PacketSocket::pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return Error(std::string("cannot make a pair of unix sockets: ") + std::strerror(errno));
  }
  return std::pair<PacketSocket, PacketSocket>(PacketSocket(Fd(ends[0])), PacketSocket(Fd(ends[1])));
}

Task<void> PacketSocket::send(std::string_view octets, std::span<const int> descriptors, Deadline deadline) {
  for (;;) {
    Attempt attempt = send_once(fd_.get(), octets, descriptors, MSG_DONTWAIT);
    if (attempt == Attempt::done) co_return;
    if (attempt == Attempt::closed) throw Closed("the other end of a unix socket is gone");
    if (attempt == Attempt::no_memory) {   // the kernel's, and no edge tells when there is some
      if (std::chrono::steady_clock::now() >= deadline) throw TimedOut();
      co_await sleep_until(std::min(deadline, in(std::chrono::milliseconds(10))));
      continue;
    }
    bool ready = co_await edge(write_, EV_WRITE).wait(deadline);
    if (!ready) throw TimedOut();
  }
}

Task<Packet> PacketSocket::receive(Deadline deadline) {
  Packet packet;
  for (;;) {
    Attempt attempt = receive_once(fd_.get(), packet, MSG_DONTWAIT);
    if (attempt == Attempt::done) co_return packet;
    if (attempt == Attempt::closed) throw Closed("the other end of a unix socket is gone");
    bool ready = co_await edge(read_, EV_READ).wait(deadline);
    if (!ready) throw TimedOut();
  }
}

Task<bool> PacketSocket::readable(Deadline deadline) {
  for (;;) {
    char octet = 0;
    auto got = ::recv(fd_.get(), &octet, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got >= 0 || attempt_of(got) == Attempt::closed) co_return true;
    bool ready = co_await edge(read_, EV_READ).wait(deadline);
    if (!ready) co_return false;
  }
}

bool PacketSocket::send_blocking(std::string_view octets, std::span<const int> descriptors) const {
  return send_once(fd_.get(), octets, descriptors, 0) == Attempt::done;
}

std::optional<Packet> PacketSocket::receive_blocking() const {
  Packet packet;
  if (receive_once(fd_.get(), packet, 0) != Attempt::done) return std::nullopt;
  return packet;
}

}  // namespace postern::io
