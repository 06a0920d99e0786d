#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "gateway/admin/context.h"
#include "gateway/io/stream.h"
#include "gateway/io/task.h"

namespace postern::admin {

// Folders of a restore: "Restored-2026-11-30/INBOX", by the date of the backup, so that one begun again goes on there.
inline constexpr std::string_view kRestoredPrefix = "Restored-";

// "restore" {user, groups, all, backup}: messages of a backup come into the running store, slice by slice; each slice is
// there whole or not at all.  A user who was removed is made again, without a password.
//   answer                                        {made}
//   "restore offer" {folder, identities}          {want: [indexes]}: what is not in the folder yet, nor (unless `all`)
//                                                 anywhere else but in the folders of other restores
//   "restore messages" {folder, messages: [{row, flags, keywords, identity, octets}]}, and behind the line their records
//                                                 {placed}
//   "restore done"                                {}
io::Task<nlohmann::json> serve_restore(io::Stream& stream, Context& context, nlohmann::json request);

}  // namespace postern::admin
