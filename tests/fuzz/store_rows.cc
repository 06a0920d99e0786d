// Values of rows and record headers from a damaged disk: decoded or refused, never believed.  What
// decodes is written again and must give the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/store/body_store.h"
#include "gateway/store/rows.h"
#include "gateway/store/trace.h"

using namespace postern::store;

namespace {
template <class T, class Decode>
void round(const T& decoded, Decode decode) {
  if (!decoded) return;
  auto written = encode(*decoded);
  auto again = decode(written);
  if (!again || encode(*again) != written) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view value(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 14) {
    case 0: round(decode_account(value), decode_account); break;
    case 1: round(decode_mailbox(value), decode_mailbox); break;
    case 2: round(decode_index(1, value), [](std::string_view v) { return decode_index(1, v); }); break;
    case 3: round(decode_message(value), decode_message); break;
    case 4: round(decode_body(value), decode_body); break;
    case 5: round(decode_segment(value), decode_segment); break;
    case 6: round(decode_counters(value), decode_counters); break;
    case 7: {
      auto uids = decode_uids(value);
      if (uids && decode_uids(encode_uids(*uids)) != uids) std::abort();
      break;
    }
    case 9: round(decode_queue(1, value), [](std::string_view v) { return decode_queue(1, v); }); break;
    case 10: round(decode_queue_counter(value), decode_queue_counter); break;
    case 11: round(decode_sender(value), decode_sender); break;
    case 12: round(decode_trace_event(value), decode_trace_event); break;
    case 13: round(decode_trace_line(value), decode_trace_line); break;
    default: parse_record_header(value); break;
  }
  return 0;
}
