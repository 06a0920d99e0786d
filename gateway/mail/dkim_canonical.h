#pragma once

#include <functional>
#include <string>
#include <string_view>

// The canonical forms that DKIM and ARC hash: relaxed/relaxed, which survives what servers on the way do to white space.
namespace postern::mail {

// One header field with CRLF behind it, appended to `out`.  RFC 6376 3.4.2.  `name` without the white space before its
// colon; `raw`: what stands behind the colon, folding included, without the final line end.
void relaxed_field(std::string_view name, std::string_view raw, std::string& out);

// Gives the canonical body to `sink` in pieces; an empty one gives nothing.  RFC 6376 3.4.4.  Only CRLF ends a line:
// a CR or LF alone is an octet like others.
void relaxed_body(std::string_view body, const std::function<void(std::string_view)>& sink);

}  // namespace postern::mail
