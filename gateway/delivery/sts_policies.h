#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "gateway/base/clock.h"
#include "gateway/dns/resolver.h"
#include "gateway/io/https.h"
#include "gateway/io/loop.h"
#include "gateway/smtp_client/sts.h"
#include "gateway/store/store.h"

namespace postern::delivery {

// The MTA-STS policies of other domains (RFC 8461): asked of DNS and HTTPS, kept in the store as long as they say.
//
// One for the whole program, on the loop that sends.  The references must outlive it, and its loop's tasks must have
// ended before it is destroyed.
class StsPolicies {
 public:
  using Fetch = std::function<io::Task<io::HttpsAnswer>(io::HttpsRequest, Deadline)>;
  struct Parts {
    io::Loop& loop;
    dns::Resolver& resolver;
    store::Store& store;
    std::string trust = {};            // as HttpsRequest
    Fetch fetch = io::get_https;
    const Clock* clock = &Clock::system();
  };
  struct Found {
    enum class Trouble { none, fetch, not_trusted, invalid };
    std::optional<smtp_client::StsPolicy> policy;   // in force; also one of mode none
    Trouble trouble = Trouble::none;                // DNS says that there is a newer one, and it cannot be had
    std::string words;                              // why
  };

  explicit StsPolicies(Parts parts) : parts_(std::move(parts)) {}

  // 5.1: a policy that is kept counts until its time is over, whatever DNS and the web server say meanwhile; one that
  // cannot be had the first time does not count.  Waits for the web server at most half a minute.
  io::Task<Found> find(std::string domain);
  // Erases what is over, until it is cancelled.
  io::Task<void> keep();

 private:
  struct Known {
    bool read = false;                     // from the store
    std::string id;
    std::optional<smtp_client::StsPolicy> policy;
    Time fetched{};
    Deadline not_before{};                 // no fetch
    Found::Trouble trouble = Found::Trouble::none;   // of the last fetch
    std::string words;
    bool fetching = false;
    io::Signal fetched_now;
  };
  using KnownPtr = std::shared_ptr<Known>;

  KnownPtr known_for(const std::string& domain);
  io::Task<void> read_row(std::string domain, KnownPtr known);
  bool holds(const Known& known) const;
  Found in_force(const Known& known) const;
  void begin_fetch(const std::string& domain, const std::string& id, const KnownPtr& known);
  io::Task<void> fetch(std::string domain, std::string id, KnownPtr known);
  io::Task<io::HttpsAnswer> get(std::string domain);
  io::Task<void> write_row(std::string domain, KnownPtr known);
  io::Task<void> erase_old();

  Parts parts_;
  std::map<std::string, KnownPtr> known_;
};

// What an answer of the web server is worth: a policy, or why none.
StsPolicies::Found read_sts_answer(const std::string& domain, const io::HttpsAnswer& answer);

}  // namespace postern::delivery
