// Local policy: a DMARC failure of forwarded mail, and who may excuse it.
#include "filters/arc_rescue.h"

#include <algorithm>

#include "filters/dmarc.h"
#include "gateway/base/text.h"
#include "gateway/mail/idna.h"
#include "gateway/mail/tag_list.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxComment = 2'000;   // of a report

std::string canonical(std::string_view domain) {
  auto ascii = mail::domain_to_ascii(domain);
  return ascii ? *ascii : ascii_lowered(domain);
}

// What stands behind the last "@", or the whole.
std::string domain_of(std::string_view address) {
  auto at = address.rfind('@');
  return canonical(at == std::string_view::npos ? address : address.substr(at + 1));
}

bool aligned(const std::string& authenticated, const std::string& author, bool strict) {
  if (authenticated.empty()) return false;
  return authenticated == author || (!strict && organizational_domain(authenticated) == organizational_domain(author));
}

std::string report_comment(const Arc& arc) {
  std::string out = "arc=pass";
  for (auto set = arc.sets.rbegin(); set != arc.sets.rend() && out.size() < kMaxComment; ++set) {
    std::string which = " as[" + std::to_string(set->instance) + "].";
    out += which + "d=" + set->domain + which + "s=" + set->selector;
  }
  for (const auto& result : arc.sets.front().results.results) {
    auto address = mail::property(result, "smtp.remote-ip");
    if (address.empty()) address = mail::property(result, "smtp.client-ip");   // the name of the drafts
    if (address.empty()) continue;
    return out + " remote-ip[1]=" + printable(address, 60);
  }
  return out;
}

// The oldest trusted set that can speak for the message as it is now; nullptr: none, and `why`.
const ArcSet* speaker(const Arc& arc, const TrustedSealers& trusted, std::string& why) {
  const ArcSet* found = nullptr;
  bool in_good_hands = true;   // from this set to us
  why = "no sealer of the chain is trusted";
  for (auto set = arc.sets.rbegin(); set != arc.sets.rend(); ++set) {
    // Between two sealers only the message signature of the former keeps strangers from putting in another author.
    in_good_hands = in_good_hands && set->covers_all;
    bool ours = is_trusted(trusted, set->domain);
    bool unchanged = arc.unchanged_since(set->instance) && set->covers_all;
    if (ours && (in_good_hands || unchanged)) found = &*set;
    else if (ours && found == nullptr) why = "the message may have been changed since " + set->domain + " sealed it";
    in_good_hands = in_good_hands && ours;
  }
  return found;
}

// What the set says of DMARC for this author: "" when it does not say pass.
std::string dmarc_evidence(const std::vector<const mail::AuthResult*>& results, const ArcAuthor& author, bool unchanged, std::string& why) {
  for (const auto* result : results) {
    if (result->result != "pass") {
      why = "it saw dmarc=" + result->result;
      return {};
    }
    auto from = mail::property(*result, "header.from");
    if (from.empty() ? unchanged : domain_of(from) == author.domain) continue;
    why = from.empty() ? "it does not say whose dmarc=pass it saw" : "it saw dmarc=pass of another author, " + printable(from, 80);
    return {};
  }
  return "dmarc=pass header.from=" + author.domain;
}

// An aligned pass, where the sealer does not judge DMARC itself.
std::string aligned_evidence(const mail::AuthresPayload& seen, const ArcAuthor& author) {
  for (const auto* result : seen.of("dkim")) {
    auto domain = mail::property(*result, "header.d");
    if (domain.empty()) domain = mail::property(*result, "header.i");
    if (result->result == "pass" && aligned(domain_of(domain), author.domain, author.strict_dkim)) return "dkim=pass header.d=" + domain_of(domain);
  }
  for (const auto* result : seen.of("spf")) {
    auto sender = mail::property(*result, "smtp.mailfrom");
    if (sender.empty()) sender = mail::property(*result, "smtp.mfrom");
    if (result->result == "pass" && aligned(domain_of(sender), author.domain, author.strict_spf)) return "spf=pass smtp.mailfrom=" + domain_of(sender);
  }
  return {};
}

}  // namespace

bool is_trusted(const TrustedSealers& trusted, std::string_view sealer) {
  if (sealer.empty()) return false;
  return std::any_of(trusted.begin(), trusted.end(), [&](const std::string& entry) {
    if (entry.starts_with('.')) return mail::is_within(sealer, std::string_view(entry).substr(1));
    return iequals(entry, sealer);
  });
}

ArcRescue rescue_by_arc(const Arc& arc, const TrustedSealers& trusted, const ArcAuthor& author) {
  ArcRescue out;
  auto no = [&](std::string why) {
    out.reason = std::move(why);
    return out;
  };
  if (arc.result == ArcResult::none) return no("there is no chain");
  if (arc.result != ArcResult::pass) return no("the chain does not pass: " + arc.problem);
  if (arc.sets.empty()) return no("there is no chain");
  out.comment = report_comment(arc);
  if (!author.only_one || author.domain.empty()) return no("the message has not exactly one author");
  std::string why;
  const ArcSet* set = speaker(arc, trusted, why);
  if (set == nullptr) return no(std::move(why));
  out.instance = set->instance;
  out.sealer = set->domain;

  bool unchanged = arc.unchanged_since(set->instance) && set->covers_all;
  auto verdicts = set->results.of("dmarc");
  ArcAuthor wanted = author;
  wanted.domain = canonical(author.domain);
  // "none": its DMARC found no policy and says nothing of the author.
  bool speaks = std::any_of(verdicts.begin(), verdicts.end(), [](const auto* result) { return result->result != "none"; });
  if (speaks) {
    out.evidence = dmarc_evidence(verdicts, wanted, unchanged, why);
  } else if (set->results.malformed != 0) {
    why = "its authentication results cannot be read whole";
  } else {
    why = "it saw no pass that is aligned with the author";
    out.evidence = aligned_evidence(set->results, wanted);
  }
  out.rescued = !out.evidence.empty();
  std::string where = set->domain + " (ARC set " + std::to_string(set->instance) + ")";
  return no(out.rescued ? "the trusted sealer " + where + " saw " + out.evidence : "the trusted sealer " + where + ": " + why);
}

}  // namespace postern::filters
