#pragma once

#include <functional>
#include <string_view>

#include "gateway/http/message.h"
#include "gateway/io/fd.h"
#include "gateway/io/task.h"

namespace postern::admin {

using HttpAnswer = http::Answer;

// Serves GET and HEAD for /metrics and /healthz on this loop until it is cancelled; one request a
// connection.  `answer` gets the path; an answer of status 404 for what it does not know.
io::Task<void> serve_http(io::Fd socket, std::function<HttpAnswer(std::string_view)> answer);

}  // namespace postern::admin
