// Names of the values.
#include "gateway/store/types.h"

namespace postern::store {

std::string_view attribute(SpecialUse use) {
  switch (use) {
    case SpecialUse::drafts: return "\\Drafts";
    case SpecialUse::sent: return "\\Sent";
    case SpecialUse::junk: return "\\Junk";
    case SpecialUse::trash: return "\\Trash";
    case SpecialUse::archive: return "\\Archive";
    case SpecialUse::none:
    case SpecialUse::inbox:
    case SpecialUse::quarantine: break;   // RFC 6154 has no word for them
  }
  return "";
}

}  // namespace postern::store
