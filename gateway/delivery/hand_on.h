#pragma once

#include <memory>

#include "gateway/delivery/deliverer.h"
#include "gateway/delivery/through.h"
#include "gateway/smtp_client/outcome.h"

namespace postern::delivery {

// What came of handing a message on before its 250.
struct HandedOn {
  enum class End {
    not_meant,   // nothing was done: it is to be delivered as usual
    taken,       // the host has it: say 250
    refused      // nobody has it: `outcome` is what the host, or the network, said
  };
  End end = End::not_meant;
  smtp_client::Outcome outcome;
};

// Hands `message` through to the one host behind, if all its copies go to one domain whose mail is handed through, as
// they are, in one transaction.  A message of which a copy is held, redirected, journaled, sent on or stays here is not: its 250
// could not be one host's answer.  Nor is one that a user of ours sends.
//
// Nothing is stored then but the trace, in which `reply` stands, and what a sender asked to hear (RFC 3461).  Where the
// host took it for some recipients and not for others (LMTP, or a RCPT that it had liked before), these are queued like
// any other mail: the sender gets one answer for all.  Killed between the host's 250 and ours, the message comes again
// from the sender: that is one that no relay can avoid (RFC 5321 4.5.4.1, 6.1), and none is lost.
io::Task<HandedOn> hand_on(Deliverer& deliverer, Through& through, std::shared_ptr<Judged> message, std::string reply);

}  // namespace postern::delivery
