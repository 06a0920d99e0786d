#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gateway/delivery/queue.h"
#include "gateway/dns/fixed_resolver.h"
#include "tests/support/catch.h"
#include "tests/support/memory_store.h"
#include "tests/unit/delivery/host.h"

namespace postern::delivery::test {

// A world with hosts behind, and a queue that sends to them.  Domains: "one.test", "two.test" and so on.
struct QueueWorld {
  io::Loop loop;
  postern::test::MemoryStore store;
  config::Config config;
  std::unique_ptr<Routes> routes;
  std::unique_ptr<directory::Directory> directory;
  dns::FixedResolver resolver;
  std::unique_ptr<Connector> connector;
  std::unique_ptr<Queue> queue;
  store::AccountId postmaster = 0;
  std::chrono::milliseconds patience = 2s;   // with a host that does not answer
  std::chrono::hours age{0};                 // of what is put
  std::string message = "Subject: hi\r\n\r\n.text\r\n";   // what is put

  QueueWorld() {
    config.hostname = "gate.test";
    config.queue.retry = {40ms};
    config.domains.emplace_back().name = "home.test";
  }
  ~QueueWorld() { loop.end_tasks(); }

  QueueWorld& behind(const char* domain, std::vector<Host*> hosts) {
    auto& made = config.domains.emplace_back();
    made.name = domain;
    made.relay.tls = config::TlsUse::never;
    for (auto* host : hosts) {
      made.relay.hosts.push_back({false, "127.0.0.1", host->endpoint.port});
      loop.spawn(host->serve(loop), "host");
    }
    return *this;
  }
  QueueWorld& begin() {
    postmaster = store.add_account("postmaster@home.test");
    routes = std::make_unique<Routes>(config);
    directory = std::make_unique<directory::Directory>(config, store);
    smtp_client::Timeouts timeouts;
    timeouts.command = timeouts.greeting = timeouts.end = timeouts.tls = patience;
    connector = std::make_unique<Connector>(resolver, Connector::Self{"gate.test", {}, timeouts});
    queue = std::make_unique<Queue>(Queue::Parts{loop, store, *directory, *routes, *connector, "gate.test"}, config.queue);
    loop.spawn(queue->run(), "queue");
    return *this;
  }

  store::QueueId put(const char* domain, std::vector<std::string> recipients, bool may_report = false, std::string sender = "you@sender.test") {
    QueueState state;
    state.sender = std::move(sender);
    state.may_report = may_report;
    for (auto& address : recipients) state.recipients.push_back({address, address, ""});
    return put_state(domain, state);
  }
  store::QueueId put_state(const char* domain, const QueueState& state) {
    store::Item item;
    item.id = "7Q3K2";
    item.pieces.emplace_back(message);
    auto& onward = item.onward.emplace_back();
    onward.destination = domain;
    onward.header_prefix = "Received: from x by gate.test\r\n";
    onward.state = encode(state);
    store::Delivery delivery;
    delivery.items.push_back(std::move(item));
    store.now = Clock::system().now() - age;
    auto done = loop.block_on(store.deliver(std::move(delivery)));
    auto id = done.queued.at(0).at(0);
    queue->added({{id, domain, {}}});
    return id;
  }

  // Until it is true; false: it never came to be.
  bool until(const std::function<bool()>& what) {
    bool came = false;
    loop.block_on(watch(what, came));
    return came;
  }
  std::vector<store::QueueEntry> entries() {
    auto page = loop.block_on(store.queue(0, 1000));
    return std::move(*page);
  }
  bool empty() { return until([this] { return queued() == 0; }); }
  std::size_t queued() const { return store.queue_size(); }
  std::vector<std::string> mails(store::AccountId account, store::SpecialUse use) {
    std::vector<std::string> out;
    auto box = store.mailbox(account, use);
    if (!box) return out;
    auto rows = loop.block_on(store.messages(box->id, 1, UINT32_MAX, 100));
    for (const auto& row : *rows) out.push_back(*loop.block_on(store.read(row, 0, row.size())));
    return out;
  }

 private:
  static io::Task<void> watch(const std::function<bool()>& what, bool& came) {
    for (auto end = in(10s); !(came = what()) && in(0s) < end;) co_await io::sleep_until(in(2ms));
  }
};

}  // namespace postern::delivery::test
