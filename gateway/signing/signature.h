#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/signing/key.h"

namespace postern::signing {

// The DKIM-Signature fields of a message by these keys, in their order, each with CRLF: relaxed/relaxed, SHA-256, no l=
// and no x=.  RFC 6376 5, RFC 8463.  `message`: the octets as they are sent, CRLF line ends.  The fields may stand
// anywhere before it.
//
// Signed are the fields that readers see and programs act on, each as often as it stands there and once more, so that
// none can be added (RFC 6376 8.15); those of mailing lists (RFC 2369, RFC 8058) only where they are, so that a list
// may add its own.  An Error says why nothing was signed: OpenSSL's trouble, or a header that no verifier would read.
Result<std::string> signatures_of(std::string_view message, const std::vector<const Key*>& keys, Time now);

// Whose message it is, for the choice of the key: the domains of all authors as A-labels, each once.  An Error: not
// exactly one From field, no address in it, or one without a valid domain.  Nobody may be vouched for by chance: a
// second From field could be the one that is shown.
Result<std::vector<std::string>> author_domains(std::string_view message);

}  // namespace postern::signing
