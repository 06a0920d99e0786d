#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace postern::admin {

// The answer of "why" (trace_commands.h) as a page for people, line ends included.  Octets of strangers are tamed.
std::string why_in_words(const nlohmann::json& answer);

}  // namespace postern::admin
