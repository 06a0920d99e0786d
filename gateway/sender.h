#pragma once

#include <memory>
#include <thread>

#include "gateway/delivery/connector.h"
#include "gateway/delivery/queue.h"
#include "gateway/delivery/sts_policies.h"
#include "gateway/delivery/tls_results.h"
#include "gateway/dns/cares_resolver.h"
#include "gateway/io/loop.h"
#include "gateway/shared.h"

namespace postern {

// The loop that sends mail on, with its thread.
class Sender {
 public:
  explicit Sender(Shared& shared);
  ~Sender();
  Sender(const Sender&) = delete;

  delivery::Queue& queue() { return queue_; }
  const delivery::TlsResults& tls_results() const { return tls_results_; }
  void start();
  void join();
  void end_tasks() { loop_.end_tasks(); }

 private:
  store::Store& store_;
  io::Loop loop_;
  dns::CaresResolver resolver_;
  delivery::StsPolicies sts_;
  delivery::TlsResults tls_results_;
  delivery::Connector connector_;
  delivery::Queue queue_;
  std::thread thread_;
};

// Under which names and addresses mail for us would come back to us.
smtp_client::Ourselves ourselves(const config::Config& config);

}  // namespace postern
