// The grammar and the limits of ARC's two signature fields.
#include "filters/arc_signature.h"

#include <algorithm>

#include "gateway/base/result.h"
#include "gateway/base/text.h"
#include "gateway/mail/idna.h"
#include "gateway/mail/tag_list.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxHeaderNames = 200;   // each is searched in the header
constexpr std::int64_t kClockDrift = 300;      // seconds
constexpr std::size_t kHashOctets = 32;

std::optional<std::string> decode(std::string_view value) {
  std::string text = mail::without_space(value);
  while (text.size() % 4 != 0) text += '=';   // some leave the padding out
  auto out = from_base64(text);
  if (out && out->empty()) return std::nullopt;
  return out;
}

// RFC 8617 4.1.4: U-labels may stand here.
std::string as_name(std::string_view value) {
  if (is_ascii(value)) return ascii_lowered(value);
  return mail::domain_to_ascii(value).value_or("");
}

Result<std::optional<std::uint64_t>> read_time(const mail::TagList& tags, std::string_view name) {
  auto text = tags.find(name);
  if (!text) return std::optional<std::uint64_t>();
  auto number = parse_number(*text);
  if (!number || text->size() > 12) return Error(std::string(name) + "= is no time");   // RFC 6376 3.5
  return number;
}

// What both have.
Status check_common(const mail::TagList& tags, ArcSignature& out) {
  out.domain = as_name(tags.find("d").value_or(""));
  out.selector = as_name(tags.find("s").value_or(""));
  if (!mail::is_dns_name(out.domain)) return Error("d= is no domain");
  if (!mail::is_dns_name(out.selector)) return Error("s= is no selector");
  out.key_name = out.selector + "._domainkey." + out.domain;
  if (!mail::is_dns_name(out.key_name)) return Error("d= and s= are too long together");
  out.algorithm = tags.find("a").value_or("").substr(0, 40);
  out.ed25519 = out.algorithm == "ed25519-sha256";
  if (out.algorithm == "rsa-sha1") return Error("rsa-sha1 is not accepted (RFC 8301)");
  if (out.algorithm != "rsa-sha256" && !out.ed25519) return Error("a= is missing or unknown");
  auto signature = decode(tags.find("b").value_or(""));
  if (!signature) return Error("b= is no base64");
  out.signature = std::move(*signature);
  return {};
}

// The suite of RFC 8617's makers lets h= be empty, name nothing between two colons, and leave From out: what is not
// covered is told, and nothing is excused for such a signature.
Status check_names(const mail::TagList& tags, ArcSignature& out) {
  auto list = tags.find("h");
  if (!list) return Error("h= is missing");
  for (auto name : split(*list, ':')) {
    name = trimmed(name);
    if (name.empty()) continue;
    if (out.names.size() == kMaxHeaderNames) return Error("h= names too many fields");
    if (iequals(name, "arc-seal")) return Error("h= names ARC-Seal");   // RFC 8617 4.1.2
    out.covers_from = out.covers_from || iequals(name, "from");
    out.names.push_back(name);
  }
  return {};
}

Status check_body(const mail::TagList& tags, ArcSignature& out) {
  auto hash = decode(tags.find("bh").value_or(""));
  if (!hash || hash->size() != kHashOctets) return Error("bh= is no SHA-256 hash");
  out.body_hash = std::move(*hash);
  if (auto length = tags.find("l")) {
    out.body_length = parse_number(*length);
    if (!out.body_length || *out.body_length > (1ULL << 50)) return Error("l= is no length");
  }
  // RFC 6376 3.5 has simple/simple where c= is missing.  But whoever leaves it out of ARC means relaxed (the suite
  // does, and dkimpy), since the seal knows nothing else.
  std::string ways = mail::without_space(tags.find("c").value_or("relaxed/relaxed"));
  auto halves = split(ways, '/');
  bool known = halves.size() <= 2 && std::all_of(halves.begin(), halves.end(), [](auto half) { return half == "simple" || half == "relaxed"; });
  if (!known) return Error("c= is unknown");
  out.relaxed_header = halves[0] == "relaxed";
  out.relaxed_body = halves.size() == 2 && halves[1] == "relaxed";
  return {};
}

Status check_times(const mail::TagList& tags, Time now) {
  auto signed_at = read_time(tags, "t");
  if (!signed_at) return signed_at.error();
  auto expires = read_time(tags, "x");
  if (!expires) return expires.error();
  if (*expires && *signed_at && **expires <= **signed_at) return Error("x= is not after t=");
  auto today = static_cast<std::uint64_t>(std::max<std::int64_t>(to_unix(now), 0));
  if (*expires && today > **expires + kClockDrift) return Error("it has expired");
  if (*signed_at && **signed_at > today + kClockDrift) return Error("it is from the future");
  return {};
}

Status check_message_signature(const mail::TagList& tags, Time now, ArcSignature& out) {
  if (auto right = check_common(tags, out); !right) return right;
  if (auto right = check_names(tags, out); !right) return right;
  if (auto right = check_body(tags, out); !right) return right;
  return check_times(tags, now);
}

Status check_seal(const mail::TagList& tags, ArcSignature& out) {
  if (auto right = check_common(tags, out); !right) return right;
  if (tags.find("h")) return Error("it has h=");   // RFC 8617 4.1.3
  auto signed_at = read_time(tags, "t");
  if (!signed_at) return signed_at.error();
  return {};
}

}  // namespace

ArcSignature parse_arc_message_signature(std::string_view raw, Time now) {
  ArcSignature out;
  auto tags = mail::TagList::parse_strictly(raw);
  auto right = tags ? check_message_signature(*tags, now, out) : Status(Error(tags.error().text));
  if (!right) out.problem = right.error().text;
  return out;
}

ArcSignature parse_arc_seal(std::string_view raw) {
  ArcSignature out;
  auto tags = mail::TagList::parse_strictly(raw);
  auto right = tags ? check_seal(*tags, out) : Status(Error(tags.error().text));
  if (!right) out.problem = right.error().text;
  return out;
}

}  // namespace postern::filters
