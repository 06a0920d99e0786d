#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "filters/facts.h"
#include "filters/memo.h"
#include "filters/spf.h"
#include "gateway/base/bytes.h"
#include "gateway/base/clock.h"
#include "gateway/dns/resolver.h"
#include "gateway/io/worker_pool.h"
#include "gateway/mail/mime.h"

namespace postern::filters {

struct EvidenceConfig {
  std::string hostname;                        // for %{r} of SPF
  // After these a fact is its error case.
  std::chrono::milliseconds reputation{10'000};
  std::chrono::milliseconds spf{20'000};       // RFC 7208 4.6.4 asks for at least 20 s
  std::chrono::milliseconds dkim{20'000};
  std::chrono::milliseconds dmarc{20'000};
  std::chrono::milliseconds arc{20'000};
  std::chrono::milliseconds virus{120'000};
  std::uint64_t dmarc_salt = 0;                // which messages pct= takes; random at start
  SpfOptions spf_options;
};

// Scans a message; its own error case for all that goes wrong.
// The table lives until the task ends.
using ScanVirus = std::function<io::Task<Virus>(Octets, const mail::PartTable&)>;

// Computes the facts: one object a loop, used on that loop's thread only.  Everything handed in must
// outlive the loop's tasks.  SPF that was computed at the stage mail is used again for the message of
// the same session, sender and HELO.
class Evidence : public EvidenceSource {
 public:
  // `workers` nullptr: everything on the loop (tests, one-shot commands).  `scan` empty: Virus::State::off.
  Evidence(dns::Resolver& resolver, io::WorkerPool* workers, const Clock& clock, EvidenceConfig config, ScanVirus scan);

  std::unique_ptr<ConnectionEvidence> connection(const smtp::Client& client) override;
  std::unique_ptr<MessageEvidence> message(const smtp::Client& client, const smtp::Sender& sender, Octets received,
                                           Arrival arrival = {}) override;

 private:
  std::shared_ptr<Memo<Spf>> spf_memo(const smtp::Client& client, const smtp::Sender& sender);

  dns::Resolver& resolver_;
  io::WorkerPool* workers_;
  const Clock& clock_;
  EvidenceConfig config_;
  ScanVirus scan_;
  // The SPF of each session's latest transaction, oldest first; bounded.
  struct Remembered {
    std::string session;
    std::string key;
    std::shared_ptr<Memo<Spf>> spf;
  };
  std::list<Remembered> spf_by_age_;
  std::map<std::string, std::list<Remembered>::iterator> spf_by_session_;
};

}  // namespace postern::filters
