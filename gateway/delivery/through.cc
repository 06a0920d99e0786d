// Messages that are handed on while their sender waits.
#include "gateway/delivery/through.h"

#include <utility>
#include <vector>

#include "gateway/io/loop.h"

namespace postern::delivery {

using namespace std::chrono_literals;
using smtp_client::Outcome;

// A connection in use, however its use ends.
struct Through::Place {
  Place(Through& owner, std::string key) : through(owner), route(std::move(key)) { ++through.busy_[route]; }
  Place(const Place&) = delete;
  ~Place() {
    auto found = through.busy_.find(route);
    if (--found->second == 0) through.busy_.erase(found);
    through.left_.notify();
  }
  Through& through;
  std::string route;
};

smtp_client::Timeouts Through::timeouts() {
  smtp_client::Timeouts out;
  out.connect = 10s;
  out.tls = 10s;
  out.greeting = 20s;
  out.command = 30s;
  out.data = 30s;
  out.block = 30s;
  out.end = 180s;
  out.message = 240s;
  return out;
}

RoutePtr Through::route(std::string_view domain) const {
  auto relay = routes_.relay(domain);
  return relay && relay->through ? routes_.find(domain) : nullptr;
}

io::Task<bool> Through::wait_for_turn(const std::string& route) {
  auto end = in(limits_.turn);
  for (;;) {
    auto busy = busy_.find(route);
    if (busy == busy_.end() || busy->second < limits_.connections) co_return true;
    bool left = co_await left_.wait(end);
    if (!left) co_return false;
  }
}

io::Task<Attempt> Through::send(RoutePtr route, const smtp_client::Envelope& envelope, std::span<const std::string_view> body) {
  auto key = route->key;
  bool may = co_await wait_for_turn(key);
  if (!may) {
    Attempt out;
    out.down = Outcome::ours(Outcome::Kind::transient, smtp_client::Step::connect, "4.4.5", "the server of this domain is busy");
    co_return out;
  }
  Place place(*this, key);
  auto line = take_kept(key);
  auto tried = co_await send_along(connector_, std::move(route), line, envelope, body);
  if (line.usable()) keep(key, std::move(line));
  co_return std::move(tried);
}

Line Through::take_kept(const std::string& route) {
  for (auto at = kept_.find(route); at != kept_.end() && at->first == route; at = kept_.find(route)) {
    auto line = std::move(at->second.line);
    kept_.erase(at);
    if (line.usable()) return line;
  }
  return {};
}

void Through::keep(const std::string& route, Line line) {
  kept_.emplace(route, Kept{std::move(line), in(limits_.idle)});
  if (std::exchange(closing_, true)) return;
  io::Loop::current().spawn(close_idle(), "through.idle", [this] { closing_ = false; });
}

io::Task<void> Through::close_idle() {
  while (!kept_.empty()) {
    co_await io::sleep_until(in(limits_.idle));
    std::vector<Line> idle;
    for (auto each = kept_.begin(); each != kept_.end();) {
      bool stays = each->second.until > in(0s) && each->second.line.usable();
      if (!stays) idle.push_back(std::move(each->second.line));
      each = stays ? std::next(each) : kept_.erase(each);
    }
    for (auto& line : idle) co_await line.connection->quit();
  }
}

}  // namespace postern::delivery
