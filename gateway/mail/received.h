#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/ip.h"

namespace postern::mail {

// What our Received field tells of one transaction.  Foreign texts (helo, client_name) may hold anything.
struct ReceivedInfo {
  std::string helo;             // as the client said it
  IpAddress client;
  std::string client_name;      // the confirmed name of the address, or ""
  std::string by;               // our host name
  std::string id;               // of the message
  std::string recipient;        // for one recipient only, RFC 5321 7.6; "" leaves it out
  std::string tls;              // "TLSv1.3 TLS_AES_256_GCM_SHA384", "" without TLS
  bool extended = true;         // EHLO
  bool authenticated = false;
  bool utf8 = false;            // SMTPUTF8 was asked for
  bool lmtp = false;
  Time when{};
};

// The whole field with its line end.  RFC 5321 4.4; "with" words of RFC 3848 and RFC 6531 4.3 (ESMTPSA, UTF8SMTPS, ...).
std::string received_field(const ReceivedInfo& info);

// Received fields of a header: RFC 5321 6.3 counts them against loops.
std::size_t count_received(std::string_view message);

// The ids that `hostname` of ours gave the message on its way, as its Received fields in this header say, the latest
// first; whoever writes a header can write what he likes.  At most 8.
std::vector<std::string> ids_given_by(std::string_view header, std::string_view hostname);

// The addresses of its Delivered-To fields, in lower case: who had it before.  RFC 9228.
std::set<std::string> delivered_to(std::string_view message);

}  // namespace postern::mail
