#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/io/listener.h"
#include "gateway/io/loop.h"
#include "gateway/io/signal.h"
#include "gateway/io/socket.h"
#include "gateway/io/stream.h"

namespace postern::test {

// A mail host over loopback that knows some recipients, on the loop of the test, for any number of connections.
// It must outlive the loop's tasks.
class RecipientHost {
 public:
  std::map<std::string, std::string> replies;         // to RCPT, by address
  std::string otherwise = "550 5.1.1 User unknown";   // to the others; "": the connection is closed instead
  std::vector<std::string> greetings;                 // of the first connections; then "220 host.test"; "": none is said
  std::string mail = "250 2.1.0 Ok";                  // the answer to MAIL
  std::size_t leaves_at_mail = 0;                     // the MAIL of that number on a connection is its end...
  std::string farewell;                               // ...with these words
  bool leaves_behind_rset = false;
  bool holds = false;                                 // RCPT is not answered until let_go()

  std::vector<std::string> heard;   // commands, of all connections
  std::size_t connections = 0;      // that there were
  std::size_t present = 0;

  explicit RecipientHost(io::Loop& loop) : loop_(loop) { open(0); }

  std::uint16_t port() const { return port_; }
  // The port stays its own: open_again().
  void close() {
    loop_.cancel(accepting_);
    loop_.block_on(a_turn());
    listener_.reset();
  }
  void open_again() { open(port_); }

  void let_go() {
    holds = false;
    loop_.post([this] { go_.notify(); });
  }
  std::size_t count(std::string_view command) const {
    auto begins = [command](const std::string& line) { return line.starts_with(command); };
    return static_cast<std::size_t>(std::count_if(heard.begin(), heard.end(), begins));
  }
  // Waits until so many commands were heard that begin so.
  io::Task<void> until_heard(std::string command, std::size_t times = 1) {
    auto end = in(std::chrono::seconds(20));
    while (count(command) < times) {
      bool woken = co_await changed_.wait(end);
      if (!woken) throw std::runtime_error("not heard: " + command);
    }
  }
  // Waits until that many connections came.
  io::Task<void> until_came(std::size_t times) {
    auto end = in(std::chrono::seconds(20));
    while (connections < times) {
      bool woken = co_await changed_.wait(end);
      if (!woken) throw std::runtime_error("no connection came");
    }
  }
  io::Task<void> until_left() {
    auto end = in(std::chrono::seconds(20));
    while (present != 0) {
      bool woken = co_await changed_.wait(end);
      if (!woken) throw std::runtime_error("a connection stays");
    }
  }

 private:
  struct Presence {
    explicit Presence(RecipientHost& h) : host(h) {
      ++host.connections;
      ++host.present;
      host.changed_.notify();
    }
    Presence(const Presence&) = delete;
    ~Presence() {
      --host.present;
      host.changed_.notify();
    }
    RecipientHost& host;
  };

  static io::Task<void> a_turn() { co_await io::sleep_until(in(std::chrono::milliseconds(0))); }

  void open(std::uint16_t port) {
    listener_.emplace(std::move(io::listen_on(*Endpoint::parse("127.0.0.1:" + std::to_string(port))).value()));
    port_ = io::local_of(listener_->fd()).port;
    accepting_ = loop_.spawn(accept(), "recipient host");
  }
  io::Task<void> accept() {
    for (;;) {
      auto stream = co_await listener_->accept();
      loop_.spawn(serve(std::move(stream)), "recipient host's session");
    }
  }
  io::Task<void> say(io::Stream& stream, std::string line) {
    line += "\r\n";
    co_await stream.write(line, in(std::chrono::seconds(20)));
  }
  io::Task<void> serve(io::Stream stream) {
    Presence presence(*this);
    std::string greeting = connections <= greetings.size() ? greetings[connections - 1] : "220 host.test";
    if (!greeting.empty()) co_await say(stream, greeting);
    std::size_t mails = 0;
    for (;;) {
      auto line = co_await stream.read_line(1'000, in(std::chrono::seconds(30)));
      auto command = line.text.substr(0, 4);
      heard.push_back(std::move(line.text));
      changed_.notify();
      bool leaves = command == "MAIL" && ++mails == leaves_at_mail;
      if (leaves && !farewell.empty()) co_await say(stream, farewell);
      if (leaves) co_return;
      std::string reply = "250 2.0.0 Ok";
      if (command == "MAIL") reply = mail;
      if (command == "RCPT") {
        reply = reply_to(heard.back());
        while (holds) co_await go_.wait(in(std::chrono::seconds(20)));
      }
      if (command == "QUIT") reply = "221 2.0.0 Bye";
      if (reply.empty()) co_return;
      co_await say(stream, std::move(reply));
      if (command == "QUIT" || (leaves_behind_rset && command == "RSET")) co_return;
    }
  }
  // "RCPT TO:<ann@corp.test>"
  std::string reply_to(const std::string& command) const {
    auto begin = command.find('<') + 1;
    auto found = replies.find(command.substr(begin, command.find('>') - begin));
    return found == replies.end() ? otherwise : found->second;
  }

  io::Loop& loop_;
  std::optional<io::Listener> listener_;
  io::Loop::TaskId accepting_ = 0;
  std::uint16_t port_ = 0;
  io::Signal go_;
  io::Signal changed_;
};

}  // namespace postern::test
