// Where an address leads: aliases of aliases, forwards, bounces to what we sent on.  It ends whatever they are.
#include <algorithm>
#include <deque>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/directory/directory.h"
#include "gateway/directory/domains.h"
#include "gateway/mail/address.h"

namespace postern::directory {
namespace {

using Kind = Resolution::Kind;

constexpr std::size_t kMostSteps = 100'000;   // of one expansion: aliases may name each other in every combination

std::string with_tag(const std::string& address, const std::string& tag) {
  auto at = address.rfind('@');
  if (tag.empty() || address.find('+') < at) return address;
  return address.substr(0, at) + "+" + tag + address.substr(at);
}

}  // namespace

class Directory::Walk {
 public:
  Walk(const Directory& directory, const View& view) : directory_(directory), view_(view) {}

  Expansion run(const Resolution& resolution, std::string_view address) {
    take(resolution, {std::string(address), "", ""}, true);
    for (std::size_t steps = 0; !todo_.empty(); ++steps) {
      auto next = std::move(todo_.front());
      todo_.pop_front();
      if (steps < kMostSteps) take(directory_.resolve_in(view_, next.address), next, false);
      else out_.cut = true;
    }
    if (out_.targets.empty() && unkept_) out_.targets.push_back(std::move(*unkept_));
    return std::move(out_);
  }

 private:
  struct Step {
    std::string address;
    std::string tag;
    std::string sent_by;
  };

  void take(const Resolution& resolution, const Step& step, bool first) {
    switch (resolution.kind) {
      case Kind::account: return take_account(resolution, step, first);
      case Kind::alias: return take_alias(resolution, resolution.tag.empty() ? step.tag : resolution.tag);
      case Kind::list: return take_list(resolution, step);
      case Kind::returned: return todo_.push_back({resolution.original, "", step.address});
      case Kind::onward: return add(resolution, known_there(resolution, step.address), "");
      case Kind::not_ours: return add(resolution, step.address, step.sent_by);
      default: out_.lost.push_back(step.address);
    }
  }

  // Hosts of a user know him, and not what else leads to him.
  static const std::string& known_there(const Resolution& resolution, const std::string& address) {
    bool otherwise = resolution.by == Resolution::By::catch_all || resolution.by == Resolution::By::postmaster;
    return resolution.has_own_hosts() && otherwise ? resolution.account_address : address;
  }

  void take_alias(const Resolution& alias, const std::string& tag) {
    if (!seen_.insert(alias.account_address).second) return;   // a loop, or twice the same
    auto found = view_.addresses->aliases.find(alias.account_address);
    if (found == view_.addresses->aliases.end()) return;   // removed since it was looked up
    for (const auto& target : found->second) todo_.push_back({target, tag, alias.account_address});
  }

  // Its own machinery takes what comes to a list; who runs it has an address like an alias.
  void take_list(const Resolution& list, const Step& step) {
    bool for_owners = list.list_role == ListRole::owner || (list.list_role == ListRole::bounces && list.original.empty());
    auto found = view_.lists->find(list.account_address);
    if (!for_owners || found == view_.lists->end()) return add(list, step.address, "");
    if (!seen_.insert(list_address(list.account_address, ListRole::owner)).second) return;
    for (const auto& owner : found->second->owners) todo_.push_back({owner, "", list.account_address});
  }

  void take_account(const Resolution& account, const Step& step, bool first) {
    Expansion::Target target;
    target.address = !first && account.by == Resolution::By::address ? with_tag(step.address, step.tag) : step.address;
    target.account = account.account;
    target.account_address = account.account_address;
    auto forward = view_.addresses->forwards.find(account.account_address);
    if (forward == view_.addresses->forwards.end()) return add(std::move(target));
    bool led_on = false;
    bool again = !seen_.insert(account.account_address).second;
    for (const auto& to : forward->second.targets) {
      if (directory_.resolve_in(view_, to).kind == Kind::not_ours) {
        target.forward.push_back(to);
      } else {
        led_on = true;
        if (!again) todo_.push_back({to, step.tag, account.account_address});
      }
    }
    // Also who sends all of his mail outside takes part: what is not good stays with him.
    bool takes = forward->second.keep || !target.forward.empty();
    target.keep = forward->second.keep;
    if (takes) return add(std::move(target));
    target.keep = true;
    if (!led_on) return add(std::move(target));
    if (!unkept_) unkept_ = std::move(target);
  }

  void add(const Resolution& resolution, const std::string& address, const std::string& sent_by) {
    Expansion::Target target;
    target.kind = resolution.kind;
    target.address = address;
    target.account_address = resolution.account_address;
    target.domain = resolution.domain;
    target.sent_by = sent_by;
    add(std::move(target));
  }

  void add(Expansion::Target target) {
    if (!reached_.insert(target.address).second) return;
    if (out_.targets.size() < kMostTargets) out_.targets.push_back(std::move(target));
    else out_.cut = true;
  }

  const Directory& directory_;
  const View& view_;
  Expansion out_;
  std::deque<Step> todo_;
  std::set<std::string, std::less<>> seen_;      // aliases, and accounts whose forwards were followed
  std::set<std::string, std::less<>> reached_;
  std::optional<Expansion::Target> unkept_;      // if nobody else takes the message
};

Expansion Directory::expand_in(const View& view, const Resolution& resolution, std::string_view address) const {
  return Walk(*this, view).run(resolution, address);
}

Expansion Directory::expand(const Resolution& resolution, std::string_view address) const {
  auto out = expand_in(view(), resolution, address);
  for (const auto& lost : out.lost) {
    log::warning("directory.alias", {{"address", std::string(address)}, {"what", printable(lost) + " is no recipient"}});
  }
  return out;
}

std::optional<std::string> Directory::sender_of_forwarded(const std::string& sender, const std::string& sent_by) const {
  auto path = mail::parse_address(sender);
  if (sender.empty() || !path) return sender;
  auto domains = current();
  if (domains->catch_all.contains(path->domain)) return sender;
  auto srs = keys_.current();
  if (!srs) return std::nullopt;
  auto domain = domains->srs_domain.empty() ? sent_by.substr(sent_by.rfind('@') + 1) : domains->srs_domain;
  auto rewritten = srs->rewritten(*path, domain, clock_.now());
  return rewritten ? rewritten->text() : sent_by;
}

}  // namespace postern::directory
