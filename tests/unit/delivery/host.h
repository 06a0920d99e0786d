#pragma once

#include <map>
#include <string>
#include <vector>

#include "gateway/base/text.h"
#include "gateway/io/errors.h"
#include "gateway/io/listener.h"
#include "gateway/io/loop.h"
#include "gateway/io/socket.h"

// A host that mail goes on to: a small server over loopback that answers as it is told, for any number of connections.
namespace postern::delivery::test {

using namespace std::chrono_literals;

struct Host {
  struct Got {
    std::string sender;
    std::vector<std::string> recipients;
    std::string message;
  };
  std::string greeting = "220 host.test ESMTP";
  std::map<std::string, std::string> at_rcpt;   // by address; others are taken
  std::string at_mail = "250 2.1.0 ok";
  std::string at_end = "250 2.0.0 taken";
  bool closes_at_end = false;                   // takes the message, and is gone before it says so
  bool closes_behind_message = false;
  bool closes_at_mail = false;
  bool offers_dsn = false;
  enum class Trick { none, hangs, dribbles, floods, breaks_tls };
  Trick trick = Trick::none;                    // what it does instead of speaking SMTP
  int room = 100;                               // recipients of a transaction

  std::vector<Got> got;
  std::vector<std::string> heard;               // all commands
  int connections = 0;
  int open = 0;
  int most_open = 0;

  Host() : listener(std::move(io::listen_on(*Endpoint::parse("127.0.0.1:0")).value())), endpoint(io::local_of(listener.fd())) {}

  io::Task<void> serve(io::Loop& loop) {
    for (;;) {
      auto stream = co_await listener.accept();
      ++connections;
      most_open = std::max(most_open, ++open);
      loop.spawn(speak(std::move(stream)), "host", [this] { --open; });
    }
  }

  io::Listener listener;
  Endpoint endpoint;

 private:
  io::Task<void> say(io::Stream& stream, std::string line) { co_await stream.write(line + "\r\n", in(10s)); }

  // False: nothing more is to be said.
  io::Task<bool> play(io::Stream& stream) {
    if (trick == Trick::hangs) co_await stream.read_line(4096, in(20s));   // until the client goes
    if (trick == Trick::floods) co_await stream.write(std::string(1 << 20, 'x'), in(20s));
    if (trick == Trick::dribbles) {
      for (int i = 0; i < 1000; ++i) {
        co_await stream.write("2", in(20s));
        co_await io::sleep_until(in(20ms));
      }
    }
    if (trick != Trick::breaks_tls) co_return trick == Trick::none;
    co_await say(stream, greeting);
    co_await stream.read_line(4096, in(20s));
    co_await say(stream, "250-host.test\r\n250 STARTTLS");
    auto line = co_await stream.read_line(4096, in(20s));
    if (iequals(line.text, "STARTTLS")) {
      co_await say(stream, "220 go");
      co_await say(stream, "this is no handshake");
    }
    co_return false;
  }

  io::Task<void> speak(io::Stream stream) {
    bool speaks = co_await play(stream);
    if (!speaks) co_return;
    co_await say(stream, greeting);
    Got now;
    bool begun = false;   // a MAIL was taken
    for (;;) {
      auto line = co_await stream.read_line(4096, in(20s));
      heard.push_back(line.text);
      if (istarts_with(line.text, "EHLO") || istarts_with(line.text, "LHLO")) {
        std::string dsn = offers_dsn ? "250-DSN\r\n" : "";
        co_await say(stream, "250-host.test\r\n250-PIPELINING\r\n" + dsn + "250-ENHANCEDSTATUSCODES\r\n250 8BITMIME");
      } else if (istarts_with(line.text, "MAIL FROM:")) {
        if (closes_at_mail) co_return;
        now = {};
        now.sender = line.text.substr(11, line.text.find('>') - 11);
        begun = at_mail.starts_with("250");
        co_await say(stream, at_mail);
      } else if (istarts_with(line.text, "RCPT TO:")) {
        auto address = line.text.substr(9, line.text.find('>') - 9);
        auto told = at_rcpt.find(address);
        std::string reply = told == at_rcpt.end() ? "250 2.1.5 ok" : told->second;
        if (!begun) reply = "503 5.5.1 MAIL first";
        if (static_cast<int>(now.recipients.size()) >= room) reply = "452 4.5.3 Too many recipients";
        if (reply.starts_with("250")) now.recipients.push_back(address);
        co_await say(stream, reply);
      } else if (iequals(line.text, "DATA")) {
        if (now.recipients.empty()) {
          co_await say(stream, "554 5.5.1 nobody");
          continue;
        }
        co_await say(stream, "354 go");
        for (;;) {
          auto body = co_await stream.read_line(100'000, in(20s));
          if (body.text == ".") break;
          now.message += (body.text.starts_with('.') ? body.text.substr(1) : body.text) + "\r\n";
        }
        if (at_end.starts_with("250")) got.push_back(now);
        if (closes_at_end) co_return;
        co_await say(stream, at_end);
        if (closes_behind_message) co_return;
      } else if (iequals(line.text, "QUIT")) {
        co_await say(stream, "221 bye");
        co_return;
      } else {
        co_await say(stream, "250 2.0.0 ok");
      }
    }
  }
};

}  // namespace postern::delivery::test
