#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/dns/resolver.h"

namespace postern::dns {

// What a zone may say instead of records.  The last five only mean something on the wire (the test server).
enum class Fault { none, servfail, timeout, nxdomain, nodata, rubbish, wrong_id, wrong_name, lower_case, truncate };

// Records by name, from text: for rule tests, `explain`, and the DNS server of the tests.
//
//   example.test 300 MX 10 mx.example.test        the TTL may be left out (300)
//   example.test TXT v=spf1 -all                  the rest of the line, as it is
//   *.example.test A 192.0.2.1                    RFC 4592
//   example.test SOA 60                           or all seven fields; gives negative answers their TTL
//   broken.test TXT SERVFAIL                      also TIMEOUT NXDOMAIN NODATA RUBBISH WRONGID WRONGNAME LOWERCASE TRUNCATE
//   dead.test * TIMEOUT                           every type without a record of its own
//   # comment
class Zone {
 public:
  // The error is a sentence that quotes the entry.
  postern::Status add_line(std::string_view line);
  postern::Status add_text(std::string_view lines);
  postern::Status add(std::string_view name, std::string_view type, std::string_view value, std::uint32_t ttl = 300);

  struct Found {
    Fault fault = Fault::none;
    std::vector<std::pair<std::string, Record>> cnames;  // passed on the way, with their owners
    std::string name;                                    // where the chain ended, the owner of the records
    std::optional<std::pair<std::string, Record>> soa;   // of a negative answer
    Answer answer;
  };
  // `name` canonical.  CNAMEs are followed (at most kMaxCnames, then servfail).
  Found find(std::string_view name, Type type) const;

 private:
  struct Node {
    std::map<Type, std::vector<Record>> records;
    std::map<Type, Fault> faults;
    Fault other = Fault::none;
  };
  const Node* node_for(const std::string& name) const;
  Node& make_node(const std::string& name);
  void say_no(Found& found, bool exists) const;

  std::map<std::string, Node, std::less<>> nodes_;
  std::set<std::string, std::less<>> existing_;  // the names and all their parents
};

}  // namespace postern::dns
