// RCPT to an address that bears a token: what it names is released once a message was sent there, whatever it says.  Not at
// RCPT already: servers ask with it whether an address exists.  The token is a secret of its user's, so no log and no
// trace has the address, and no rule sees it.
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/delivery/link_release.h"
#include "gateway/directory/directory.h"
#include "gateway/smtp/session.h"

namespace postern::smtp {
namespace {

constexpr std::size_t kMostReleases = 100;   // of one message

}  // namespace

bool Session::has_recipients() const { return !transaction_->recipients.empty() || !transaction_->releases.empty(); }

bool Session::names_release(const mail::Path& path) const {
  if (services_.releases == nullptr || !delivery::token_in_local_part(path.local)) return false;
  return iequals(path.domain, settings_->hostname) || services_.directory->is_ours(path.domain);
}

Reply Session::rcpt_release(const mail::Path& path) {
  using Kind = directory::LinkTokens::Read::Kind;
  auto read = services_.releases->read(*delivery::token_in_local_part(path.local));
  if (!read.ok()) {
    bool expired = read.kind == Kind::expired;
    ++services_.counters->recipients_refused;
    log::info("link.refused", {{"session", client_.session}, {"ip", client_.ip.to_string()}, {"by", "mail"}, {"why", expired ? "expired" : "forged"}});
    return {550, "5.7.1", expired ? "This address is too old; the message can still be released in the quarantine itself"
                                  : "This address was not made here, or was changed on its way"};
  }
  if (is_counted() && !services_.limits->recipient(client_.ip)) {
    return {451, "4.7.1", "Too many recipients lately from " + client_.ip.to_string() + ", try again later"};
  }
  if (transaction_->releases.size() == kMostReleases) return {452, "4.5.3", "Too many recipients"};
  transaction_->releases.push_back(std::move(read.what));
  transaction_->accepted.push_back(std::string(delivery::kMaskedLocalPart) + "@" + path.domain);
  return {250, "2.1.5", "Recipient OK"};
}

// Nothing: the message has other recipients, and is to be judged for them.
io::Task<std::optional<Reply>> Session::release_held() {
  auto wanted = transaction_->releases;
  std::size_t released = 0;
  for (const auto& each : wanted) {
    auto done = co_await services_.releases->release(each, "mail", origin().ip.to_string());
    // Sent again, it finds the ones that were released gone, which is no mistake.
    if (done.kind == delivery::LinkReleases::Done::Kind::failed) co_return Reply(451, "4.3.0", "This cannot be released now, try again later");
    if (done.kind == delivery::LinkReleases::Done::Kind::released) ++released;
  }
  if (!transaction_->recipients.empty()) co_return std::nullopt;
  co_return Reply(250, "2.0.0", released > 0 ? "Released" : "There was nothing to release any more");
}

}  // namespace postern::smtp
