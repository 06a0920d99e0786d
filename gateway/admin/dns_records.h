#pragma once

#include <string>
#include <vector>

#include "gateway/base/ip.h"
#include "gateway/config/config.h"
#include "gateway/signing/key.h"

namespace postern::admin {

// One record that DNS should have for a domain of ours.
struct DnsRecord {
  enum class What { address, mx, spf, dkim, dmarc, mta_sts, tlsrpt, srv, ptr };
  What what = What::mx;
  std::string name;      // without final dot
  std::string type;      // "MX", "TXT", ...
  std::string value;     // as a zone file has it but for quotes: "10 mx.corp.example", the text of a TXT record
  std::string about;     // one line: what it is for
  bool needed = false;   // mail does not work, or is not believed, without it
};

// A file that is served at an HTTPS address, which DNS alone does not do.
struct PolicyFile {
  std::string address;
  std::string text;      // lines with CRLF
};

struct DnsWishes {
  std::vector<DnsRecord> records;
  PolicyFile mta_sts;
  std::string advice;    // what is to be done before the records are complete; ""
};

// What DNS should say of `domain`, one of ours, by what is configured and what listens.  `addresses`: how others reach
// our host; empty: unknown.
DnsWishes wanted_records(const config::Config& config, const signing::Keys& keys, const std::string& domain,
                         const std::vector<IpAddress>& addresses);

// As a line of a zone file.
std::string zone_line(const DnsRecord& record);

std::string_view name(DnsRecord::What what);   // "MX", "SPF", "MTA-STS", ...

// The addresses of this machine that the internet can reach.
std::vector<IpAddress> public_addresses();

}  // namespace postern::admin
