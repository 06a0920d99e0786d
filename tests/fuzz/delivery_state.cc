// The queue's rows: whatever a disk gives back, reading ends, and what was read can be written and read again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/delivery/queue_state.h"

using namespace postern;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto state = delivery::decode_state(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!state) return 0;
  auto text = delivery::encode(*state);
  auto again = delivery::decode_state(text);
  if (!again || delivery::encode(*again) != text) std::abort();
  if (delivery::envelope_of(*state).recipients.size() != state->recipients.size()) std::abort();
  return 0;
}
