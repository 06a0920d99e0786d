// Look-alikes of our domains and people.  Typing errors are found by taking letters out of both names (a name that differs in
// one letter is the same without it), so a look-up asks a table as often as its own length demands.
#include "filters/lookalike.h"

#include <algorithm>
#include <array>

#include "filters/dmarc.h"
#include "filters/fnv.h"
#include "filters/free_mail.h"
#include "gateway/base/text.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/confusable.h"
#include "gateway/mail/idna.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxShown = 100;
constexpr std::size_t kMinLabel = 4;        // shorter ones stand in too many other names
constexpr std::size_t kMaxSame = 16;        // domains or people looked at for one hash

// Words of which many domains are made: one of them in another name resembles nobody.
constexpr std::array<std::string_view, 40> kCommonLabels = {
    "account", "agency", "bank", "center", "city", "cloud", "club", "consulting", "data", "design", "digital", "energy", "express", "finance", "global", "group",
    "health", "home", "hotel", "info", "life", "mail", "market", "media", "mobile", "network", "news", "office", "online", "post", "school", "secure",
    "service", "shop", "software", "solutions", "store", "travel", "university", "world"};
static_assert(std::is_sorted(kCommonLabels.begin(), kCommonLabels.end()));

// What impostors put before or behind a name.
constexpr std::array<std::string_view, 38> kAffixes = {
    "account", "accounts", "admin", "alert", "alerts", "app", "bank", "billing", "care", "center", "client", "co", "corp", "email", "group", "help", "helpdesk",
    "hr", "inc", "invoice", "login", "ltd", "mail", "my", "notice", "office", "online", "pay", "payment", "payroll", "portal", "secure", "security", "service", "support",
    "team", "verify", "vn"};

bool is_common(std::string_view label) { return label.size() < kMinLabel || std::binary_search(kCommonLabels.begin(), kCommonLabels.end(), label); }

std::string ascii_of(std::string_view domain) {
  auto ascii = mail::domain_to_ascii(trimmed(domain.substr(0, 1024)));
  return ascii.value_or("");
}

std::string label_of(std::string_view org) { return std::string(org.substr(0, org.find('.'))); }

std::string without_hyphens(std::string_view text) {
  std::string out(text);
  std::erase(out, '-');
  return out;
}

std::string shown(std::string_view text) { return printable(text, kMaxShown); }

// Optimal string alignment: a swap of neighbours counts 1.  Gives `most` + 1 for more.
int distance(std::string_view a, std::string_view b, int most) {
  if (a.size() > b.size() + 2 || b.size() > a.size() + 2) return most + 1;
  std::array<std::array<int, LookalikeIndex::kMaxCloseLabel + 1>, LookalikeIndex::kMaxCloseLabel + 1> cost;
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = static_cast<int>(i + j);
        continue;
      }
      int best = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      cost[i][j] = swapped ? std::min(best, cost[i - 2][j - 2] + 1) : best;
    }
  }
  return std::min(cost[a.size()][b.size()], most + 1);
}

int allowed_distance(std::string_view label) {
  if (label.size() < LookalikeIndex::kMinCloseLabel || label.size() > LookalikeIndex::kMaxCloseLabel) return 0;
  return label.size() >= LookalikeIndex::kMinTwoLetters ? 2 : 1;
}

// The hash of the label and of all that is left of it without one or two letters.
template <class Use>
void for_each_deletion(std::string_view label, int most, Use use) {
  use(fnv(label));
  if (most < 1) return;
  std::string one, two;
  for (std::size_t i = 0; i < label.size(); ++i) {
    one = std::string(label.substr(0, i)) + std::string(label.substr(i + 1));
    use(fnv(one));
    for (std::size_t j = i; most > 1 && j < one.size(); ++j) {
      two = one.substr(0, j) + one.substr(j + 1);
      use(fnv(two));
    }
  }
}

