#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "filters/dns_lists.h"
#include "filters/link_signs.h"

// DNS lists of domains that spam links to (SURBL, URIBL, Spamhaus DBL and their like).  RFC 5782 3.
namespace postern::filters {

constexpr std::size_t kMaxUriNames = 20;     // of one message that are asked about
constexpr std::size_t kMaxUriZones = 8;
constexpr std::size_t kMaxUriKnown = 2000;   // names that are weighed

// The names that a message leads to, each once, and which of them are worth a question.
class UriNames {
 public:
  // Nearer to what makes a reader lose is more.
  enum class Weight { loads, hidden, text, inside, link, suspect };

  // `ignored`: domains that are never asked about (own ones, the largest of the web), or nullptr.
  explicit UriNames(const List* ignored = nullptr) : ignored_(ignored) {}

  // A link as link_signs gives it, or a link inside of one.  Nothing happens for links that lead nowhere on the web.
  void add(const LinkSigns& link);
  // A host: its registrable domain, or an IP address.
  void add(std::string_view host, Weight weight);

  // At most `limit`, the weightiest first; of equal ones first, last, second, last but one, ...: a flood of harmless
  // links hides nothing before or behind it.
  std::vector<std::string> chosen(std::size_t limit = kMaxUriNames) const;
  std::size_t size() const { return names_.size(); }

 private:
  struct Name {
    std::string name;
    Weight weight = Weight::loads;
  };
  const List* ignored_;
  std::vector<Name> names_;
  std::unordered_map<std::string, std::size_t> known_;
};

struct UriZone {
  std::string zone;
  bool addresses = true;   // false: it must not be asked about IP addresses (Spamhaus DBL)
};

struct UriListed {
  struct Entry {
    std::string name;      // the domain or address that is listed
    std::string zone;
    std::vector<std::string> codes;
  };
  std::vector<Entry> entries;            // in the order of names, then of zones
  std::vector<std::string> troubles;     // a sentence for each zone that gave no answer to some question
  std::size_t questions = 0;
  bool left_out = false;                 // there were more names or zones than are asked about

  bool complete() const { return troubles.empty() && !left_out; }
};

// Asks all zones about all names at once.  `lists` and `resolver` outlive the task; the guard of DnsLists against dead
// lists holds, and equal questions of other messages are answered from the resolver's cache.  Never throws for what DNS
// says.
io::Task<UriListed> ask_uri_lists(DnsLists& lists, dns::Resolver& resolver, std::vector<std::string> names,
                                  std::vector<UriZone> zones, Deadline deadline);

}  // namespace postern::filters
