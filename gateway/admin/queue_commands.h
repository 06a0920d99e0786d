#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gateway/admin/context.h"

namespace postern::admin {

// "queue list|show|retry|hold|delete": what waits to be sent on.
//   list    {to?, from?}: rows of {id, message, destination, sender, recipients: [{address, why}], size, arrived, due,
//           attempts, held, why}; `to` is part of a recipient's address or of the destination; "next" in the answer is
//           the `from` of the next page
//   show    {id}: the row, and the header of the message as "text"
//   retry   {id}: tried at once, also if it was held, and also if its host was down; "all": everything
//   hold    {id}: not tried until it is retried; "all": everything
//   delete  {id}: for good: neither its sender nor its recipients hear of it
// `why` of the row: its host is down; of a recipient: the host's last words about him.
io::Task<nlohmann::json> run_queue_command(Context& context, nlohmann::json request);

}  // namespace postern::admin
