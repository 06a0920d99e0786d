// Socket addresses and listening sockets.
#include "gateway/io/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace postern::io {

socklen_t to_sockaddr(const Endpoint& endpoint, sockaddr_storage& address) {
  address = {};
  auto octets = endpoint.address.octets();
  if (endpoint.address.is_v4()) {
    auto* four = reinterpret_cast<sockaddr_in*>(&address);
    four->sin_family = AF_INET;
    four->sin_port = htons(endpoint.port);
    std::memcpy(&four->sin_addr, octets.data(), octets.size());
    return sizeof *four;
  }
  auto* six = reinterpret_cast<sockaddr_in6*>(&address);
  six->sin6_family = AF_INET6;
  six->sin6_port = htons(endpoint.port);
  std::memcpy(&six->sin6_addr, octets.data(), octets.size());
  return sizeof *six;
}

Endpoint from_sockaddr(const sockaddr_storage& address) {
  Endpoint out;
  if (address.ss_family == AF_INET) {
    const auto* four = reinterpret_cast<const sockaddr_in*>(&address);
    out.address = IpAddress::v4(ntohl(four->sin_addr.s_addr));
    out.port = ntohs(four->sin_port);
  } else if (address.ss_family == AF_INET6) {
    const auto* six = reinterpret_cast<const sockaddr_in6*>(&address);
    std::array<std::uint8_t, 16> octets{};
    std::memcpy(octets.data(), &six->sin6_addr, octets.size());
    out.address = IpAddress::v6(octets);
    out.port = ntohs(six->sin6_port);
  }
  return out;
}

Endpoint peer_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  return from_sockaddr(address);
}

Endpoint local_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  return from_sockaddr(address);
}

Result<Fd> bind_to(const Endpoint& endpoint) {
  sockaddr_storage address{};
  auto size = to_sockaddr(endpoint, address);
  Fd fd(::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  auto failed = [&](const char* what) { return Error(endpoint.to_string() + ": " + what + ": " + std::strerror(errno)); };
  if (!fd.valid()) return failed("cannot make a socket");
  int on = 1;
  int off = 0;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);   // its connections inherit it
  if (address.ss_family == AF_INET6) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) return failed("cannot bind");
  return fd;
}

Status check_free(const Endpoint& endpoint) {
  sockaddr_storage address{};
  auto size = to_sockaddr(endpoint, address);
  Fd fd(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int on = 1;
  int off = 0;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);   // what an ended program left behind does not count
  if (address.ss_family == AF_INET6) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0 || errno != EADDRINUSE) return {};
  return Error(endpoint.to_string() + ": another program listens there already");
}

Status start_listening(const Fd& socket, int backlog) {
  if (::listen(socket.get(), backlog) == 0) return {};
  int problem = errno;
  return Error(local_of(socket.get()).to_string() + ": cannot listen: " + std::strerror(problem));
}

Result<Fd> listen_on(const Endpoint& endpoint) {
  auto fd = bind_to(endpoint);
  if (!fd) return fd;
  auto listening = start_listening(*fd);
  if (!listening) return listening.error();
  return fd;
}

Result<Fd> listen_on_path(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Error(path + ": too long for a unix socket");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  auto failed = [&](const char* what) { return Error(path + ": " + what + ": " + std::strerror(errno)); };
  if (!fd.valid()) return failed("cannot make a socket");
  ::unlink(path.c_str());
  auto old_mask = ::umask(0177);
  int bound = ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  ::umask(old_mask);
  if (bound != 0) return failed("cannot bind");
  if (::listen(fd.get(), 16) != 0) return failed("cannot listen");
  return fd;
}

}  // namespace postern::io
