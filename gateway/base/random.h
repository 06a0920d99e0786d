#pragma once

#include <cstdint>
#include <string>

namespace postern {

// From the kernel's generator (getrandom); fit for keys and tokens.  Safe from any thread.
std::string random_octets(std::size_t count);
std::uint64_t random_number();

// A new id for a session or a message: Crockford base 32, sorts by time of making, unique
// on this machine: 13 characters, e.g. "7Q3K2M0V8RXAE".  Not a secret.
std::string new_id();

}  // namespace postern
