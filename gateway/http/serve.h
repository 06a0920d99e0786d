#pragma once

#include <chrono>
#include <functional>

#include "gateway/http/message.h"
#include "gateway/io/stream.h"
#include "gateway/io/task.h"

namespace postern::http {

struct ServeLimits {
  std::size_t body = 0;                        // octets; more: 413
  std::chrono::milliseconds request{10'000};   // for the whole request, however slowly it comes
  std::chrono::milliseconds answer{10'000};    // for the other side to take the answer
};

// One request on a connection and its answer; then the connection ends.  What is no request is answered by a refusal;
// one that does not come in time by 408.  Throws io::Closed and io::TimedOut.
// `handle` is called once, and not for what is refused; `dress`, if given, makes of a refusal what the other side sees.
using Handle = std::function<io::Task<Answer>(Request)>;
io::Task<void> serve_one(io::Stream& stream, Handle handle, ServeLimits limits, std::function<Answer(Answer)> dress = {});

}  // namespace postern::http
