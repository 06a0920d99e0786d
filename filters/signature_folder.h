#pragma once

#include <string>

namespace postern::filters {

// Names, sizes and change times of the signature files in `folder`, as one text to compare; "" when
// the folder cannot be read or holds none.
std::string signature_fingerprint(const std::string& folder);

}  // namespace postern::filters
