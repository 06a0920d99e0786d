#pragma once

#include <string>
#include <utility>
#include <vector>

#include "gateway/backup/folder.h"
#include "gateway/base/result.h"
#include "gateway/config/config.h"

namespace postern::admin {

// What of a user comes back.
struct UserChoice {
  std::string user;
  std::string folder;          // "": all
  std::string message;         // our id, or the Message-ID; "": all
  bool all = false;            // also what is still there
};

struct UserRestored {
  std::size_t found = 0;       // in the backup
  std::size_t restored = 0;
  std::size_t present = 0;     // not restored: still there
  std::vector<std::string> damaged;
  std::vector<std::pair<std::string, std::size_t>> folders;
  bool made = false;           // the user, again, without a password
};

// Into the folders "Restored-<date of the backup>/<folder>", of the running server or, without one, of the store itself.
// Flags, dates and "held" come with the messages.  After an Error the same call goes on where this one ended.  Blocks.
Result<UserRestored> restore_user(const config::Config& config, const backup::Folder& folder, const backup::Generation& generation,
                                  const UserChoice& choice);

}  // namespace postern::admin
