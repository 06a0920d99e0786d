#pragma once

#include <string>

#include "gateway/directory/directory.h"
#include "gateway/store/types.h"

namespace postern::delivery {

// A message of our own for `to`: its octets with the null sender into the mailboxes that the address leads to, and into
// the queue where it leads out.  Aliases and forwards are followed, nothing is judged, and a bounce of it goes nowhere.
// `utf8`: its header needs SMTPUTF8.
store::Item own_item(const directory::Directory& directory, std::string id, Octets message, Time when, const std::string& to, bool utf8);

}  // namespace postern::delivery
