// Allow and block lists of recipients: an allowed author must be proved, a blocked one need not.
#include "filters/own_lists.h"

#include <algorithm>

#include "filters/dmarc.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

using mail::SenderWord;

std::string domain_of(std::string_view address) { return std::string(address.substr(address.rfind('@') + 1)); }

// RFC 7489 3.1, relaxed: as of a domain that publishes no policy.
bool is_aligned(std::string_view proved, const std::string& author_domain) {
  return !proved.empty() && organizational_domain(proved) == organizational_domain(author_domain);
}

bool is_proved(const lua::Scene& scene) {
  if (scene.dmarc == nullptr) return false;
  if (scene.dmarc->result != DmarcResult::none) return scene.dmarc->result == DmarcResult::pass;
  auto domain = domain_of(scene.author);
  if (scene.spf != nullptr && scene.spf->result == SpfResult::pass && is_aligned(scene.spf->domain, domain)) return true;
  if (scene.dkim == nullptr) return false;
  return std::any_of(scene.dkim->signatures.begin(), scene.dkim->signatures.end(), [&](const DkimSignature& signature) {
    return signature.result == DkimResult::pass && is_aligned(signature.domain, domain);
  });
}

const mail::SenderList::value_type* said_of(const lua::Scene& scene, std::size_t recipient, std::string_view address) {
  const auto& senders = scene.recipients.at(recipient).senders;
  return !senders || address.empty() ? nullptr : mail::find_sender(*senders, address);
}

}  // namespace

void read_author(lua::Scene& scene) {
  scene.author.clear();
  scene.author_proved = false;
  scene.allowing.clear();
  bool asked = std::any_of(scene.recipients.begin(), scene.recipients.end(),
                           [](const smtp::Recipient& one) { return one.senders && !one.senders->empty(); });
  if (!asked) return;
  const auto* from = scene.header.find("From");
  if (from == nullptr || scene.header.count("From") != 1) return;
  scene.author = mail::author_of(from->raw);
  scene.author_proved = !scene.author.empty() && is_proved(scene);
  std::vector<bool> allowing(scene.recipients.size());
  for (std::size_t i = 0; i < allowing.size(); ++i) allowing[i] = allowing_entry(scene, i).has_value();
  if (std::find(allowing.begin(), allowing.end(), true) != allowing.end()) scene.allowing = std::move(allowing);
}

std::optional<std::string> allowing_entry(const lua::Scene& scene, std::size_t recipient) {
  const auto* said = scene.author_proved ? said_of(scene, recipient, scene.author) : nullptr;
  if (said == nullptr || said->second != SenderWord::allow) return std::nullopt;
  return said->first;
}

std::optional<std::string> blocking_entry(const lua::Scene& scene, std::size_t recipient) {
  const auto* said = said_of(scene, recipient, scene.author);
  // An unproved author who is allowed is nobody of whom something is said.
  bool silent = said == nullptr || (said->second == SenderWord::allow && !scene.author_proved);
  if (silent && !scene.sender.address.empty()) said = said_of(scene, recipient, mail::sender_entry(scene.sender.address).value_or(""));
  if (said == nullptr || said->second != SenderWord::block) return std::nullopt;
  return said->first;
}

}  // namespace postern::filters
