// Header signs: who writes, who gets the answer, to whom it is written.  RFC 5322 3.6.2, 3.6.3.
#include <algorithm>

#include "filters/free_mail.h"
#include "filters/header_reading.h"
#include "filters/letters.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

using mail::HeaderAddress;

bool same(const HeaderAddress& a, const HeaderAddress& b) { return iequals(a.local, b.local) && iequals(a.domain, b.domain); }

bool is_name_octet(char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.' || c == '+'; }

// The first address in a name: "billing@bank.example" in "Bank <billing@bank.example>".
std::string address_in(std::string_view name) {
  for (std::size_t at = name.find('@'); at != std::string_view::npos; at = name.find('@', at + 1)) {
    std::size_t begin = at, end = at + 1;
    while (begin > 0 && is_name_octet(name[begin - 1])) --begin;
    while (end < name.size() && is_name_octet(name[end])) ++end;
    while (end > at + 1 && name[end - 1] == '.') --end;
    if (begin < at && end > at + 1) return ascii_lowered(name.substr(begin, end - begin));
  }
  return {};
}

// A word of a name that is a host name, "bank.example": a dot inside, and behind the last one letters alone.
std::string domain_in(std::string_view name) {
  for (std::string_view word : words(name)) {
    while (!word.empty() && !(is_alpha(word.back()) || is_digit(word.back()))) word.remove_suffix(1);
    while (!word.empty() && !(is_alpha(word.front()) || is_digit(word.front()))) word.remove_prefix(1);
    std::size_t dot = word.rfind('.');
    if (dot == std::string_view::npos || dot < 3 || !std::all_of(word.begin(), word.end(), is_name_octet)) continue;
    std::string_view last = word.substr(dot + 1);
    // Seldom in names of people ("J.Smith", "Ph.D"): only suffixes that the world writes companies with.
    constexpr std::array<std::string_view, 16> kSuffixes = {"com", "net", "org", "info", "biz", "gov", "edu", "vn", "de", "fr", "uk", "br", "io", "ru", "co", "eu"};
    if (std::any_of(kSuffixes.begin(), kSuffixes.end(), [&](std::string_view suffix) { return iequals(suffix, last); })) return ascii_lowered(word);
  }
  return {};
}

bool is_random_local(std::string_view local) {
  std::size_t hexadecimal = 0, digits = 0, run = 0, longest = 0;
  for (char c : local) {
    char small = ascii_lower(c);
    if (is_digit(c) || (small >= 'a' && small <= 'f')) ++hexadecimal;
    if (is_digit(c)) ++digits;
    bool consonant = is_alpha(c) && std::string_view("aeiouy").find(small) == std::string_view::npos;
    run = consonant ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest >= 7 || (local.size() >= 12 && hexadecimal == local.size() && digits > 0 && digits < local.size());
}

bool wants_no_answer(std::string_view local) {
  constexpr std::array<std::string_view, 8> kWords = {"noreply", "no-reply", "no_reply", "donotreply", "do-not-reply", "do_not_reply", "no.reply", "mailer-daemon"};
  return std::any_of(kWords.begin(), kWords.end(), [&](std::string_view word) { return ifind(local, word) != std::string_view::npos; });
}

void find_name_signs(HeaderReading& reading, const HeaderAddress& from) {
  HeaderSigns& signs = reading.signs;
  std::string name = from.display_name();
  std::string_view raw = reading.raw(Known::from);
  signs.set(HeaderSign::from_no_name, trimmed(name).empty());
  signs.set(HeaderSign::from_blank_name, raw.find("\"\"") != std::string_view::npos || raw.find("\" \"") != std::string_view::npos);
  std::string shown = address_in(name);
  bool own = !shown.empty() && iequals(shown, from.address());
  signs.set(HeaderSign::from_name_own_address, own);
  signs.set(HeaderSign::from_name_other_address, !shown.empty() && !own && org_of(domain_of_address(shown)) != reading.from_org);
  std::string domain = shown.empty() ? domain_in(name) : std::string();
  signs.set(HeaderSign::from_name_other_domain, !domain.empty() && org_of(domain) != reading.from_org);
  Mixture mixture = mixture_of(name);
  signs.set(HeaderSign::from_name_symbols, mixture.symbols);
  signs.set(HeaderSign::from_name_invisible, mixture.invisible + mixture.bidi > 0);
  signs.set(HeaderSign::from_name_styled, mixture.styled + mixture.mixed > 0);
  signs.set(HeaderSign::from_name_capitals, mixture.cased >= 6 && mixture.capitals == mixture.cased);
}

void find_reply_signs(HeaderReading& reading, const HeaderAddress& from) {
  HeaderSigns& signs = reading.signs;
  if (!reading.has(Known::reply_to) || trimmed(reading.raw(Known::reply_to)).empty()) return;
  auto usable = std::find_if(reading.reply_to.begin(), reading.reply_to.end(), is_usable);
  signs.set(HeaderSign::reply_to_malformed, usable == reading.reply_to.end());
  signs.set(HeaderSign::reply_to_several, reading.reply_to.size() > 1);
  if (usable == reading.reply_to.end()) return;
  const HeaderAddress& reply = *usable;
  bool other = !reading.from_org.empty() && org_of(reply.domain) != reading.from_org;
  bool free_reply = is_free_mail(reply.domain), free_from = is_free_mail(from.domain);
  signs.set(HeaderSign::reply_to_other_domain, other);
  signs.set(HeaderSign::reply_to_free_mail, free_reply && !free_from && other);
  signs.set(HeaderSign::reply_to_other_free_mail, free_reply && free_from && !same(reply, from));
  std::string name = ascii_lowered(from.display_name());
  signs.set(HeaderSign::reply_to_same_name, other && !name.empty() && name == ascii_lowered(reply.display_name()));
  auto is_reply = [&](const HeaderAddress& one) { return same(one, reply); };
  signs.set(HeaderSign::reply_to_is_recipient, !same(reply, from) && std::any_of(reading.to.begin(), reading.to.end(), is_reply));
}

// "corp" of "mail.corp.example"; "" when it is too short to mean anything.
std::string first_word_of(const std::string& org) {
  std::string word = org.substr(0, org.find('.'));
  return word.size() >= 4 ? word : std::string();
}

std::vector<std::string> recipient_addresses(const HeaderReading& reading) {
  std::vector<std::string> out = reading.context.recipients;
  if (out.empty() && reading.to.size() == 1 && is_usable(reading.to.front())) out.push_back(reading.to.front().address());
  return out;
}

void find_relation_signs(HeaderReading& reading, const HeaderAddress& from) {
  HeaderSigns& signs = reading.signs;
  std::string name = ascii_lowered(from.display_name());
  bool same_address = false, same_domain = false, claims_domain = false;
  std::size_t looked_at = 0;
  for (const auto& recipient : recipient_addresses(reading)) {
    if (++looked_at > kMaxSignedAddresses) break;
    std::string org = org_of(domain_of_address(recipient));
    same_address = same_address || iequals(recipient, from.address());
    same_domain = same_domain || (!org.empty() && org == reading.from_org);
    std::string word = first_word_of(org);
    bool claims = !org.empty() && org != reading.from_org && !is_free_mail(org) && (name.find(org) != std::string::npos || (!word.empty() && name.find(word) != std::string::npos));
    claims_domain = claims_domain || claims;
  }
  signs.set(HeaderSign::from_is_recipient, same_address);
  signs.set(HeaderSign::from_recipient_domain, same_domain && !is_free_mail(reading.from_org));
  signs.set(HeaderSign::from_name_recipient_domain, claims_domain);
}

bool is_report(const HeaderReading& reading) {
  const auto& root = reading.table.root();
  return root.is("multipart", "report") || reading.has(Known::auto_submitted);
}

bool begins_alike(const HeaderAddress& a, const HeaderAddress& b) {
  constexpr std::size_t kAlike = 3;
  return a.local.size() >= kAlike && b.local.size() >= kAlike && iequals(a.local.substr(0, kAlike), b.local.substr(0, kAlike)) && iequals(a.domain, b.domain);
}

}  // namespace

void find_address_signs(HeaderReading& reading) {
  HeaderSigns& signs = reading.signs;
  auto usable = std::find_if(reading.from.begin(), reading.from.end(), is_usable);
  signs.set(HeaderSign::from_malformed, reading.has(Known::from) && usable == reading.from.end());
  auto whole = std::count_if(reading.from.begin(), reading.from.end(), is_usable);
  signs.set(HeaderSign::from_several, whole > 1);
  signs.set(HeaderSign::from_loose_words, whole > 0 && static_cast<std::size_t>(whole) < reading.from.size());
  bool known = reading.envelope.has_value();
  bool null = known && reading.envelope->empty();
  for (HeaderSign sign : {HeaderSign::envelope_other_domain, HeaderSign::envelope_null, HeaderSign::envelope_null_no_report, HeaderSign::free_mail_by_others}) {
    if (!known) signs.set_unknown(sign);
  }
  if (known) {
    signs.set(HeaderSign::envelope_null, null);
    signs.set(HeaderSign::envelope_null_no_report, null && !is_report(reading));
  }
  if (usable == reading.from.end()) return;
  const HeaderAddress& from = *usable;
  signs.set(HeaderSign::from_unqualified, reading.from_domain.find('.') == std::string::npos);
  signs.set(HeaderSign::from_local_long, from.local.size() > 40);
  signs.set(HeaderSign::from_local_begins_with_digits, from.local.size() > 2 && is_digit(from.local[0]) && is_digit(from.local[1]));
  signs.set(HeaderSign::from_local_random, is_random_local(from.local));
  signs.set(HeaderSign::from_no_reply, wants_no_answer(from.local));
  bool free_mail = is_free_mail(from.domain);
  signs.set(HeaderSign::from_free_mail, free_mail);
  find_name_signs(reading, from);
  find_reply_signs(reading, from);
  find_relation_signs(reading, from);
  auto other = [&](const std::string& org) { return !org.empty() && !reading.from_org.empty() && org != reading.from_org; };
  if (!reading.sender.empty()) signs.set(HeaderSign::sender_other_domain, other(org_of(reading.sender.front().domain)));
  if (known) {
    signs.set(HeaderSign::envelope_other_domain, other(reading.envelope_org));
    signs.set(HeaderSign::free_mail_by_others, free_mail && other(reading.envelope_org));
  }
  auto receipt = mail::parse_address_list(reading.raw(Known::disposition_notification_to), 1);
  signs.set(HeaderSign::receipt_other_domain, !receipt.empty() && other(org_of(receipt.front().domain)));
}

void find_recipient_signs(HeaderReading& reading) {
  HeaderSigns& signs = reading.signs;
  std::string to_line = reading.line(Known::to);
  bool undisclosed = ifind(to_line, "undisclosed") != std::string::npos || (reading.to_group && reading.to.empty());
  signs.set(HeaderSign::to_undisclosed, undisclosed);
  reading.set_missing(HeaderSign::only_cc, reading.has(Known::cc) && !reading.has(Known::to));
  bool malformed = std::any_of(reading.to.begin(), reading.to.end(), [](const HeaderAddress& one) { return !is_usable(one); });
  signs.set(HeaderSign::to_malformed, malformed && !undisclosed);

  std::vector<HeaderAddress> all = reading.to;
  all.insert(all.end(), reading.cc.begin(), reading.cc.end());
  if (all.size() > kMaxSignedAddresses) all.resize(kMaxSignedAddresses);
  signs.set(HeaderSign::to_count, all.size());
  signs.set(HeaderSign::to_many, all.size() >= 10);
  if (all.size() >= 5) {
    std::size_t alike = 0;
    for (std::size_t i = 1; i < all.size(); ++i) alike += begins_alike(all[i - 1], all[i]) ? 1 : 0;
    signs.set(HeaderSign::to_similar, static_cast<double>(alike) / static_cast<double>(all.size() - 1));
  }
  bool sorted = std::is_sorted(all.begin(), all.end(), [](const HeaderAddress& a, const HeaderAddress& b) { return ascii_lowered(a.address()) < ascii_lowered(b.address()); });
  signs.set(HeaderSign::to_sorted, all.size() >= 7 && sorted);
  signs.set(HeaderSign::to_name_is_address, std::any_of(reading.to.begin(), reading.to.end(), [](const HeaderAddress& one) {
    return is_usable(one) && iequals(trimmed(one.display_name()), one.address());
  }));
  if (reading.context.recipients.empty() || reading.truncated || all.size() == kMaxSignedAddresses) {
    signs.set_unknown(HeaderSign::recipient_absent);
    return;
  }
  std::vector<std::string> named;
  for (const auto& one : all) named.push_back(ascii_lowered(one.address()));
  std::sort(named.begin(), named.end());
  bool absent = std::none_of(reading.context.recipients.begin(), reading.context.recipients.end(),
                             [&](const std::string& recipient) { return std::binary_search(named.begin(), named.end(), ascii_lowered(recipient)); });
  signs.set(HeaderSign::recipient_absent, absent);
}

}  // namespace postern::filters
