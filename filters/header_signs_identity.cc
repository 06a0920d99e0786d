// Header signs: Date, Message-ID, and the way as Received fields tell it.  RFC 5322 3.6.1, 3.6.4, 3.6.7.
#include <algorithm>
#include <chrono>
#include <cmath>

#include "filters/free_mail.h"
#include "filters/header_reading.h"
#include "gateway/base/text.h"
#include "gateway/mail/date.h"

namespace postern::filters {
namespace {

double in_hours(Time::duration difference) { return std::chrono::duration<double, std::ratio<3600>>(difference).count(); }

std::optional<Time> came_at(const HeaderReading& reading) {
  if (reading.context.received_at) return reading.context.received_at;
  for (const Hop& hop : reading.hops) {
    if (hop.date) return hop.date->when;
  }
  return std::nullopt;
}

void find_date_signs(HeaderReading& reading) {
  HeaderSigns& signs = reading.signs;
  constexpr std::array<HeaderSign, 4> kCompared = {HeaderSign::date_hours_ahead, HeaderSign::date_hours_behind, HeaderSign::date_future, HeaderSign::date_past};
  auto date = reading.has(Known::date) ? mail::parse_date(reading.raw(Known::date)) : std::nullopt;
  signs.set(HeaderSign::date_unreadable, reading.has(Known::date) && !date);
  if (date) {
    signs.set(HeaderSign::date_improper, !date->proper);
    signs.set(HeaderSign::date_wrong_weekday, !date->weekday_right);
    signs.set(HeaderSign::date_impossible_zone, !date->zone_possible);
    signs.set(HeaderSign::date_unknown_zone, date->zone_possible && !date->zone_known);
  }
  auto came = came_at(reading);
  if (!date || !came) {
    for (HeaderSign sign : kCompared) signs.set_unknown(sign);
    return;
  }
  double ahead = in_hours(date->when - *came);
  signs.set(HeaderSign::date_hours_ahead, std::max(ahead, 0.0));
  signs.set(HeaderSign::date_hours_behind, std::max(-ahead, 0.0));
  signs.set(HeaderSign::date_future, ahead > 3);
  signs.set(HeaderSign::date_past, ahead < -72);
}

// An address in brackets or bare.
bool is_address(std::string_view domain) {
  if (domain.starts_with('[') && domain.ends_with(']')) return true;
  return IpAddress::parse(domain).has_value();
}

bool carried_by(const HeaderReading& reading, std::string_view provider) {
  for (const Hop& hop : reading.hops) {
    for (std::string_view host : {std::string_view(hop.helo), std::string_view(hop.reverse), std::string_view(hop.by)}) {
      if (large_provider(org_of(host)) == provider) return true;
    }
  }
  return false;
}

bool is_known_on_the_way(const HeaderReading& reading) {
  for (const Hop& hop : reading.hops) {
    if (org_of(hop.by) == reading.id_org || org_of(hop.helo) == reading.id_org || org_of(hop.reverse) == reading.id_org) return true;
  }
  return false;
}

bool holds_recipient(const HeaderReading& reading, std::string_view text) {
  auto holds = [&](std::string_view address) { return address.find('@') != std::string_view::npos && ifind(text, address) != std::string_view::npos; };
  const auto& recipients = reading.context.recipients;
  for (std::size_t i = 0; i < recipients.size() && i < kMaxSignedAddresses; ++i) {
    if (holds(recipients[i])) return true;
  }
  return !reading.to.empty() && holds(reading.to.front().address());
}

void find_message_id_signs(HeaderReading& reading) {
  HeaderSigns& signs = reading.signs;
  if (!reading.has(Known::message_id)) return;
  std::string whole = reading.line(Known::message_id);
  const std::string& id = reading.message_id;
  bool bracketed = whole.starts_with('<') && whole.ends_with('>') && std::count(whole.begin(), whole.end(), '<') == 1;
  bool one_word = id.find_first_of(" \t<>") == std::string::npos && !id.empty() && is_ascii(id);
  signs.set(HeaderSign::message_id_malformed, !bracketed || !one_word);
  std::size_t at = id.rfind('@');
  bool has_domain = at != std::string::npos && at + 1 < id.size();
  signs.set(HeaderSign::message_id_no_domain, !has_domain);
  signs.set(HeaderSign::message_id_many_at, std::count(id.begin(), id.end(), '@') > 1);
  signs.set(HeaderSign::message_id_short, (has_domain ? at : id.size()) < 6);
  signs.set(HeaderSign::message_id_has_recipient, holds_recipient(reading, id));
  if (!has_domain) return;
  std::string domain = ascii_lowered(std::string_view(id).substr(at + 1));
  bool address = is_address(domain);
  bool local = domain == "localhost" || domain.ends_with(".localhost") || domain.ends_with(".localdomain") || domain.ends_with(".local") || domain == "local";
  signs.set(HeaderSign::message_id_address, address);
  signs.set(HeaderSign::message_id_unqualified, !address && domain.find('.') == std::string::npos && !local);
  signs.set(HeaderSign::message_id_local_host, local);
  bool other = !reading.from_org.empty() && reading.id_org != reading.from_org;
  signs.set(HeaderSign::message_id_other_domain, other);
  std::string sender = reading.sender.empty() ? std::string() : org_of(reading.sender.front().domain);
  signs.set(HeaderSign::message_id_unrelated, other && reading.id_org != sender && reading.id_org != reading.envelope_org && !is_known_on_the_way(reading));
  auto provider = large_provider(reading.id_org);
  if (reading.hops.empty()) {
    signs.set_unknown(HeaderSign::message_id_false_provider);
  } else {
    signs.set(HeaderSign::message_id_false_provider, !provider.empty() && !carried_by(reading, provider));
  }
}

bool is_web(std::string_view with) { return with == "HTTP" || with == "HTTPS"; }

// Whether `later` got the message from the host that `earlier` calls itself.
bool joins(const Hop& later, const Hop& earlier) {
  if (earlier.by.empty() || (later.helo.empty() && later.reverse.empty())) return true;   // a hand-over inside of one host
  std::string by = org_of(earlier.by);
  return by == org_of(later.helo) || by == org_of(later.reverse) || (later.ip && later.ip->is_private()) || is_address(earlier.by);
}

void find_first_host_signs(HeaderReading& reading, const Hop& first) {
  HeaderSigns& signs = reading.signs;
  // A user's own machine may call itself what it likes.
  bool stranger = !first.authenticated() && !is_web(first.with);
  bool address = is_address(first.helo);
  signs.set(HeaderSign::received_first_helo_address, stranger && address);
  signs.set(HeaderSign::received_first_helo_unqualified, stranger && !address && !first.helo.empty() && first.helo.find('.') == std::string::npos && first.helo != "localhost");
  signs.set(HeaderSign::received_first_dialup, stranger && (is_dialup_name(first.helo) || is_dialup_name(first.reverse)));
  signs.set(HeaderSign::received_first_is_by, stranger && !first.helo.empty() && first.helo == first.by && first.ip && !first.ip->is_private());
  signs.set(HeaderSign::received_first_unknown, stranger && first.reverse_unknown);
}

}  // namespace

void find_identity_signs(HeaderReading& reading) {
  find_date_signs(reading);
  find_message_id_signs(reading);
}

void find_way_signs(HeaderReading& reading) {
  HeaderSigns& signs = reading.signs;
  const auto& hops = reading.hops;
  signs.set(HeaderSign::received_count, reading.count(Known::received));
  signs.set(HeaderSign::received_unreadable, std::count_if(hops.begin(), hops.end(), [](const Hop& hop) { return !hop.readable; }));
  bool fields = false, below = false;
  for (const auto& field : reading.all) {
    fields = fields || iequals(field.name, "From") || iequals(field.name, "Subject");
    below = below || (fields && iequals(field.name, "Received"));
  }
  signs.set(HeaderSign::received_below_fields, below);
  if (hops.empty()) return;
  bool any_ip = false, all_private = true, impossible = false, false_provider = false, authenticated = false;
  std::size_t broken = 0;
  double travel = 0;
  for (std::size_t i = 0; i < hops.size(); ++i) {
    const Hop& hop = hops[i];
    any_ip = any_ip || hop.ip.has_value();
    all_private = all_private && (!hop.ip || hop.ip->is_private());
    impossible = impossible || hop.ip_impossible;
    authenticated = authenticated || hop.authenticated();
    auto provider = large_provider(org_of(hop.helo));
    false_provider = false_provider || (!provider.empty() && !hop.reverse.empty() && large_provider(org_of(hop.reverse)) != provider && !(hop.ip && hop.ip->is_private()));
    if (i + 1 == hops.size()) break;
    broken += joins(hop, hops[i + 1]) ? 0 : 1;
    if (hop.date && hops[i + 1].date) travel = std::max(travel, in_hours(hops[i + 1].date->when - hop.date->when));
  }
  signs.set(HeaderSign::received_private_only, any_ip && all_private);
  signs.set(HeaderSign::received_impossible_ip, impossible);
  signs.set(HeaderSign::received_time_travel, std::floor(travel));
  signs.set(HeaderSign::received_broken_chain, broken);
  signs.set(HeaderSign::received_false_provider, false_provider);
  signs.set(HeaderSign::received_authenticated, authenticated);
  signs.set(HeaderSign::received_web, is_web(hops.back().with));
  // Only hops that name a host: local pick-up ("by host (Postfix, from userid 0)") comes before the first one.
  auto first = std::find_if(hops.rbegin(), hops.rend(), [](const Hop& hop) { return !hop.helo.empty(); });
  if (first != hops.rend()) find_first_host_signs(reading, *first);
}

}  // namespace postern::filters
