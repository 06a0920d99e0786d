#pragma once

#include <string>

#include "gateway/mail/envelope.h"
#include "gateway/mail/mime.h"

namespace postern::imap {

// Appends the ENVELOPE list.  RFC 3501 7.4.2.
void append_envelope(std::string& out, const mail::EnvelopeView& envelope);

// Appends BODY (or, `extended`, BODYSTRUCTURE).  RFC 3501 7.4.2.
void append_body_structure(std::string& out, const mail::PartTable& table, bool extended);

}  // namespace postern::imap
