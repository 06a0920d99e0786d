#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "filters/lua/scene.h"

// What recipients' own lists say of a message.
namespace postern::filters {

// Finds the author and whether he is proved, and who wants to hear him.  To be called when SPF, DKIM and DMARC are known.
void read_author(lua::Scene& scene);

// The entry by which the recipient wants to hear the author; nothing also when the author is not proved, or everybody
// could write his name and come in.
std::optional<std::string> allowing_entry(const lua::Scene& scene, std::size_t recipient);
// The entry by which he does not want to hear the author, or the envelope sender if nothing is said of the author.
std::optional<std::string> blocking_entry(const lua::Scene& scene, std::size_t recipient);

}  // namespace postern::filters
