#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gateway/base/ip.h"
#include "gateway/dns/zone.h"
#include "gateway/io/fd.h"

namespace postern::test {

// A real DNS server on an ephemeral port of 127.0.0.1, UDP and TCP, in a thread of its own.  It answers from a Zone and
// misbehaves where the zone says so (RUBBISH: right id and question, broken records; TRUNCATE: TC over UDP, whole over TCP;
// WRONGID, WRONGNAME: a forged answer first, then nothing; LOWERCASE: the question comes back in lower case).
// Answers above 1232 octets are truncated by themselves.
class DnsServer {
 public:
  // Lines as in Zone; CHECKs that they parse.
  explicit DnsServer(std::string_view zone);
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;

  Endpoint endpoint() const { return endpoint_; }
  // More lines while it runs.
  void add(std::string_view lines);
  // Questions as "name TYPE udp|tcp", names in lower case, in order of arrival.
  std::vector<std::string> asked();
  // Source ports of the questions over UDP, in order.
  std::vector<std::uint16_t> ports();

 private:
  void run();
  void serve_udp();
  bool serve_tcp(int peer);
  std::string reply(std::string_view query, bool tcp);

  io::Fd udp_;
  io::Fd tcp_;
  io::Fd stop_;
  Endpoint endpoint_;
  std::mutex mutex_;
  dns::Zone zone_;
  std::vector<std::string> asked_;
  std::vector<std::uint16_t> ports_;
  std::thread thread_;
};

}  // namespace postern::test
