#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "gateway/admin/subcommands.h"
#include "gateway/config/config.h"

// What the subcommands that ask the running server, or the store, have in common.
namespace postern::admin {

// The configuration, or nothing after its mistakes were printed.
std::optional<config::Config> configuration(const Global& global);

// Exit status of an answer; a failure is printed.
int finish(const Global& global, const nlohmann::json& answer);

// Octets of a stranger as text: what could drive the terminal is shown as '?'.
std::string tame(std::string text);

}  // namespace postern::admin
