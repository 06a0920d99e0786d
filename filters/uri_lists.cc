// Questions to lists of spammed domains, and the choice of what to ask.
#include "filters/uri_lists.h"

#include <algorithm>
#include <utility>

#include "filters/public_suffix.h"
#include "gateway/base/ip.h"
#include "gateway/io/together.h"

namespace postern::filters {

void UriNames::add(const LinkSigns& link) {
  if (!link.url.is_web() || link.url.bad_host || link.url.host.empty()) return;
  bool suspect = link.has(LinkSign::form) || link.has(LinkSign::automatic) || link.has(LinkSign::shown_elsewhere) ||
                 link.has(LinkSign::ip_host) || link.has(LinkSign::user_is_host) || link.has(LinkSign::imitates_ascii);
  Weight weight = Weight::link;
  if (link.has(LinkSign::hidden)) weight = Weight::hidden;
  if (link.level > 0) weight = Weight::inside;
  if (suspect) weight = Weight::suspect;
  add(link.url.address ? link.url.address->to_string() : std::string_view(link.url.host), weight);
}

void UriNames::add(std::string_view host, Weight weight) {
  std::string name;
  if (auto address = IpAddress::parse(host)) {
    if (address->is_private()) return;
    name = address->to_string();
  } else {
    name = registrable_domain(host);
    if (name.empty() || !has_known_tld(name)) return;   // nobody can have registered it
  }
  if (ignored_ != nullptr && (ignored_->contains(name) || ignored_->contains(host))) return;
  if (auto known = known_.find(name); known != known_.end()) {
    names_[known->second].weight = std::max(names_[known->second].weight, weight);
    return;
  }
  if (names_.size() >= kMaxUriKnown) return;
  known_.emplace(name, names_.size());
  names_.push_back({std::move(name), weight});
}

std::vector<std::string> UriNames::chosen(std::size_t limit) const {
  std::vector<std::string> out;
  for (int weight = static_cast<int>(Weight::suspect); weight >= 0; --weight) {
    std::vector<const Name*> equal;
    for (const Name& name : names_) {
      if (static_cast<int>(name.weight) == weight) equal.push_back(&name);
    }
    for (std::size_t i = 0; i < equal.size() && out.size() < limit; ++i) {
      out.push_back(equal[i % 2 == 0 ? i / 2 : equal.size() - 1 - i / 2]->name);
    }
  }
  return out;
}

io::Task<UriListed> ask_uri_lists(DnsLists& lists, dns::Resolver& resolver, std::vector<std::string> names,
                                  std::vector<UriZone> zones, Deadline deadline) {
  UriListed out;
  out.left_out = names.size() > kMaxUriNames || zones.size() > kMaxUriZones;
  names.resize(std::min(names.size(), kMaxUriNames));
  zones.resize(std::min(zones.size(), kMaxUriZones));
  std::vector<std::pair<std::size_t, std::size_t>> asked;   // name, zone
  std::vector<io::Task<Listing>> questions;
  for (std::size_t name = 0; name < names.size(); ++name) {
    bool address = IpAddress::parse(names[name]).has_value();
    for (std::size_t zone = 0; zone < zones.size(); ++zone) {
      if (address && !zones[zone].addresses) continue;
      asked.emplace_back(name, zone);
      questions.push_back(lists.listed(resolver, names[name], zones[zone].zone, deadline));
    }
  }
  out.questions = questions.size();
  std::vector<Listing> answers = co_await io::together(std::move(questions));
  std::vector<bool> told(zones.size());
  for (std::size_t i = 0; i < answers.size(); ++i) {
    auto [name, zone] = asked[i];
    if (answers[i].listed()) {
      out.entries.push_back({names[name], zones[zone].zone, std::move(answers[i].codes)});
    } else if (answers[i].state == Listing::State::trouble && !told[zone]) {
      told[zone] = true;
      out.troubles.push_back(std::move(answers[i].problem));
    }
  }
  co_return out;
}

}  // namespace postern::filters
