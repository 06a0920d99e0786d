// One message's new ARC Set.
#include "gateway/signing/seal.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/mail/arc_chain.h"
#include "gateway/mail/authres_payload.h"
#include "gateway/mail/dkim_canonical.h"
#include "gateway/mail/dkim_fields.h"
#include "gateway/signing/signed_header.h"

namespace postern::signing {
namespace {

std::string_view name(ChainStatus status) { return status == ChainStatus::none ? "none" : status == ChainStatus::pass ? "pass" : "fail"; }

// A line end without folding would end the field.
bool is_one_field(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n' || text[i] == '\0') return false;
    if (text[i] != '\r') continue;
    if (i + 2 >= text.size() || text[i + 1] != '\n' || !is_wsp(text[i + 2])) return false;
    i += 2;
  }
  return true;
}

// RFC 8617 4.1.2: others take these away, or they are sealed by ARC-Seal.
bool may_be_covered(std::string_view field) { return !iequals(field, "Authentication-Results") && !istarts_with(field, "ARC-"); }

Result<SignedHeader> header_of(std::string_view message, const Sealing& sealing) {
  if (sealing.fields.empty()) return signed_header(message, true);
  SignedHeader out;
  out.names = sealing.fields;
  if (!std::all_of(out.names.begin(), out.names.end(), may_be_covered)) return Error("a field cannot be covered by ARC-Message-Signature");
  mail::SignedFields fields(message);
  for (const auto* field : fields.pick(out.names)) mail::relaxed_field(field->name, field->raw, out.canonical);
  return out;
}

// What both signature fields may hold, in the order that was asked for.
class Tags {
 public:
  Tags(unsigned instance, const Key& key, Time now) : instance_(std::to_string(instance)), key_(key), time_(std::to_string(to_unix(now))) {}

  // `header` nullptr: of the seal.
  TagLines write(std::string_view field, const std::vector<std::string_view>& order, const SignedHeader* header, std::string_view last) const {
    TagLines out(field);
    for (auto tag : order) {
      bool at_end = tag == order.back();
      if (tag == "b") {
        out.line();
        out.b(at_end);
      } else if (tag == "h" && header != nullptr) {
        out.line();
        out.list("h=", header->names, ':');
        out.line();
      } else if (tag == "bh" || tag == "cv") {
        out.tag(std::string(tag) + "=" + std::string(last) + (at_end ? "" : ";"));
      } else {
        out.tag(std::string(tag) + "=" + value(tag) + (at_end ? "" : ";"));
      }
    }
    return out;
  }

 private:
  std::string value(std::string_view tag) const {
    if (tag == "i") return instance_;
    if (tag == "a") return std::string(signing::name(key_.algorithm)) + "-sha256";
    if (tag == "c") return "relaxed/relaxed";
    if (tag == "d") return key_.domain;
    if (tag == "s") return key_.selector;
    CHECK(tag == "t");
    return time_;
  }
  std::string instance_;
  const Key& key_;
  std::string time_;
};

// Why the message cannot get another set.
Status check(const mail::ArcChain& chain, ChainStatus status, std::string_view payload) {
  bool there = !chain.empty();
  if (there == (status == ChainStatus::none)) return Error("the chain of the message is not the one that was validated");
  if (status == ChainStatus::pass && !chain.problem.empty()) return Error("the chain of the message does not pass: " + chain.problem);
  if (chain.highest >= mail::kMaxArcInstance) return Error("the message has as many ARC Sets as there may be");
  if (!is_one_field(payload) || payload.empty()) return Error("the authentication results are no field");
  if (payload.size() > mail::kMaxArcField - 100) return Error("the authentication results are too long");
  return {};
}

void add_field(std::string_view field, std::string& out) {
  auto colon = field.find(':');
  mail::relaxed_field(field.substr(0, colon), field.substr(colon + 1, field.size() - colon - 3), out);
}

// RFC 8617 5.1.1, 5.1.2: what ARC-Seal covers before itself.
std::string sealed(const mail::ArcChain& chain, ChainStatus status) {
  std::string out;
  if (status != ChainStatus::pass) return out;
  for (const auto& set : chain.sets) {
    for (const auto& field : {set.results, set.message_signature, set.seal}) mail::relaxed_field(field->name, field->raw, out);
  }
  return out;
}

}  // namespace

ChainStatus chain_status(std::string_view payload) {
  auto read = mail::parse_authres_payload(payload);
  auto results = read.of("arc");
  if (results.size() != 1) return ChainStatus::unknown;
  const auto& result = results.front()->result;
  for (auto status : {ChainStatus::none, ChainStatus::pass, ChainStatus::fail}) {
    if (result == name(status)) return status;
  }
  return ChainStatus::unknown;
}

Result<std::string> seal(std::string_view message, const Sealing& sealing, const Key& key, Time now) {
  auto chain = mail::read_arc_chain(message);
  auto status = sealing.status == ChainStatus::unknown && chain.empty() ? ChainStatus::none : sealing.status;
  if (chain.ended || status == ChainStatus::unknown) return std::string();
  if (auto right = check(chain, status, sealing.payload); !right) return right.error();
  // It would go on with the last field of the set.
  if (message.starts_with(' ') || message.starts_with('\t')) return Error("the message begins with white space");
  unsigned instance = chain.highest + 1;
  auto results = "ARC-Authentication-Results: i=" + std::to_string(instance) + "; " + sealing.payload + "\r\n";

  auto header = header_of(message, sealing);
  if (!header) return header.error();
  Tags tags(instance, key, now);
  auto message_signature = tags.write("ARC-Message-Signature:", sealing.message_signature_tags, &*header, body_hash(message));
  auto signed_message = sign_tags(message_signature, header->canonical, key, sealing.fold_signatures);
  if (!signed_message) return signed_message.error();

  auto input = sealed(chain, status);
  add_field(results, input);
  add_field(*signed_message, input);
  auto seal_field = tags.write("ARC-Seal:", sealing.seal_tags, nullptr, name(status));
  auto sealed_set = sign_tags(seal_field, std::move(input), key, sealing.fold_signatures);
  if (!sealed_set) return sealed_set.error();
  return *sealed_set + *signed_message + results;
}

}  // namespace postern::signing
