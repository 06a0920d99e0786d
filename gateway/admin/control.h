#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/admin/context.h"
#include "gateway/base/result.h"
#include "gateway/io/fd.h"
#include "gateway/io/loop.h"
#include "gateway/io/stream.h"
#include "gateway/io/task.h"

namespace postern::admin {

// The unix socket in the data folder: one JSON line a request, one JSON line an answer.  Its file
// mode (0600) is the access check.
std::string control_path(const std::string& data);

// Serves requests on this loop until it is cancelled.  `socket` from io::listen_on_path.
io::Task<void> serve_control(io::Fd socket, Context& context);

// The store belongs to the owner of its folder: root becomes him before it opens the store by itself,
// or files of root's would lock the server out.  Does nothing for anybody else.
Status become_owner(const std::string& data);

// A connection to the running server; not valid: none listens there.
io::Fd connect_to_server(const std::string& data);
// One request over a connection, with `octets` behind it, and its answer; a failure() if the other side is gone.  Blocks.
nlohmann::json exchange(int fd, const nlohmann::json& request, std::string_view octets = {});
// Answers one request, or one conversation, on a connection.
io::Task<void> serve_one(io::Stream stream, Context& context);
// Opens the store as its owner and works on it; an Error says why it cannot.  Blocks.
Status on_store(const config::Config& config, const std::function<void(io::Loop&, Context&)>& work);

// Asks the running server; nothing if none listens there.  Blocks.
std::optional<nlohmann::json> ask_server(const std::string& data, const nlohmann::json& request);

// Runs a request where it can be run: in the server, or here on the opened store.  Blocks.
nlohmann::json run_anywhere(const config::Config& config, const nlohmann::json& request);

}  // namespace postern::admin
