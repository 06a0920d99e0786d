#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern {

// An IPv4 or IPv6 address.  IPv4-mapped IPv6 (::ffff:a.b.c.d) becomes IPv4 when made,
// so that one client has one name in lists, SPF and counters.
class IpAddress {
 public:
  IpAddress() = default;  // 0.0.0.0

  // Dotted quad or RFC 4291 2.2 text, without zone, prefix or brackets.
  static std::optional<IpAddress> parse(std::string_view text);
  static IpAddress v4(std::uint32_t host_order);
  static IpAddress v6(const std::array<std::uint8_t, 16>& octets);

  bool is_v4() const { return v4_; }
  bool is_v6() const { return !v4_; }
  bool is_loopback() const;
  // RFC 1918, RFC 4193, link-local, loopback.
  bool is_private() const;
  // 4 or 16 octets in network order.
  std::string_view octets() const;
  int bits() const { return v4_ ? 32 : 128; }

  // RFC 5952 form for IPv6.
  std::string to_string() const;
  // RFC 5321 4.1.3: "[192.0.2.1]" or "[IPv6:2001:db8::1]".
  std::string literal() const;
  // "1.2.0.192" or the 32 nibbles, without a zone: for in-addr.arpa, ip6.arpa and DNS lists.
  std::string reversed() const;
  // "1.2.0.192.in-addr.arpa" or the ip6.arpa name.
  std::string ptr_name() const;
  // The network of that prefix length with the host bits cleared.
  IpAddress masked(int prefix) const;

  auto operator<=>(const IpAddress&) const = default;

 private:
  std::array<std::uint8_t, 16> octets_{};
  bool v4_ = true;
};

// An address with a prefix length.  Host bits are cleared.
class Network {
 public:
  Network() = default;
  Network(IpAddress base, int prefix) : base_(base.masked(prefix)), prefix_(prefix) {}
  // "192.0.2.0/24", "2001:db8::/32"; an address alone is a host network.
  static std::optional<Network> parse(std::string_view text);

  bool contains(const IpAddress& address) const;
  const IpAddress& base() const { return base_; }
  int prefix() const { return prefix_; }
  std::string to_string() const;

  auto operator<=>(const Network&) const = default;

 private:
  IpAddress base_;
  int prefix_ = 0;
};

bool any_contains(const std::vector<Network>& networks, const IpAddress& address);

// What limits count by: an IPv6 address counts as its /64, a network is /24 or /48.
IpAddress counted_address(const IpAddress& address);
Network counted_network(const IpAddress& address);

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
  // "127.0.0.1:25" or "[::1]:25"; a bare address takes `default_port` when that is not 0.
  static std::optional<Endpoint> parse(std::string_view text, std::uint16_t default_port = 0);
  std::string to_string() const;
  auto operator<=>(const Endpoint&) const = default;
};

}  // namespace postern
