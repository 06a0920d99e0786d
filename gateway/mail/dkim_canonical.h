#pragma once

#include <functional>
#include <string>
#include <string_view>

// The canonical forms that DKIM and ARC hash.  What we sign is relaxed/relaxed, which survives what servers on the way do
// to white space; what others signed comes in both.
namespace postern::mail {

// One header field with CRLF behind it, appended to `out`.  RFC 6376 3.4.2.  `name` without the white space before its
// colon; `raw`: what stands behind the colon, folding included, without the final line end.
void relaxed_field(std::string_view name, std::string_view raw, std::string& out);

// Gives the canonical body to `sink` in pieces; an empty one gives nothing.  RFC 6376 3.4.4.  Only CRLF ends a line:
// a CR or LF alone is an octet like others.
void relaxed_body(std::string_view body, const std::function<void(std::string_view)>& sink);

// The same for the body as it is, RFC 6376 3.4.3: only empty lines at its end go, and an empty one gives one CRLF.
void simple_body(std::string_view body, const std::function<void(std::string_view)>& sink);

}  // namespace postern::mail
