#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "gateway/delivery/connector.h"
#include "gateway/delivery/courier.h"
#include "gateway/delivery/route.h"
#include "gateway/io/signal.h"
#include "gateway/io/task.h"

namespace postern::delivery {

struct ThroughLimits {
  std::size_t connections = 10;             // of a route; who finds none free waits
  std::chrono::milliseconds turn{60'000};   // so long
  std::chrono::milliseconds idle{20'000};   // a connection is kept without a message
};

// Hands messages on to the host behind while their sender waits for his 250 (deliver_mode = "through"): what the host
// says is what he hears.  One for each loop, to be used on it; its tasks must have ended before it is destroyed.
class Through {
 public:
  // `connector` with timeouts() and `routes` must outlive it.
  Through(Connector& connector, const Routes& routes, ThroughLimits limits = ThroughLimits())
      : connector_(connector), routes_(routes), limits_(limits) {}
  Through(const Through&) = delete;

  // Such that the sender, who has 10 minutes for the answer to his final dot (RFC 5321 4.5.3.2.6), still waits when
  // judging (4 minutes at most) and a slow host are over.
  static smtp_client::Timeouts timeouts();

  // Nothing: mail of this domain is not handed through.
  RoutePtr route(std::string_view domain) const;
  // `envelope` and `body` must outlive the task.
  io::Task<Attempt> send(RoutePtr route, const smtp_client::Envelope& envelope, std::span<const std::string_view> body);

 private:
  struct Kept {
    Line line;
    Deadline until{};
  };
  struct Place;

  io::Task<bool> wait_for_turn(const std::string& route);
  Line take_kept(const std::string& route);
  void keep(const std::string& route, Line line);
  io::Task<void> close_idle();

  Connector& connector_;
  const Routes& routes_;
  ThroughLimits limits_;
  std::map<std::string, std::size_t, std::less<>> busy_;   // connections in use, by Route::key
  std::multimap<std::string, Kept> kept_;
  io::Signal left_;
  bool closing_ = false;   // close_idle() runs
};

}  // namespace postern::delivery
