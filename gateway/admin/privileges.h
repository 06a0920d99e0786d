#pragma once

#include <cstdint>
#include <string>

#include "gateway/base/result.h"
#include "gateway/config/config.h"

namespace postern::admin {

// Makes the data folder (and what lies in it) belong to the service user, then becomes that user for
// good.  Nothing happens when we are not root or no user is there to become.
Status drop_privileges(const config::Config& config);

// Descriptors up to the hard limit: 10,000 connections are not rare.
void raise_descriptor_limit();

// The folder and all in it belong to that user then.
Status give_folder(const std::string& folder, std::uint32_t uid, std::uint32_t gid);

}  // namespace postern::admin
