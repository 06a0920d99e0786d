#pragma once

#include <string>
#include <vector>

#include "gateway/store/body_store.h"
#include "gateway/store/kv.h"

namespace postern::store {

// Reads every row and every record that a row names, and counts references and mailboxes anew.
// Each mistake as a sentence; at most a thousand.
std::vector<std::string> verify_store(const Kv& rows, BodyStore& bodies);

}  // namespace postern::store
