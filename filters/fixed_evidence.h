#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "filters/arc.h"
#include "filters/facts.h"

namespace postern::filters {

// Facts that are given, not found out: for the tests in rule files and for unit tests of the judge.
// What is not given is "nothing known": spf, dkim and dmarc none, a clean scan, no reverse name.
class FixedEvidence : public EvidenceSource {
 public:
  Reputation reputation;
  Spf spf;
  Dkim dkim;
  Dmarc dmarc;
  Arc arc;
  Virus virus{Virus::State::clean, "", ""};
  std::optional<std::string> text;              // else the body as it is
  std::vector<Link> links;
  std::vector<Attachment> attachments;
  Files files;
  std::map<std::string, double> signs;          // beside those that the message has
  bool opaque = false;
  // Facts answer on a later turn of the loop, as real ones do.
  bool late = false;
  std::chrono::milliseconds lateness{1};
  int asked = 0;                                // how often a fact was waited for

  std::unique_ptr<ConnectionEvidence> connection(const smtp::Client& client) override;
  std::unique_ptr<MessageEvidence> message(const smtp::Client& client, const smtp::Sender& sender, Octets received,
                                           Arrival arrival = {}) override;
};

}  // namespace postern::filters
