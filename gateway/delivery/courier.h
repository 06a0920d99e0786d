#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/delivery/connector.h"
#include "gateway/io/task.h"
#include "gateway/smtp_client/envelope.h"

namespace postern::delivery {

// An open connection along a route, to be kept for the next message.
struct Line {
  std::unique_ptr<smtp_client::Connection> connection;   // nullptr: none is open
  std::vector<Hop> hops;
  std::size_t at = 0;       // the hop that it leads to
  std::uint64_t messages = 0;

  bool usable() const { return connection != nullptr && connection->usable(); }
};

// What one attempt came to.
struct Attempt {
  std::vector<smtp_client::Outcome> outcomes;   // by recipient of the envelope
  std::vector<std::string> hosts;               // who said so; "" when nobody was asked
  std::vector<bool> reports;                    // it was asked with the sender's NOTIFY and sees to reports itself, RFC 3461 5.2.1
  std::optional<smtp_client::Outcome> down;     // no host of the route speaks with us: that says nothing about the message
};

// Sends `envelope` with `body` along the route: over `line` while that is usable, else over a fresh connection that is
// left in it.  Who is not decided by one host is offered to the next, two hosts at most; but never where the first one
// may have taken the message: that could make it two.  All must outlive the task.
io::Task<Attempt> send_along(Connector& connector, RoutePtr route, Line& line, const smtp_client::Envelope& envelope,
                             std::span<const std::string_view> body);

}  // namespace postern::delivery
