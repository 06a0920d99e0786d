// Who wrote to a list, and what is never passed on to its members.
#include "gateway/delivery/list_post.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gateway/base/text.h"
#include "gateway/mail/blob.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/received.h"
#include "gateway/mail/sender_list.h"

namespace postern::delivery {
namespace {

using directory::List;
using directory::ListRole;
using nlohmann::json;

constexpr std::uint64_t kVersion = 1;
constexpr std::uint64_t kKnown = 1, kOurs = 2, kStrict = 4;

std::string_view domain_of(std::string_view address) { return address.substr(address.rfind('@') + 1); }

// One is the other or lies below it: what DMARC's relaxed alignment can count.
bool are_related(std::string_view one, std::string_view other) {
  auto within = [](std::string_view low, std::string_view high) {
    return low.size() > high.size() && iends_with(low, high) && low[low.size() - high.size() - 1] == '.';
  };
  return iequals(one, other) || within(one, other) || within(other, one);
}

std::string text_of(const json& object, const char* member) {
  auto found = object.find(member);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string author_of_message(std::string_view message) {
  mail::HeaderBlock header(message);
  if (header.count("From") != 1) return "";
  return mail::author_of(header.find("From")->raw);
}

std::vector<mail::Seal> passed_for(const json& facts, std::string_view domain) {
  std::vector<mail::Seal> out;
  auto signatures = facts.find("dkim");
  if (signatures == facts.end() || !signatures->is_array()) return out;
  for (const auto& each : *signatures) {
    if (!each.is_object() || text_of(each, "result") != "pass") continue;
    mail::Seal seal{text_of(each, "domain"), text_of(each, "selector")};
    if (are_related(seal.domain, domain)) out.push_back(std::move(seal));
  }
  return out;
}

}  // namespace

std::string encode(const ListPost& post) {
  std::string out;
  mail::put_number(out, kVersion);
  mail::put_number(out, static_cast<std::uint64_t>(post.role));
  mail::put_number(out, (post.known ? kKnown : 0) | (post.ours ? kOurs : 0) | (post.strict ? kStrict : 0));
  for (const auto& text : {post.list, post.member, post.author, post.approved_by}) mail::put_text(out, text);
  mail::put_number(out, post.seals.size());
  for (const auto& seal : post.seals) {
    mail::put_text(out, seal.domain);
    mail::put_text(out, seal.selector);
  }
  return out;
}

std::optional<ListPost> decode_post(std::string_view text) {
  mail::BlobReader in(text);
  if (in.number() != kVersion) return std::nullopt;
  ListPost out;
  out.role = static_cast<ListRole>(in.number(static_cast<std::uint64_t>(ListRole::bounces)));
  auto marks = in.number(kKnown | kOurs | kStrict);
  out.known = (marks & kKnown) != 0;
  out.ours = (marks & kOurs) != 0;
  out.strict = (marks & kStrict) != 0;
  for (auto* into : {&out.list, &out.member, &out.author, &out.approved_by}) *into = in.text();
  auto seals = in.number(text.size());   // each takes some octets
  for (std::uint64_t i = 0; i < seals && in.ok(); ++i) {
    auto& seal = out.seals.emplace_back();
    seal.domain = in.text();
    seal.selector = in.text();
  }
  if (!in.ok() || !in.at_end() || out.list.empty()) return std::nullopt;
  return out;
}

ListPost list_post_of(const Judged& message, const directory::Resolution& to) {
  ListPost out;
  out.role = to.list_role;
  out.list = to.account_address;
  out.member = to.original;
  out.author = author_of_message(message.received.view());
  out.ours = !message.client.login.empty() || message.client.trusted;
  auto facts = json::parse(message.verdict.facts, nullptr, false);
  if (!facts.is_object()) facts = json::object();
  auto dmarc = facts.value("dmarc", json());
  bool asked = dmarc.is_object();
  auto result = asked ? text_of(dmarc, "result") : "";
  auto published = asked ? text_of(dmarc, "published") : "";
  out.strict = asked ? published == "quarantine" || published == "reject" || result == "temperror" : !out.ours;
  if (out.author.empty()) return out;
  auto domain = domain_of(out.author);
  out.seals = passed_for(facts, domain);
  bool sender_shows_it = message.verdict.sender_proved && iequals(domain_of(message.sender.address), domain);
  out.known = out.ours || result == "pass" || sender_shows_it || std::any_of(out.seals.begin(), out.seals.end(), [&](const mail::Seal& seal) {
    return iequals(seal.domain, domain);
  });
  // What DMARC does not count is no help to who gets it from us.
  if (asked && dmarc.value("dkim_aligned", json()) != json(true)) out.seals.clear();
  return out;
}

std::string unfit_for_list(std::string_view message, const std::string& list, ListRole role) {
  if (role == ListRole::bounces || role == ListRole::owner) return "";
  mail::HeaderBlock header(message);
  for (const auto& field : header.fields()) {
    if (iequals(field.name, "Auto-Submitted") && !istarts_with(trimmed(field.raw), "no")) return "a machine wrote it, and those do not write to lists";
  }
  const auto* type = header.find("Content-Type");
  if (type != nullptr && istarts_with(trimmed(type->raw), "multipart/report")) return "it is a report of a machine";
  if (role != ListRole::post) return "";
  if (mail::delivered_to(message).contains(ascii_lowered(list))) return "a loop: it was on " + list + " before";
  auto at = list.rfind('@');
  auto id = "<" + list.substr(0, at) + "." + list.substr(at + 1) + ">";
  for (const auto& field : header.fields()) {
    if (iequals(field.name, "List-Id") && ifind(field.raw, id) != std::string::npos) return "a loop: it was on " + list + " before";
  }
  return "";
}

std::string needs_approval(const directory::Directory& directory, const List& list, const ListPost& post) {
  auto shown = printable(post.author, 200);
  if (post.author.empty()) return "it names no author, or several";
  bool is_claimed = !post.known && directory.is_ours(domain_of(post.author));
  if (list.post == List::Post::anyone && !is_claimed) return "";
  if (!post.known) return "nothing shows that " + shown + " wrote it: no login, no SPF, no DKIM";
  auto whose = directory.resolve(post.author);
  auto account = whose.found() && whose.by != directory::Resolution::By::catch_all ? whose.account_address : post.author;
  if (list.is_run_by(account) || list.post == List::Post::anyone) return "";
  if (list.post == List::Post::moderators) return "only moderators write to this list";
  if (list.member(post.author) != nullptr || list.member(account) != nullptr) return "";
  return shown + " is no member";
}

}  // namespace postern::delivery
