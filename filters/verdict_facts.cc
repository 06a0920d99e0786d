// What is written down of a message's facts: for readers of the mail, and for the trace.
#include "filters/verdict_facts.h"

#include <algorithm>

#include "filters/arc.h"
#include "filters/auth_header.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

using lua::json_text;

void member(std::string& out, std::string_view name, std::string_view value) {
  if (out.back() != '{') out += ",";
  out += "\"" + std::string(name) + "\":" + json_text(value);
}

std::string spf_json(const Spf& spf) {
  std::string out = "{";
  member(out, "result", name(spf.result));
  member(out, "domain", spf.domain);
  if (!spf.problem.empty()) member(out, "problem", spf.problem);
  if (!spf.explanation.empty()) member(out, "explanation", spf.explanation);
  if (!spf.mechanism.empty()) member(out, "mechanism", spf.mechanism);
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
    if (!signature.identity.empty()) member(one, "identity", signature.identity);
    if (!signature.algorithm.empty()) member(one, "algorithm", signature.algorithm);
    if (signature.bits != 0) one += ",\"bits\":" + std::to_string(signature.bits);
    out += (out.size() > 1 ? "," : "") + one + "}";
  }
  return out + "]";
}

std::string dmarc_json(const Dmarc& dmarc) {
  std::string out = "{";
  member(out, "result", name(dmarc.result));
  member(out, "policy", name(dmarc.policy));
  member(out, "published", name(dmarc.published));
  member(out, "domain", dmarc.domain);
  if (!dmarc.problem.empty()) member(out, "problem", dmarc.problem);
  if (!dmarc.record_domain.empty()) member(out, "record_domain", dmarc.record_domain);
  for (auto [word, yes] : {std::pair("spf_aligned", dmarc.spf_aligned), {"strict_spf", dmarc.strict_spf}, {"strict_dkim", dmarc.strict_dkim},
                           {"several_authors", !dmarc.only_author}}) {
    if (yes) out += ",\"" + std::string(word) + "\":true";
  }
  return out + ",\"dkim_aligned\":" + (dmarc.dkim_aligned ? "true}" : "false}");
}

// null: scanned and clean, or there is no scanner and that is configured so.
std::string virus_json(const Virus* virus) {
  if (virus == nullptr) return R"({"error":"no rule asked for a scan"})";
  switch (virus->state) {
    case Virus::State::off:
    case Virus::State::clean: return "null";
    case Virus::State::found: return json_text(virus->name);
    case Virus::State::limit: return "{\"limit\":" + json_text(virus->problem) + "}";
    case Virus::State::error: return "{\"error\":" + json_text(virus->problem.empty() ? "not scanned" : virus->problem) + "}";
  }
  return "null";
}

std::string arc_json(const Arc* arc) {
  if (arc == nullptr) return R"({"result":"none"})";
  std::string out = "{";
  member(out, "result", name(arc->result));
  if (!arc->problem.empty()) member(out, "problem", arc->problem);
  out += ",\"oldest_pass\":" + std::to_string(arc->oldest_pass) + ",\"sealers\":[";
  for (const auto& set : arc->sets) out += (out.back() == '[' ? "" : ",") + json_text(set.domain);
  // Whose signature covers From and all of the body: what is read of a chain later must be what it was worth now.
  out += "],\"covers_all\":[";
  for (const auto& set : arc->sets) out += std::string(out.back() == '[' ? "" : ",") + (set.covers_all ? "true" : "false");
  return out + "]}";
}

std::string files_json(const Files& files) {
  std::string out = "[";
  for (const auto& file : files.all) {
    std::string one = "{";
    member(one, "name", file.name);
    member(one, "kind", file.kind);
    if (!file.problem.empty()) member(one, "problem", file.problem);
    one += ",\"signs\":[";
    for (const auto& [word, detail] : file.signs) one += (one.back() == '[' ? "" : ",") + json_text(word);
    out += (out.size() > 1 ? "," : "") + one + "]}";
  }
  return out + "]";
}

}  // namespace

std::string facts_json(const lua::Scene& scene) {
  std::string out = "{";
  if (scene.spf != nullptr) out += "\"spf\":" + spf_json(*scene.spf) + ",";
  if (scene.dkim != nullptr) out += "\"dkim\":" + dkim_json(*scene.dkim) + ",";
  if (scene.dmarc != nullptr) out += "\"dmarc\":" + dmarc_json(*scene.dmarc) + ",";
  out += "\"arc\":" + arc_json(scene.arc) + ",\"virus\":" + virus_json(scene.virus) + ",";
  if (scene.files != nullptr && !scene.files->all.empty()) out += "\"files\":" + files_json(*scene.files) + ",";
  if (scene.reputation != nullptr) {
    constexpr std::string_view kReverse[] = {"confirmed", "unconfirmed", "none", "temperror"};
    out += "\"name\":" + json_text(scene.reputation->name) + ",\"reverse\":" + json_text(kReverse[static_cast<std::size_t>(scene.reputation->reverse)]) +
           ",\"ptr\":" + json_text(scene.reputation->ptr) + ",";
  }
  return out + "\"asked\":" + scene.record.json() + "}";
}

bool sender_proved(const lua::Scene& scene) {
  auto at = scene.sender.address.rfind('@');
  if (at == std::string::npos) return false;
  std::string domain = ascii_lowered(scene.sender.address.substr(at + 1));
  if (scene.spf != nullptr && scene.spf->result == SpfResult::pass && iequals(scene.spf->domain, domain)) return true;
  if (scene.dkim == nullptr) return false;
  return std::any_of(scene.dkim->signatures.begin(), scene.dkim->signatures.end(), [&](const DkimSignature& signature) {
    if (signature.result != DkimResult::pass || signature.domain.empty()) return false;
    return iequals(signature.domain, domain) || ("." + domain).ends_with("." + ascii_lowered(signature.domain));
  });
}

std::string authentication_results(const std::string& hostname, const lua::Scene& scene) {
  AuthenticationFacts known{scene.reputation, scene.spf, scene.dkim, scene.dmarc, scene.arc};
  return authentication_results(hostname, scene.client, scene.sender, known);
}

}  // namespace postern::filters
