// What the queue and a moderator's mailbox keep of a post to a list: whatever a disk gives back, reading ends, and what was
// read can be written and read again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/delivery/list_post.h"

using namespace postern;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto post = delivery::decode_post(text)) {
    auto written = delivery::encode(*post);
    auto again = delivery::decode_post(written);
    if (!again || delivery::encode(*again) != written) std::abort();
  }
  if (auto waiting = delivery::decode_waiting(text)) {
    auto again = delivery::decode_waiting(delivery::encode(*waiting));
    if (!again || again->state != waiting->state) std::abort();
  }
  delivery::approved(text, "ann@corp.example");
  for (auto role : {directory::ListRole::post, directory::ListRole::request}) delivery::unfit_for_list(text, "team@corp.example", role);
  return 0;
}
