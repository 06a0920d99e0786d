#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/ip.h"
#include "gateway/io/task.h"

namespace postern::io {

struct HttpsRequest {
  std::string host;                  // of the URL, and what the certificate must bear
  std::uint16_t port = 443;
  std::string path;                  // "/.well-known/mta-sts.txt"
  std::vector<IpAddress> addresses;  // of the host, in order of trial: DNS is asked by our own resolver
  std::size_t max_octets = 64 * 1024;
  std::string trust;                 // PEM file of authorities beside the system's; "": none
};

struct HttpsAnswer {
  enum class Kind {
    answered,        // with any status
    unreachable,     // no connection, or it broke or was too slow
    not_trusted,     // TLS did not come about, or the certificate is not the host's
    too_large
  };
  Kind kind = Kind::unreachable;
  std::string problem;               // a sentence, unless answered
  long status = 0;
  std::string content_type;          // as it came
  std::string body;                  // at most max_octets
};

// GET of one small document over a fresh connection: HTTP/1.1, TLS 1.2 or newer, no redirect followed, no proxy, no
// cookies.  Never throws for what the other side does; the deadline is an answer too.  On the loop (libcurl's sockets and
// timers are ours): a slow server holds up nobody.
Task<HttpsAnswer> get_https(HttpsRequest request, Deadline deadline);

}  // namespace postern::io