// The words of a name without case and accents, in the order of the alphabet: "An Nguyen" and "NGUYỄN, An" are one.
std::vector<std::string> name_words(std::string_view text) {
  constexpr std::size_t kMaxName = 200;
  std::string folded = mail::search_form(text.substr(0, kMaxName));
  std::vector<std::string> out;
  std::string word;
  for (char c : folded + " ") {
    if (is_alpha(c) || is_digit(c) || static_cast<unsigned char>(c) >= 0x80) {
      word += c;
    } else if (!word.empty()) {
      out.push_back(std::move(word));
      word.clear();
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string joined(const std::vector<std::string>& words) { return join(words, " "); }

// Small letters first, so that case means nothing; and as it is written, so that a capital I can stand for an l.
std::vector<std::string> name_forms(std::string_view text) {
  std::vector<std::string> out;
  auto plain = name_words(text);
  for (auto& word : plain) word = mail::skeleton(word);
  std::sort(plain.begin(), plain.end());
  out.push_back("s " + joined(plain));
  auto written = name_words(mail::skeleton(text.substr(0, 200)));
  out.push_back("w " + joined(written));
  return out;
}

// "bob@corp.example" inside of a name, or nothing.
std::string address_in(std::string_view text) {
  auto is_part = [](char c) { return is_alpha(c) || is_digit(c) || std::string_view("-_.+").find(c) != std::string_view::npos; };
  std::size_t at = text.find('@');
  if (at == std::string_view::npos) return {};
  std::size_t begin = at, end = at + 1;
  while (begin > 0 && is_part(text[begin - 1])) --begin;
  while (end < text.size() && is_part(text[end])) ++end;
  while (end > at + 1 && text[end - 1] == '.') --end;
  return begin == at || end == at + 1 ? std::string() : ascii_lowered(text.substr(begin, end - begin));
}

std::string domain_of(std::string_view address) { return std::string(address.substr(std::min(address.rfind('@') + 1, address.size()))); }

Resemblance resemblance(Likeness kind, std::string what, std::string whom, std::string reason, int how_far = 0) {
  return {kind, std::move(what), std::move(whom), how_far, std::move(reason)};
}

}  // namespace

std::string_view name(Likeness likeness) {
  switch (likeness) {
    case Likeness::same_look: return "same_look";
    case Likeness::spelling: return "spelling";
    case Likeness::other_suffix: return "other_suffix";
    case Likeness::added_words: return "added_words";
    case Likeness::own_inside: return "own_inside";
    case Likeness::staff_name: return "staff_name";
    case Likeness::own_address_in_name: return "own_address_in_name";
    case Likeness::own_name_in_name: return "own_name_in_name";
    case Likeness::reply_elsewhere: return "reply_elsewhere";
  }
  return "";
}

LookalikeIndex::LookalikeIndex(const OwnNames& own) {
  for (std::size_t i = 0; i < own.domains.size() && i < kMaxDomains; ++i) add_domain(ascii_of(own.domains[i]));
  for (std::size_t i = 0; i < own.known.size() && i < kMaxDomains; ++i) known_.insert(organizational_domain(ascii_of(own.known[i])));
  for (std::size_t i = 0; i < own.staff.size() && i < kMaxStaff; ++i) add_person(own.staff[i]);
}

void LookalikeIndex::add_domain(const std::string& domain) {
  if (domain.empty()) return;
  domains_.insert(domain);
  std::string org = organizational_domain(domain);
  // Whoever has a domain below a public suffix of others ("corp.dyndns.example") has that domain alone.
  if (!orgs_.insert(org).second) return;
  skeletons_.emplace(mail::skeleton(mail::domain_to_unicode(org)), org);
  std::string label = label_of(org);
  if (is_common(label)) return;
  std::string readable = mail::domain_to_unicode(label);
  labels_.emplace(label, org);
  label_skeletons_.emplace(mail::skeleton(readable), org);
  bare_.emplace(without_hyphens(label), org);
  std::unordered_set<std::size_t> hashes;
  for_each_deletion(label, allowed_distance(label), [&](std::size_t hash) { hashes.insert(hash); });
  if (allowed_distance(label) == 0) return;
  for (std::size_t hash : hashes) deletes_.emplace(hash, label);
}

void LookalikeIndex::add_person(const StaffMember& member) {
  auto words = name_words(member.name);
  std::size_t letters = joined(words).size();
  if (words.size() < 2 || letters < 6) return;   // "Li An" is too many people
  Person person{member.name, {}};
  for (const auto& address : member.addresses) person.addresses.insert(ascii_lowered(address));
  people_.push_back(std::move(person));
  for (auto& form : name_forms(member.name)) names_.emplace(std::move(form), people_.size() - 1);
}

bool LookalikeIndex::is_ours(std::string_view domain) const {
  std::string ascii = ascii_of(domain);
  if (ascii.empty()) return false;
  if (orgs_.contains(organizational_domain(ascii))) return true;
  for (std::string_view rest = ascii;; rest.remove_prefix(rest.find('.') + 1)) {
    if (domains_.contains(std::string(rest))) return true;
    if (rest.find('.') == std::string_view::npos) return false;
  }
}

std::optional<LookalikeIndex::Close> LookalikeIndex::closest(const std::string& label) const {
  // What is asked may be one or two letters longer than ours, or shorter.
  if (label.size() + 2 < kMinCloseLabel || label.size() > kMaxCloseLabel) return std::nullopt;
  std::optional<Close> best;
  for_each_deletion(label, 2, [&](std::size_t hash) {
    auto [begin, end] = deletes_.equal_range(hash);
    std::size_t seen = 0;
    for (auto it = begin; it != end && seen < kMaxSame; ++it, ++seen) {
      const std::string& own = it->second;
      int most = allowed_distance(own);
      // Impostors keep the begin of a name; other words of the language do not ("incorporation").
      bool swapped = label.size() > 1 && own[0] == label[1] && own[1] == label[0];
      if (own.front() != label.front() && !swapped) most = own.size() >= kMinTwoLetters ? 1 : 0;
      int far = distance(own, label, most);
      if (far > 0 && far <= most && (!best || far < best->distance)) best = Close{own, far};
    }
  });
  return best;
}

std::optional<std::string> LookalikeIndex::with_words_around(const std::string& label) const {
  // Parts between hyphens: any words may stand around ours.
  auto parts = split(label, '-');
  if (parts.size() > 1) {
    for (std::string_view part : parts) {
      auto found = labels_.find(std::string(part));
      if (found != labels_.end()) return found->second;
    }
  }
  // Without hyphens only words that impostors use: "corporationsupport", not "incorporation".
  for (std::string_view affix : kAffixes) {
    std::string_view text = label;
    if (text.size() < affix.size() + kMinCloseLabel) continue;
    for (bool front : {true, false}) {
      if (front ? !text.starts_with(affix) : !text.ends_with(affix)) continue;
      auto found = labels_.find(std::string(front ? text.substr(affix.size()) : text.substr(0, text.size() - affix.size())));
      if (found != labels_.end() && found->first.size() >= kMinCloseLabel) return found->second;
    }
  }
  return std::nullopt;
}

std::optional<std::string> LookalikeIndex::inside(const std::string& domain) const {
  constexpr std::size_t kMaxLabels = 40, kMaxOwn = 5;
  std::string dotted = domain;
  for (std::string_view text : {std::string_view(domain), std::string_view(dotted)}) {
    auto labels = split(text, '.');
    if (labels.size() > kMaxLabels) labels.resize(kMaxLabels);
    // The last labels alone would be a domain of ours, and that was asked before.
    for (std::size_t i = 0; i + 1 < labels.size(); ++i) {
      std::string own(labels[i]);
      for (std::size_t j = i + 1; j < labels.size() && j < i + kMaxOwn; ++j) {
        own += '.';
        own += labels[j];
        if (orgs_.contains(own) || domains_.contains(own)) return own;
      }
    }
    std::replace(dotted.begin(), dotted.end(), '-', '.');
  }
  return std::nullopt;
}

std::optional<Resemblance> LookalikeIndex::domain(std::string_view asked) const {
  std::string domain = ascii_of(asked);
  if (domain.empty() || is_ours(domain)) return std::nullopt;
  std::string org = organizational_domain(domain);
  if (known_.contains(org) || is_free_mail(org)) return std::nullopt;
  std::string label = label_of(org);
  std::string readable = mail::domain_to_unicode(org);
  auto says = [&](Likeness kind, const std::string& own, std::string_view how, int far = 0) {
    return resemblance(kind, shown(domain), own, "the domain " + shown(domain) + " " + std::string(how) + " our " + own, far);
  };
  if (auto found = skeletons_.find(mail::skeleton(readable)); found != skeletons_.end()) return says(Likeness::same_look, found->second, "looks like");
  if (auto own = inside(domain)) return says(Likeness::own_inside, *own, "has in it");
  if (auto found = labels_.find(label); found != labels_.end()) return says(Likeness::other_suffix, found->second, "has another ending than");
  if (auto found = label_skeletons_.find(mail::skeleton(label_of(readable))); found != label_skeletons_.end()) {
    return says(Likeness::same_look, found->second, "looks like the begin of");
  }
  if (auto found = bare_.find(without_hyphens(label)); found != bare_.end()) return says(Likeness::spelling, found->second, "differs by a hyphen from", 1);
  if (auto own = with_words_around(label)) return says(Likeness::added_words, *own, "adds words to");
  if (is_common(label)) return std::nullopt;
  if (auto close = closest(label)) {
    auto own = labels_.find(close->own);
    if (own == labels_.end()) return std::nullopt;
    return says(Likeness::spelling, own->second, close->distance == 1 ? "differs in one letter from" : "differs in two letters from", close->distance);
  }
  return std::nullopt;
}

const LookalikeIndex::Person* LookalikeIndex::person(std::string_view display_name, std::string_view address) const {
  const Person* found = nullptr;
  for (const auto& form : name_forms(display_name)) {
    auto [begin, end] = names_.equal_range(form);
    std::size_t seen = 0;
    for (auto it = begin; it != end && seen < kMaxSame; ++it, ++seen) {
      const Person& one = people_[it->second];
      if (one.addresses.contains(ascii_lowered(address))) return nullptr;   // he is it, or a namesake of his whom we know
      found = &one;
    }
  }
  return found;
}

std::optional<std::string> LookalikeIndex::own_name_in(std::string_view display_name) const {
  for (const auto& word : name_words(display_name)) {
    if (word.size() < kMinCloseLabel) continue;
    if (auto found = labels_.find(word); found != labels_.end()) return found->second;
    if (auto found = label_skeletons_.find(mail::skeleton(word)); found != label_skeletons_.end()) return found->second;
  }
  return std::nullopt;
}

std::vector<Resemblance> LookalikeIndex::sender(const AskedSender& asked) const {
  std::vector<Resemblance> out;
  if (asked.proved_ours) return out;
  std::string domain = domain_of(asked.address);
  bool ours = is_ours(domain);
  std::string address = shown(asked.address), display = shown(asked.name);
  if (auto like = this->domain(domain)) out.push_back(std::move(*like));
  if (!ours) {
    std::string claimed = address_in(asked.name);
    if (!claimed.empty() && is_ours(domain_of(claimed))) {
      out.push_back(resemblance(Likeness::own_address_in_name, display, claimed, "the name shows " + shown(claimed) + ", the address is " + address));
    }
    if (const Person* who = person(asked.name, asked.address)) {
      out.push_back(resemblance(Likeness::staff_name, display, who->name, "the name of our " + shown(who->name) + " stands over the foreign address " + address));
    } else if (auto own = claimed.empty() ? own_name_in(asked.name) : std::nullopt) {
      out.push_back(resemblance(Likeness::own_name_in_name, display, *own, "the name " + display + " speaks of our " + *own + ", the address is " + address));
    }
  }
  if (asked.reply_to.empty()) return out;
  std::string reply_domain = domain_of(asked.reply_to);
  bool elsewhere = !is_ours(reply_domain) && organizational_domain(ascii_of(reply_domain)) != organizational_domain(ascii_of(domain));
  bool pretends = ours || !out.empty();
  if (auto like = elsewhere ? this->domain(reply_domain) : std::nullopt) {
    like->reason = "answers go to " + shown(asked.reply_to) + ": " + like->reason;
    out.push_back(std::move(*like));
  } else if (elsewhere && pretends) {
    out.push_back(resemblance(Likeness::reply_elsewhere, shown(asked.reply_to), address, "the message names " + address + " and answers go to " + shown(asked.reply_to)));
  }
  return out;
}

}  // namespace postern::filters
