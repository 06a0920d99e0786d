#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gateway/admin/context.h"

namespace postern::store {
struct QueueEntry;
}

namespace postern::admin {

// "queue list|summary|show|retry|hold|thaw|delete|bounce": what waits to be sent on.
//   list     {filter, from?}: rows of {id, message, destination, sender, recipients: [{address, why, notify, orcpt,
//            told_of_delay}], size, arrived, due, expires, attempts, last_attempt, held, reports, envid, ret, why}
//   summary  {filter}: rows of {destination, entries, recipients, octets, held, due, oldest, why}, the fullest first;
//            "left_out": so many destinations have none
//   show     {ids: [one]}: the row, and the header of the message as "text"
//   retry    tried at once, also if it was held, and also if its host was down
//   hold     not tried until it is retried or thawed
//   thaw     no longer held: tried at its time
//   delete   for good: neither its sender nor its recipients hear of it
//   bounce   given up as if it had waited its whole time; by the running server, soon
// The last five take {ids: [...]} or a filter {to, sender, destination, held, due, older} or {"all": true}, and tell
// "changed".  What may be much comes in pages: with "next" in the answer the same request is to come again with that
// value as `from`, and with the answer's "before", behind which nothing is changed that arrived since.
// `why` of the row: its host is down; of a recipient: the host's last words about him.
// The row of an entry in "queue list".
nlohmann::json described_entry(const Context& context, const store::QueueEntry& entry);
io::Task<nlohmann::json> run_queue_command(Context& context, nlohmann::json request);

}  // namespace postern::admin
