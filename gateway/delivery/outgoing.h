#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/delivery/plan.h"
#include "gateway/directory/directory.h"
#include "gateway/store/types.h"

// Messages of our own users that are held on their way out, in the sender's mailbox Held.
namespace postern::delivery {

// The copy for these recipients (indices) in the Held of `sender`; to whom it would go is in Held::outgoing.
store::Target held_outgoing(const Judged& message, const std::vector<std::size_t>& recipients, store::AccountId sender, const std::string& hostname);

// What is kept to send it later: client, sender and recipients of the envelope, and when it came.
std::string encode_outgoing(const Judged& message, const std::vector<std::size_t>& recipients);
// Everything but the octets; as judged good.  Nothing: damaged.
std::optional<Judged> decode_outgoing(std::string_view text);

// Nothing of the message goes out: class policy, `why` is the first of its reasons.
void hold_outgoing(Judged& message, const std::string& why);

// To the postmaster: `login` may send no more, and what to do.
store::Delivery stop_note(const directory::Directory& directory, const Judged& message, const std::string& why, const std::string& hostname);

}  // namespace postern::delivery
