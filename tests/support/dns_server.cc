// The DNS server of the tests.  Its encoder is written apart from gateway/dns/packet.cc on purpose, so that one does
// not hide the other's mistakes.
#include "tests/support/dns_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/dns/srv.h"
#include "gateway/io/socket.h"

namespace postern::test {
namespace {

void put16(std::string& out, std::uint64_t value) {
  out.push_back(static_cast<char>(value >> 8 & 0xff));
  out.push_back(static_cast<char>(value & 0xff));
}

void put32(std::string& out, std::uint64_t value) {
  put16(out, value >> 16);
  put16(out, value & 0xffff);
}

void put_name(std::string& out, std::string_view name) {
  if (!name.empty()) {
    for (auto label : split(name, '.')) {
      out.push_back(static_cast<char>(label.size()));
      out += label;
    }
  }
  out.push_back('\0');
}

std::string data_of(const dns::Record& record) {
  std::string out;
  if (record.type == dns::kSrv) {
    auto fields = split(record.text, ' ');
    for (std::size_t i = 0; i < 3; ++i) put16(out, static_cast<unsigned>(parse_number(fields[i]).value_or(0)));
    put_name(out, fields[3]);
    return out;
  }
  switch (record.type) {
    case dns::Type::a:
      return std::string(record.address.octets());
    case dns::Type::aaaa:
      // An IPv4-mapped address was made IPv4 when it was read.
      if (record.address.is_v4()) return std::string(10, '\0') + "\xff\xff" + std::string(record.address.octets());
      return std::string(record.address.octets());
    case dns::Type::mx:
      put16(out, record.preference);
      put_name(out, record.text);
      return out;
    case dns::Type::ns:
    case dns::Type::cname:
    case dns::Type::ptr:
      put_name(out, record.text);
      return out;
    case dns::Type::txt:
      for (std::size_t at = 0; at == 0 || at < record.text.size(); at += 255) {
        auto piece = record.text.substr(at, 255);
        out.push_back(static_cast<char>(piece.size()));
        out += piece;
      }
      return out;
    case dns::Type::tlsa:
      return record.text;
    case dns::Type::soa: {
      auto fields = words(record.text);
      put_name(out, fields[0]);
      put_name(out, fields[1]);
      for (std::size_t i = 2; i < 7; ++i) put32(out, parse_number(fields[i]).value_or(0));
      return out;
    }
  }
  return out;
}

void put_record(std::string& out, std::string_view owner, const dns::Record& record) {
  put_name(out, owner);
  put16(out, static_cast<unsigned>(record.type));
  put16(out, 1);
  put32(out, record.ttl);
  auto data = data_of(record);
  put16(out, data.size());
  out += data;
}

struct Question {
  std::string name;  // as it came
  unsigned type = 0;
  std::string_view octets;
};

Question question_of(std::string_view query) {
  Question out;
  std::size_t at = 12;
  while (at < query.size() && query[at] != 0) {
    auto length = static_cast<unsigned char>(query[at]);
    if (!out.name.empty()) out.name += '.';
    out.name += query.substr(at + 1, length);
    at += length + 1U;
  }
  if (at + 5 > query.size()) return {};
  out.type = static_cast<unsigned>(static_cast<unsigned char>(query[at + 1]) << 8 | static_cast<unsigned char>(query[at + 2]));
  out.octets = query.substr(12, at + 5 - 12);
  return out;
}

}  // namespace

DnsServer::DnsServer(std::string_view zone) {
  add(zone);
  // The same port for both: what UDP got by chance may be taken for TCP, then the dice are thrown again.
  for (int attempt = 0; attempt < 50 && !tcp_.valid(); ++attempt) {
    udp_ = io::Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    // A busy machine must not lose what a test asks all at once; FORCE is root's.
    int octets = 8 << 20;
    if (::setsockopt(udp_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof octets) != 0) {
      ::setsockopt(udp_.get(), SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
    }
    sockaddr_storage address{};
    auto length = io::to_sockaddr(*Endpoint::parse("127.0.0.1:0"), address);
    CHECK(::bind(udp_.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
    endpoint_ = io::local_of(udp_.get());
    io::Fd tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    length = io::to_sockaddr(endpoint_, address);
    if (::bind(tcp.get(), reinterpret_cast<sockaddr*>(&address), length) == 0 && ::listen(tcp.get(), 64) == 0) tcp_ = std::move(tcp);
  }
  CHECK(tcp_.valid());
  stop_ = io::Fd(::eventfd(0, EFD_CLOEXEC));
  thread_ = std::thread([this] { run(); });
}

DnsServer::~DnsServer() {
  std::uint64_t one = 1;
  CHECK(::write(stop_.get(), &one, sizeof one) == sizeof one);
  thread_.join();
}

void DnsServer::add(std::string_view lines) {
  std::lock_guard lock(mutex_);
  auto added = zone_.add_text(lines);
  CHECK(added.has_value());
}

std::vector<std::string> DnsServer::asked() {
  std::lock_guard lock(mutex_);
  return asked_;
}

std::vector<std::uint16_t> DnsServer::ports() {
  std::lock_guard lock(mutex_);
  return ports_;
}

void DnsServer::run() {
  std::vector<io::Fd> peers;
  for (;;) {
    std::vector<pollfd> watched{{udp_.get(), POLLIN, 0}, {tcp_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    for (const auto& peer : peers) watched.push_back({peer.get(), POLLIN, 0});
    if (::poll(watched.data(), watched.size(), -1) < 0) continue;
    if (watched[2].revents != 0) return;
    if (watched[0].revents != 0) serve_udp();
    for (std::size_t i = 3; i < watched.size(); ++i) {
      if (watched[i].revents != 0 && !serve_tcp(watched[i].fd)) peers[i - 3].reset();
    }
    std::erase_if(peers, [](const io::Fd& peer) { return !peer.valid(); });
    if (watched[1].revents != 0) peers.emplace_back(::accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
}

void DnsServer::serve_udp() {
  char buffer[4096];
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  auto got = ::recvfrom(udp_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&address), &length);
  if (got < 0) return;
  {
    std::lock_guard lock(mutex_);
    ports_.push_back(io::from_sockaddr(address).port);
  }
  auto out = reply({buffer, static_cast<std::size_t>(got)}, false);
  if (!out.empty()) ::sendto(udp_.get(), out.data(), out.size(), 0, reinterpret_cast<sockaddr*>(&address), length);
}

// One question.  False: the connection is over.
bool DnsServer::serve_tcp(int peer) {
  unsigned char head[2];
  if (::recv(peer, head, 2, MSG_WAITALL) != 2) return false;
  std::string query(static_cast<std::size_t>(head[0] << 8 | head[1]), '\0');
  if (::recv(peer, query.data(), query.size(), MSG_WAITALL) != static_cast<ssize_t>(query.size())) return false;
  auto answer = reply(query, true);
  if (answer.empty()) return true;
  std::string out;
  put16(out, answer.size());
  out += answer;
  return ::send(peer, out.data(), out.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(out.size());
}

std::string DnsServer::reply(std::string_view query, bool tcp) {
  auto question = question_of(query);
  if (question.octets.empty()) return {};
  auto type = static_cast<dns::Type>(question.type);
  auto name = ascii_lowered(question.name);
  dns::Zone::Found found;
  {
    std::lock_guard lock(mutex_);
    asked_.push_back(name + ' ' + std::string(dns::type_name(type)) + (tcp ? " tcp" : " udp"));
    found = zone_.find(name, type);
  }
  auto fault = found.fault;
  if (fault == dns::Fault::timeout) return {};
  unsigned flags = 0x8580;  // QR AA RD RA
  if (found.answer.status == dns::Status::nxdomain) flags |= 3;
  if (found.answer.status == dns::Status::servfail) flags |= 2;
  bool truncated = fault == dns::Fault::truncate && !tcp;

  std::string answers;
  for (const auto& [owner, record] : found.cnames) put_record(answers, owner, record);
  for (const auto& record : found.answer.records) put_record(answers, found.name, record);
  if (fault == dns::Fault::rubbish) answers = std::string(7, '\xc0') + "rubbish";
  std::string authority;
  if (found.soa) put_record(authority, found.soa->first, found.soa->second);
  if (!tcp && 12 + question.octets.size() + answers.size() + authority.size() > 1232) truncated = true;

  std::string out(query.substr(0, 2));
  if (fault == dns::Fault::wrong_id) out[0] = static_cast<char>(out[0] ^ 0x55);
  put16(out, flags | (truncated ? 0x0200U : 0U));
  put16(out, 1);
  put16(out, truncated ? 0 : (fault == dns::Fault::rubbish ? 1 : found.cnames.size() + found.answer.records.size()));
  put16(out, truncated ? 0 : (found.soa ? 1 : 0));
  put16(out, 0);
  std::string echoed(question.octets);
  if (fault == dns::Fault::lower_case) echoed = ascii_lowered(echoed);  // lengths are below 'A' in these tests
  if (fault == dns::Fault::wrong_name) echoed[1] = static_cast<char>(echoed[1] ^ 1);
  out += echoed;
  if (!truncated) out += answers + authority;
  return out;
}

}  // namespace postern::test
