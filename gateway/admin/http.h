#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "gateway/io/fd.h"
#include "gateway/io/task.h"

namespace postern::admin {

struct HttpAnswer {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};

// Serves GET and HEAD for /metrics and /healthz on this loop until it is cancelled; one request a
// connection.  `answer` gets the path; an answer of status 404 for what it does not know.
io::Task<void> serve_http(io::Fd socket, std::function<HttpAnswer(std::string_view)> answer);

}  // namespace postern::admin
