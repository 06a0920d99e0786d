#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "gateway/base/text.h"
#include "gateway/io/errors.h"
#include "gateway/io/listener.h"
#include "gateway/io/loop.h"
#include "gateway/io/socket.h"
#include "gateway/smtp_client/connection.h"
#include "tests/support/catch.h"
#include "tests/support/certificate.h"
#include "tests/support/dialogue.h"

// A server that follows a script over loopback, and what a client made of it.
namespace postern::smtp_client::test {

using namespace std::chrono_literals;
using Kind = Outcome::Kind;

// A script has a line for each thing that the server does:
//   S: text     says it with CRLF;  S-: text without
//   S+: 1000 x  says a thousand x without CRLF
//   C: pattern  hears such a line ('*' stands for anything)
//   BODY        hears a body up to the dot;  BDAT hears a BDAT command and its chunk
//   TLS         does its side of a handshake
//   INJECT      takes STARTTLS and forges an answer behind it, in one segment
//   HANG        says no more;  STOP reads no more either;  CLOSE closes
// At its end it waits for the client to go.
struct Server {
  std::string script;
  bool trickle = false;               // each octet alone
  std::string problem;                // what came that the script does not have
  std::string at;                     // the line of the script that is played; "" behind the last
  std::vector<std::string> heard;
  bool client_gone = false;
  std::string body;                   // of BODY with its stuffed dots, or of BDAT
  std::shared_ptr<const io::TlsContext> tls;
  bool breaks_off = false;            // the client is to break off the handshake

