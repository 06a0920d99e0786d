#pragma once

#include <string>
#include <utility>
#include <vector>

#include "gateway/dns/zone.h"

namespace postern::dns {

// Answers from a zone alone, at once: for rule tests, `explain --dns` and unit tests.  A name that the zone does not
// know is nxdomain; SERVFAIL, TIMEOUT and RUBBISH are answered as such without a wait.
class FixedResolver : public Resolver {
 public:
  FixedResolver() = default;
  explicit FixedResolver(Zone zone) : zone_(std::move(zone)) {}

  Zone& zone() { return zone_; }
  // One entry of a rule test: dns = { ["9.100.51.198.zen.example A"] = "127.0.0.2" }.
  postern::Status add(std::string_view name_and_type, std::string_view value);

  io::Task<Answer> query(std::string name, Type type, Deadline deadline) override;

  // What was asked, in order, as "name TYPE".
  const std::vector<std::string>& asked() const { return asked_; }
  void forget_asked() { asked_.clear(); }

 private:
  Zone zone_;
  std::vector<std::string> asked_;
};

}  // namespace postern::dns
