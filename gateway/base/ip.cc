// Addresses and networks; text forms by RFC 4291 2.2, RFC 5952 and RFC 5321 4.1.3.
#include "gateway/base/ip.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "gateway/base/text.h"

namespace postern {

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.empty() || text.size() >= INET6_ADDRSTRLEN) return std::nullopt;
  std::string terminated(text);
  in_addr four{};
  if (inet_pton(AF_INET, terminated.c_str(), &four) == 1) return v4(ntohl(four.s_addr));
  std::array<std::uint8_t, 16> six{};
  if (inet_pton(AF_INET6, terminated.c_str(), six.data()) == 1) return v6(six);
  return std::nullopt;
}

IpAddress IpAddress::v4(std::uint32_t host_order) {
  IpAddress out;
  for (std::size_t i = 0; i < 4; ++i) out.octets_[i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
  return out;
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& octets) {
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  IpAddress out;
  if (std::equal(kMapped.begin(), kMapped.end(), octets.begin())) {
    std::copy(octets.begin() + 12, octets.end(), out.octets_.begin());
    return out;
  }
  out.v4_ = false;
  out.octets_ = octets;
  return out;
}

bool IpAddress::is_loopback() const {
  if (v4_) return octets_[0] == 127;
  std::array<std::uint8_t, 16> one{};
  one[15] = 1;
  return octets_ == one;
}

bool IpAddress::is_private() const {
  if (is_loopback()) return true;
  if (v4_) {
    return octets_[0] == 10 || (octets_[0] == 172 && (octets_[1] & 0xf0) == 16) || (octets_[0] == 192 && octets_[1] == 168) ||
           (octets_[0] == 169 && octets_[1] == 254);
  }
  return (octets_[0] & 0xfe) == 0xfc || (octets_[0] == 0xfe && (octets_[1] & 0xc0) == 0x80);
}

std::string_view IpAddress::octets() const {
  return {reinterpret_cast<const char*>(octets_.data()), v4_ ? 4U : 16U};
}

std::string IpAddress::to_string() const {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(v4_ ? AF_INET : AF_INET6, octets_.data(), text, sizeof text);
  return text;
}

std::string IpAddress::literal() const { return v4_ ? "[" + to_string() + "]" : "[IPv6:" + to_string() + "]"; }

std::string IpAddress::reversed() const {
  std::string out;
  if (v4_) {
    for (int i = 3; i >= 0; --i) {
      out += std::to_string(octets_[static_cast<std::size_t>(i)]);
      if (i != 0) out += '.';
    }
    return out;
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int i = 15; i >= 0; --i) {
    auto octet = octets_[static_cast<std::size_t>(i)];
    out += kDigits[octet & 15];
    out += '.';
    out += kDigits[octet >> 4];
    if (i != 0) out += '.';
  }
  return out;
}

std::string IpAddress::ptr_name() const { return reversed() + (v4_ ? ".in-addr.arpa" : ".ip6.arpa"); }

IpAddress IpAddress::masked(int prefix) const {
  IpAddress out = *this;
  for (int bit = std::max(prefix, 0); bit < bits(); ++bit) {
    out.octets_[static_cast<std::size_t>(bit / 8)] &= static_cast<std::uint8_t>(~(0x80 >> (bit % 8)));
  }
  return out;
}

std::optional<Network> Network::parse(std::string_view text) {
  auto slash = text.find('/');
  auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return Network(*address, address->bits());
  auto prefix = parse_number(text.substr(slash + 1));
  if (!prefix || *prefix > static_cast<std::uint64_t>(address->bits())) return std::nullopt;
  return Network(*address, static_cast<int>(*prefix));
}

bool Network::contains(const IpAddress& address) const {
  return address.is_v4() == base_.is_v4() && address.masked(prefix_) == base_;
}

std::string Network::to_string() const { return base_.to_string() + "/" + std::to_string(prefix_); }

bool any_contains(const std::vector<Network>& networks, const IpAddress& address) {
  return std::any_of(networks.begin(), networks.end(), [&](const Network& n) { return n.contains(address); });
}

IpAddress counted_address(const IpAddress& address) { return address.is_v4() ? address : address.masked(64); }

Network counted_network(const IpAddress& address) { return Network(address, address.is_v4() ? 24 : 48); }

std::optional<Endpoint> Endpoint::parse(std::string_view text, std::uint16_t default_port) {
  Endpoint out;
  out.port = default_port;
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    auto close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    host = text.substr(1, close - 1);
    auto rest = text.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return std::nullopt;
    port = rest.empty() ? rest : rest.substr(1);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    auto colon = text.find(':');
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  auto address = IpAddress::parse(host);
  if (!address) return std::nullopt;
  out.address = *address;
  if (!port.empty()) {
    auto number = parse_number(port);
    if (!number || *number > 65535) return std::nullopt;
    out.port = static_cast<std::uint16_t>(*number);
  } else if (default_port == 0) {
    return std::nullopt;
  }
  return out;
}

std::string Endpoint::to_string() const {
  return (address.is_v4() ? address.to_string() : "[" + address.to_string() + "]") + ":" + std::to_string(port);
}

}  // namespace postern
