// PROXY protocol version 1 and 2 (HAProxy's proxy-protocol.txt), required from configured networks.
#include <cstring>

#include "gateway/base/text.h"
#include "gateway/io/errors.h"
#include "gateway/smtp/session.h"

namespace postern::smtp {
namespace {

constexpr std::string_view kSignature2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kMaxVersion1 = 107;
constexpr std::size_t kMaxVersion2 = 1024;   // addresses and the TLVs that proxies really send

std::uint16_t big_endian(std::string_view octets) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(octets[0]) << 8 | static_cast<unsigned char>(octets[1]));
}

// "PROXY TCP4 192.0.2.1 198.51.100.1 40000 25"
std::string read_version1(std::string_view line, Client& client) {
  auto fields = words(line);
  if (fields.size() >= 2 && fields[1] == "UNKNOWN") return "";
  if (fields.size() != 6 || (fields[1] != "TCP4" && fields[1] != "TCP6")) return "not a PROXY line";
  auto address = IpAddress::parse(fields[2]);
  auto port = parse_number(fields[4]);
  if (!address || !port || *port > 65535) return "no address in the PROXY line";
  client.ip = *address;
  client.port = static_cast<std::uint16_t>(*port);
  return "";
}

// The block behind the fixed 16 octets.
std::string read_version2(unsigned char command, unsigned char family, std::string_view block, Client& client) {
  if ((command & 0xf0) != 0x20) return "PROXY version is not 2";
  if ((command & 0x0f) == 0) return "";   // LOCAL: the proxy speaks for itself
  if ((command & 0x0f) != 1) return "unknown PROXY command";
  if (family == 0x11 && block.size() >= 12) {
    std::uint32_t address = 0;
    for (std::size_t i = 0; i < 4; ++i) address = address << 8 | static_cast<unsigned char>(block[i]);
    client.ip = IpAddress::v4(address);
    client.port = big_endian(block.substr(8));
    return "";
  }
  if (family == 0x21 && block.size() >= 36) {
    std::array<std::uint8_t, 16> octets{};
    std::memcpy(octets.data(), block.data(), octets.size());
    client.ip = IpAddress::v6(octets);
    client.port = big_endian(block.substr(32));
    return "";
  }
  return family == 0 ? "" : "unknown PROXY address family";
}

}  // namespace

// Sets client_.ip from the header; gives what is wrong with it, or "".
io::Task<std::string> Session::read_proxy_header() {
  auto deadline = in(std::chrono::seconds(10));
  while (stream_.buffered().size() < kSignature2.size()) {
    auto have = stream_.buffered();
    bool one = std::string_view("PROXY ").starts_with(have.substr(0, 6));
    bool two = kSignature2.starts_with(have);
    if (!one && !two) co_return "the PROXY header is missing";
    if (one && have.find('\n') != std::string_view::npos) break;
    co_await stream_.fill(deadline);
  }
  if (!stream_.buffered().starts_with(kSignature2)) {
    auto line = co_await stream_.read_line(kMaxVersion1, deadline);
    if (line.too_long || !line.crlf || !line.text.starts_with("PROXY ")) co_return "not a PROXY line";
    co_return read_version1(line.text, client_);
  }
  auto head = co_await stream_.read_exact(16, deadline);
  auto length = big_endian(std::string_view(head).substr(14));
  if (length > kMaxVersion2) co_return "the PROXY header is too long";
  auto block = co_await stream_.read_exact(length, deadline);
  co_return read_version2(static_cast<unsigned char>(head[12]), static_cast<unsigned char>(head[13]), block, client_);
}

}  // namespace postern::smtp
