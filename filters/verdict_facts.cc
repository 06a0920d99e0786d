// What is written down of a message's facts: for readers of the mail, and for the trace.
#include "filters/verdict_facts.h"

#include "filters/auth_header.h"
#include "filters/judge.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

using lua::json_text;

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

// Printable ASCII as it is, anything else as encoded words of at most 75 octets.  RFC 2047 2.
std::string field_text(std::string_view text) {
  bool plain = is_ascii(text);
  for (char c : text) plain = plain && c >= 0x20 && c != 0x7f;
  if (plain) return std::string(text);
  std::string out;
  while (!text.empty()) {
    std::size_t length = std::min<std::size_t>(text.size(), 42);
    // Not inside a character.
    while (length < text.size() && length > 38 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
    if (!out.empty()) out += "\r\n ";
    out += "=?utf-8?B?" + base64(text.substr(0, length)) + "?=";
    text.remove_prefix(length);
  }
  return out;
}

void member(std::string& out, std::string_view name, std::string_view value) {
  if (out.back() != '{') out += ",";
  out += "\"" + std::string(name) + "\":" + json_text(value);
}

std::string spf_json(const Spf& spf) {
  std::string out = "{";
  member(out, "result", name(spf.result));
  member(out, "domain", spf.domain);
  if (!spf.problem.empty()) member(out, "problem", spf.problem);
  return out + "}";
}

std::string dkim_json(const Dkim& dkim) {
  std::string out = "[";
  for (const auto& signature : dkim.signatures) {
    std::string one = "{";
    member(one, "domain", signature.domain);
    member(one, "selector", signature.selector);
    member(one, "result", name(signature.result));
    if (!signature.problem.empty()) member(one, "problem", signature.problem);
    out += (out.size() > 1 ? "," : "") + one + "}";
  }
  return out + "]";
}

std::string dmarc_json(const Dmarc& dmarc) {
  std::string out = "{";
  member(out, "result", name(dmarc.result));
  member(out, "policy", name(dmarc.policy));
  member(out, "domain", dmarc.domain);
  if (!dmarc.problem.empty()) member(out, "problem", dmarc.problem);
  return out + "}";
}

// null: scanned and clean, or there is no scanner and that is configured so.
std::string virus_json(const Virus* virus) {
  if (virus == nullptr) return R"({"error":"no rule asked for a scan"})";
  switch (virus->state) {
    case Virus::State::off:
    case Virus::State::clean: return "null";
    case Virus::State::found: return json_text(virus->name);
    case Virus::State::error: return "{\"error\":" + json_text(virus->problem.empty() ? "not scanned" : virus->problem) + "}";
  }
  return "null";
}

}  // namespace

std::string facts_json(const lua::Scene& scene) {
  std::string out = "{";
  if (scene.spf != nullptr) out += "\"spf\":" + spf_json(*scene.spf) + ",";
  if (scene.dkim != nullptr) out += "\"dkim\":" + dkim_json(*scene.dkim) + ",";
  if (scene.dmarc != nullptr) out += "\"dmarc\":" + dmarc_json(*scene.dmarc) + ",";
  out += "\"arc\":{\"result\":\"none\"},\"virus\":" + virus_json(scene.virus) + ",";
  if (scene.reputation != nullptr) out += "\"name\":" + json_text(scene.reputation->name) + ",";
  return out + "\"asked\":" + scene.record.json() + "}";
}

std::string authentication_results(const std::string& hostname, const lua::Scene& scene) {
  AuthenticationFacts known{scene.reputation, scene.spf, scene.dkim, scene.dmarc};
  return authentication_results(hostname, scene.client, scene.sender, known);
}

std::string verdict_field(const smtp::MessageVerdict& verdict, const smtp::RecipientVerdict& recipient, std::string_view id) {
  std::string_view word = recipient.action == smtp::Action::quarantine ? "quarantine" : recipient.folder == "Junk" ? "junk" : "ham";
  if (recipient.action == smtp::Action::reject || recipient.action == smtp::Action::defer) word = verdict.verdict;
  return "X-Postern-Verdict: " + std::string(word) + " score=" + number(recipient.score) + " id=" + std::string(id) + "\r\n";
}

std::string why_fields(const smtp::MessageVerdict& verdict, const smtp::RecipientVerdict& recipient) {
  constexpr std::size_t kMaxFields = 100;
  std::string out;
  std::size_t count = 0;
  for (const auto& hit : verdict.hits) {
    if (!hit.recipient.empty() && hit.recipient != recipient.address) continue;
    if (++count > kMaxFields) break;
    std::string what = hit.kind == "score" ? number(hit.points) : hit.kind;
    std::string line = (hit.shadow ? "(shadow) " : "") + what + " " + hit.rule + ": " + hit.why + " (" + hit.at + ")";
    // A field body is printable ASCII in lines of less than 998 octets (RFC 5322 2.1.1, 2.2).
    out += "X-Postern-Why: " + field_text(std::string_view(line).substr(0, 800)) + "\r\n";
  }
  return out;
}

}  // namespace postern::filters
