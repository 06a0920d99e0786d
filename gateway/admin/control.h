#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "gateway/admin/context.h"
#include "gateway/base/result.h"
#include "gateway/io/fd.h"
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

// Asks the running server; nothing if none listens there.  Blocks.
std::optional<nlohmann::json> ask_server(const std::string& data, const nlohmann::json& request);

// Runs a request where it can be run: in the server, or here on the opened store.  Blocks.
nlohmann::json run_anywhere(const config::Config& config, const nlohmann::json& request);

}  // namespace postern::admin
