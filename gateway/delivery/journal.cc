// Where the copies go that a rule wants kept.
#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/delivery/deliverer.h"

namespace postern::delivery {
namespace {

// Reports on it go to nobody: its author has not sent this copy.
JournalCopy journal_to(store::AccountId account, std::string domain, std::string address) {
  JournalCopy copy;
  copy.account = account;
  if (account == 0) copy.onward = {std::move(domain), std::move(address), "", {}, {}, {}, ""};
  return copy;
}

// The original of a virus lies in one place alone.
bool holds_virus(const Judged& message) {
  const auto& copies = message.verdict.recipients;
  return std::any_of(copies.begin(), copies.end(), [](const auto& copy) { return copy.quarantine_class == "virus"; });
}

void note_lost_journal(Judged& message, const std::string& address) {
  smtp::Hit wrong;
  for (const auto& hit : message.verdict.hits) {
    if (hit.kind == "journal") wrong = hit;
  }
  wrong.kind = "error";
  wrong.recipient.clear();
  wrong.why = "a journal copy for " + address + ", an address that nobody has: postmaster got it";
  log::error("deliver.journal", {{"message", message.id}, {"rule", wrong.rule}, {"at", wrong.at}, {"what", wrong.why}});
  message.verdict.hits.push_back(std::move(wrong));
}

}  // namespace

std::vector<JournalCopy> Deliverer::journals_of(Judged& message) const {
  std::vector<JournalCopy> out;
  if (holds_virus(message)) return out;
  for (const auto& address : message.verdict.journals) {
    auto to = directory_.resolve(address);
    auto before = out.size();
    if (to.found()) {
      out.push_back(journal_to(to.account, "", ""));
    } else if (to.kind == directory::Resolution::Kind::onward || to.kind == directory::Resolution::Kind::not_ours) {
      out.push_back(journal_to(0, to.domain, to.has_own_hosts() ? to.account_address : address));
    } else if (to.kind == directory::Resolution::Kind::alias) {
      for (const auto& target : directory_.expand(to, address).targets) {
        if (target.kind == directory::Resolution::Kind::list) continue;   // its members are no journal
        out.push_back(journal_to(target.account, target.domain, target.address));
      }
    }
    if (out.size() > before) continue;
    note_lost_journal(message, address);
    auto postmaster = directory_.resolve("postmaster");
    if (postmaster.found()) out.push_back(journal_to(postmaster.account, "", ""));
    if (postmaster.kind == directory::Resolution::Kind::onward) {
      out.push_back(journal_to(0, postmaster.domain, postmaster.has_own_hosts() ? postmaster.account_address : directory_.postmaster_address()));
    }
  }
  return out;
}

}  // namespace postern::delivery
