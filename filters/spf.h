#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "filters/facts.h"
#include "gateway/base/clock.h"
#include "gateway/base/ip.h"
#include "gateway/dns/resolver.h"
#include "gateway/io/task.h"

// SPF: may this address send for this domain?  RFC 7208.
namespace postern::filters {

// With a constructor, since it is given by value to a coroutine.
struct SpfQuery {
  SpfQuery(IpAddress client, std::string helo_name, std::string mail_from, std::string our_name)
      : ip(client), helo(std::move(helo_name)), sender(std::move(mail_from)), receiver(std::move(our_name)) {}
  IpAddress ip;
  std::string helo;      // as the client said it
  std::string sender;    // MAIL FROM without <>; "" is the null sender: postmaster@helo is checked (2.4)
  std::string receiver;  // our host name, for %{r}
};

struct SpfOptions {
  SpfOptions() = default;
  bool second_opinion = true;           // run libspf2 beside our evaluation (15 us)
  bool speculate = true;                // ask ahead what the record may need
  const Clock* clock = &Clock::system();  // for %{t}
};

// How often libspf2 was asked and how often it said something else; over all loops, for metrics.
struct SpfFigures {
  std::atomic<std::uint64_t> compared{0};
  std::atomic<std::uint64_t> differed{0};
};
SpfFigures& spf_figures();

// check_host() of RFC 7208 4 for the identity that `query` names.
//
// We evaluate ourselves: strict grammar, at most ten terms that ask DNS and two void answers over the whole evaluation
// (4.6.4), at most ten names of an MX or PTR.  Questions are asked ahead and in parallel, which never counts.  With
// `second_opinion` libspf2 evaluates the same records, cleaned and with macros expanded, from the answers we got; where
// it differs (Spf::libspf2_differs) our result stands and a line is logged.
// A passed deadline or an unknown answer is temperror with the name in `problem`.  Never throws for what a foreigner
// wrote.  `resolver` must outlive the task.
io::Task<Spf> check_spf(dns::Resolver& resolver, SpfQuery query, Deadline deadline, SpfOptions options = {});

}  // namespace postern::filters
