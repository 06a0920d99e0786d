#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gateway/delivery/connector.h"
#include "gateway/delivery/ldap_check.h"
#include "gateway/delivery/recipient_check.h"
#include "gateway/delivery/through.h"
#include "gateway/io/listener.h"
#include "gateway/io/loop.h"
#include "gateway/io/signal.h"
#include "gateway/ports.h"
#include "gateway/shared.h"

namespace postern {

// One event loop with its thread, its judge and its sessions.
class Unit {
 public:
  explicit Unit(Shared& shared) : shared_(shared) {
    auto told = [this](const filters::lua::RuleInfo& rule, const std::string& reason) { tell_postmaster(rule, reason); };
    judging_ = std::make_unique<admin::LoopJudging>(*shared.judging, loop_, std::move(told));
    delivery::Connector::Self self{shared_.config.hostname, {}, delivery::RecipientCheck::timeouts(), shared_.outward_tls,
                                   shared_.config.dns.validating};
    connector_ = std::make_unique<delivery::Connector>(judging_->resolver, std::move(self));
    recipients_ = std::make_unique<delivery::RecipientCheck>(*connector_, shared_.recipients);
    ldap_recipients_ = std::make_unique<delivery::LdapCheck>(shared_.recipients);
    delivery::Connector::Self sends{shared_.config.hostname, {}, delivery::Through::timeouts()};
    sender_ = std::make_unique<delivery::Connector>(judging_->resolver, std::move(sends));
    through_ = std::make_unique<delivery::Through>(*sender_, shared_.routes);
    fill_services();
  }
  ~Unit() {
    join();
    loop_.end_tasks();   // sessions and judgements end before what they work with
  }
  Unit(const Unit&) = delete;

  void start(std::vector<Socket> sockets) {
    for (auto& socket : sockets) {
      auto acceptor = loop_.spawn(accept_all(socket.protocol, io::Listener(std::move(socket.fd))), "accept");
      acceptors_.push_back(acceptor);
    }
    thread_ = std::thread([this] { loop_.run(); });
  }

  // No new sessions; the ones that wait for a command say good-bye.
  void drain() {
    loop_.post([this] {
      for (auto acceptor : acceptors_) loop_.cancel(acceptor);
      draining_ = true;
      drain_.notify();
    });
  }
  void join() {
    loop_.stop();
    if (thread_.joinable()) thread_.join();
  }
  void end_tasks() { loop_.end_tasks(); }

 private:
  void fill_services();
  void tell_postmaster(const filters::lua::RuleInfo& rule, const std::string& reason);
  io::Task<void> accept_all(Protocol protocol, io::Listener listener);
  io::Task<void> serve_one(Protocol protocol, io::Stream stream, admin::Room::Seat seat);
  std::string overload(admin::Service service) const;
  io::Task<void> turn_away(Protocol protocol, io::Stream stream, std::string why);

  Shared& shared_;
  io::Loop loop_;
  std::unique_ptr<admin::LoopJudging> judging_;
  std::unique_ptr<delivery::Connector> connector_;          // for questions to hosts behind
  std::unique_ptr<delivery::RecipientCheck> recipients_;
  std::unique_ptr<delivery::LdapCheck> ldap_recipients_;
  std::unique_ptr<delivery::Connector> sender_;             // for messages that are handed through
  std::unique_ptr<delivery::Through> through_;
  io::Signal drain_;
  bool draining_ = false;
  smtp::Services smtp_;
  imap::Services imap_;
  pop3::Services pop3_;
  std::vector<io::Loop::TaskId> acceptors_;
  std::thread thread_;
};

}  // namespace postern
