#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/ip.h"
#include "gateway/io/task.h"

// What the rest of the program knows of DNS: a question, an answer with an error case.
namespace postern::dns {

enum class Type : std::uint16_t { a = 1, ns = 2, cname = 5, soa = 6, ptr = 12, mx = 15, txt = 16, aaaa = 28, tlsa = 52 };

enum class Status {
  ok,        // at least one record of the type asked
  nodata,    // the name exists, the type does not
  nxdomain,  // RFC 8020: nothing at or below the name
  servfail,  // SERVFAIL, REFUSED and other server trouble
  timeout,   // no server answered by the deadline
  bad        // an answer that does not parse
};

// "A", "TXT", ...; parse_type takes either case.
std::string_view type_name(Type type);
std::optional<Type> parse_type(std::string_view text);
// "ok", "nxdomain", ...: for logs and reasons.
std::string_view status_name(Status status);

struct Record {
  Type type = Type::a;
  std::uint32_t ttl = 0;          // seconds
  IpAddress address;              // a, aaaa
  std::string text;               // txt: all strings of the record joined; ptr, ns, cname, mx: the name, lower case, no final dot; tlsa: raw
  std::uint16_t preference = 0;   // mx
};

struct Answer {
  Status status = Status::timeout;
  std::vector<Record> records;       // of the type asked, CNAMEs followed, in the order of the answer
  std::chrono::seconds ttl{0};       // what is left of the shortest one; of the SOA minimum for a negative answer (RFC 2308)
  bool authentic = false;            // AD bit; to be believed only from a resolver configured as validating

  bool ok() const { return status == Status::ok; }
  bool exists_not() const { return status == Status::nodata || status == Status::nxdomain; }
  // The caller must choose: nothing is known (RFC 7208 2.6.6, "temperror").
  bool temporary() const { return !ok() && !exists_not(); }
};

// Asks questions on one loop.  An implementation may answer from a cache that all loops share.
class Resolver {
 public:
  virtual ~Resolver() = default;
  // Never throws for what DNS says or does not say; a passed deadline is Status::timeout.
  // `name` in presentation form without escapes, with or without final dot; a name that cannot be
  // encoded (RFC 1035 2.3.4: label over 63, name over 255 octets, empty label) is nxdomain.
  virtual io::Task<Answer> query(std::string name, Type type, Deadline deadline) = 0;
};

}  // namespace postern::dns
