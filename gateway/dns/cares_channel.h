#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/ip.h"
#include "gateway/io/watch.h"

struct ares_channeldata;

namespace postern::dns {

struct CaresConfig {
  std::vector<Endpoint> servers;             // empty: /etc/resolv.conf
  std::chrono::milliseconds timeout{5'000};  // of one question over all tries and servers
  // After so many questions a new set of sockets is taken, so that a forger off the path cannot learn the port
  // (RFC 5452 4.5) while the usual cost of a socket per question is saved.
  std::size_t questions_a_port = 500;
};

// What became of a packet that was sent.
enum class Delivery { answered, unanswered, refused };

// One c-ares channel on one loop: sends ready packets to the servers in turn, over UDP and, where an answer is
// truncated, over TCP; a server that fails (SERVFAIL, REFUSED, unreachable, silent) makes way for the next.
// To be destroyed on the loop's thread, before the Loop, outside of its own callbacks.
class CaresChannel final : private io::FdListener, private io::TimerListener {
 public:
  // The servers are asked in their order, beginning with the one at `first` (modulo their number).
  CaresChannel(io::Loop& loop, const CaresConfig& config, bool tcp_only, std::size_t first = 0);
  ~CaresChannel();  // drops what is under way: `done` is not called
  CaresChannel(const CaresChannel&) = delete;

  using Wanted = std::function<bool()>;
  using Done = std::function<void(Delivery, std::string_view packet)>;
  // `done` is called once, perhaps before send() returns.  A burst is spread: at most 128 young questions are on the
  // wire, since a socket's buffer holds some 270 answers and what does not fit would be lost.  A question that is not
  // `wanted` any more when its turn comes is unanswered without being sent.
  void send(std::string packet, Wanted wanted, Done done);
  std::size_t pending() const { return pending_; }
  std::size_t sent() const { return sent_; }
  // How many answers in a row came only after a try had run out: the first server is silent.
  std::size_t late_in_a_row() const { return late_; }

 private:
  struct Sent;
  struct Question {
    std::string packet;
    Wanted wanted;
    Done done;
  };
  void transmit(const std::string& packet, Done done);
  void pump();
  static void ended(void* argument, int status, int timeouts, unsigned char* packet, int length);
  static void socket_changed(void* self, int fd, int readable, int writable);
  void on_ready(int fd, bool readable, bool writable) override;
  void on_timer() override;

  io::Loop& loop_;
  io::Timer timer_;
  ares_channeldata* channel_ = nullptr;
  std::unordered_map<int, std::unique_ptr<io::FdWatch>> watches_;
  std::list<Sent*> young_;  // on the wire, unanswered, in order of sending
  std::deque<Question> queued_;
  bool pumping_ = false;
  std::size_t pending_ = 0;
  std::size_t sent_ = 0;
  std::size_t late_ = 0;
  bool closing_ = false;
};

}  // namespace postern::dns