  io::Task<void> say(io::Stream& stream, std::string octets) {
    if (!trickle) {
      co_await stream.write(octets, in(10s));
      co_return;
    }
    for (std::size_t i = 0; i < octets.size(); ++i) {
      co_await stream.write(std::string_view(octets).substr(i, 1), in(10s));
      co_await io::sleep_until(in(0ms));   // the other side has its turn
    }
  }
  io::Task<void> hear_line(io::Stream& stream, std::string pattern) {
    auto line = co_await stream.read_line(10'000, in(10s));
    if (!postern::test::line_matches(pattern, line.text) && problem.empty()) problem = "not \"" + pattern + "\" but \"" + line.text + "\"";
    heard.push_back(std::move(line.text));
  }
  io::Task<void> hear_body(io::Stream& stream) {
    for (;;) {
      auto line = co_await stream.read_line(100'000, in(10s));
      if (!line.crlf && problem.empty()) problem = "a bare LF";
      if (line.text == ".") co_return;
      body += line.text + "\r\n";
    }
  }
  io::Task<void> hear_chunk(io::Stream& stream) {
    auto line = co_await stream.read_line(1000, in(10s));
    heard.push_back(line.text);
    std::uint64_t octets = std::strtoull(line.text.c_str() + 5, nullptr, 10);
    body = co_await stream.read_exact(octets, in(10s));
  }
  io::Task<void> wait_for_the_end(io::Stream& stream) {
    for (;;) {
      auto line = co_await stream.read_line(10'000, in(30s));
      heard.push_back(std::move(line.text));
    }
  }
  io::Task<void> run(io::Stream stream) {
    for (auto line : split(script, '\n')) {
      at = line;
      auto action = line.substr(0, line.find(' '));
      std::string rest(action.size() < line.size() ? line.substr(action.size() + 1) : "");
      if (action == "S:") co_await say(stream, rest + "\r\n");
      if (action == "S-:") co_await say(stream, rest);
      if (action == "S+:") co_await say(stream, std::string(std::strtoull(rest.c_str(), nullptr, 10), rest.back()));
      if (action == "C:") co_await hear_line(stream, rest);
      if (action == "BODY") co_await hear_body(stream);
      if (action == "BDAT") co_await hear_chunk(stream);
      if (action == "TLS") co_await stream.start_tls(tls, in(10s));
      if (action == "INJECT") co_await stream.write("220 go\r\n250 forged\r\n", in(10s));
      if (action == "HANG" || action == "STOP" || action == "CLOSE") break;
    }
    bool closes = at == "CLOSE";
    bool stops = at == "STOP";
    at.clear();
    if (closes) co_return;
    for (int i = 0; stops && i < 2000 && !client_gone; ++i) co_await io::sleep_until(in(5ms));
    co_await wait_for_the_end(stream);
  }
};

inline io::Task<void> accept_one(io::Listener& listener, Server& server) {
  auto stream = co_await listener.accept();
  co_await server.run(std::move(stream));
}

// What the client does, and what came of it.
struct Play {
  Target target;
  TlsContexts tls;
  Envelope envelope;
  std::vector<std::string> body{"Subject: x\r\n\r\ntext\r\n"};
  int messages = 1;
  bool probes = false;
  bool quits = false;
  std::chrono::milliseconds pause{0};   // behind the messages

  Server server;
  Outcome failure;
  bool connected = false;
  Extensions offered;
  std::vector<Outcome> outcomes;   // of the last message
  bool usable = false;             // behind it
  bool was_tls = false;
  io::CertificateFault fault = io::CertificateFault::none;

  explicit Play(std::string script) {
    server.script = std::move(script);
    target.helo = "gate.test";
    target.tls_name = "mx.example.test";
    target.timeouts.quit = 5s;
    envelope.sender = "you@sender.test";
    to({"ann@rcpt.test"});
  }
  Play& to(std::vector<std::string> recipients) {
    envelope.recipients.clear();
    for (auto& address : recipients) envelope.recipients.emplace_back().address = std::move(address);
    return *this;
  }
  Play& lmtp() {
    target.dialect = Dialect::lmtp;
    return *this;
  }
  // The wait at that step is short: for servers that say nothing there.
  Play& impatient(Step step) {
    auto& t = target.timeouts;
    auto& wait = step == Step::greeting ? t.greeting
                 : step == Step::tls    ? t.tls
                 : step == Step::data   ? t.data
                 : step == Step::body   ? t.block
                 : step == Step::end    ? t.end
                                        : t.command;
    wait = 300ms;
    return *this;
  }

  Play& run() {
    io::Loop loop;
    loop.block_on(play(loop));
    INFO(server.script);
    CHECK(server.problem == "");
    CHECK(server.at == (server.breaks_off ? "TLS" : ""));
    return *this;
  }
  const Outcome& first() const { return outcomes.at(0); }

 private:
  io::Task<void> play(io::Loop& loop) {
    io::Listener listener(std::move(io::listen_on(*Endpoint::parse("127.0.0.1:0")).value()));
    target.endpoint = io::local_of(listener.fd());
    loop.spawn(accept_one(listener, server), "server");
    auto opened = co_await Connection::connect(target, tls);
    failure = std::move(opened.failure);
    connected = opened.connection != nullptr;
    if (connected) {
      auto& connection = *opened.connection;
      offered = connection.extensions();
      was_tls = connection.is_tls();
      fault = connection.certificate_fault();
      co_await use(connection);
      if (pause.count() != 0) co_await io::sleep_until(in(pause));
      usable = connection.usable();
      if (quits) co_await connection.quit();
    }
    opened.connection = nullptr;
    server.client_gone = true;
    co_await postern::test::ended(loop);
  }
  io::Task<void> use(Connection& connection) {
    std::vector<std::string_view> pieces(body.begin(), body.end());
    for (int i = 0; i < messages && connection.usable(); ++i) {
      if (!probes) {
        outcomes = co_await connection.send(envelope, pieces);
        continue;
      }
      auto outcome = co_await connection.probe(envelope.sender, envelope.recipients.at(0).address);
      outcomes.assign(1, std::move(outcome));
    }
  }
};

// The script up to the answer to EHLO.
inline std::string hello(std::initializer_list<const char*> offered) {
  std::string out = "S: 220 mx.test ESMTP\nC: EHLO gate.test\nS: 250-mx.test\n";
  for (const char* keyword : offered) out += "S: 250-" + std::string(keyword) + "\n";
  return out + "S: 250 HELP\n";
}

}  // namespace postern::smtp_client::test
