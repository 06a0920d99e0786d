// Copies that a rule let pass and delivery holds.
#include "gateway/delivery/hold.h"

namespace postern::delivery {

bool is_good(const smtp::RecipientVerdict& copy) {
  return copy.action != smtp::Action::quarantine && !copy.refused() && copy.folder != "Junk";
}

void hold(Judged& message, std::size_t recipient, std::string_view message_class, const std::string& why, const std::string& rule) {
  auto& copy = message.verdict.recipients[recipient];
  smtp::Hit hit;
  hit.rule = rule;
  hit.kind = "quarantine";
  hit.stage = smtp::Stage::deliver;
  hit.why = why;
  hit.at = rule;
  hit.recipient = copy.address;
  message.verdict.hits.insert(message.verdict.hits.begin(), std::move(hit));   // first: it is the reason
  copy.action = smtp::Action::quarantine;
  copy.folder = "Quarantine";
  copy.quarantine_class = message_class;
  copy.redirect.clear();
}

}  // namespace postern::delivery
