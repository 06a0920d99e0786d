#pragma once

#include "gateway/dns/resolver.h"

namespace postern::dns {

// Which host and port offer a service of a domain, RFC 2782.  Record::text has the four fields with a space between:
// "0 1 993 imap.example.test", the name as others have it; "0 0 0 " where the service is not offered.
inline constexpr Type kSrv = static_cast<Type>(33);

}  // namespace postern::dns
