// DKIM keys and their rows.
#include "gateway/signing/key.h"

#include "gateway/base/text.h"
#include "gateway/mail/blob.h"
#include "gateway/mail/idna.h"

namespace postern::signing {
namespace {

constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kMaxString = 255;   // RFC 1035 3.3: of a character-string
constexpr std::size_t kMaxSelector = 63;

// Unix seconds; 0 is "never".
void put_time(std::string& out, Time time) {
  auto seconds = to_unix(time);
  mail::put_number(out, seconds < 0 ? 0 : static_cast<std::uint64_t>(seconds));
}

Time take_time(mail::BlobReader& reader) { return from_unix(static_cast<std::int64_t>(reader.number(1ULL << 40))); }

}  // namespace

std::string_view name(State state) {
  switch (state) {
    case State::waiting: return "waiting";
    case State::active: return "active";
    case State::retired: return "retired";
    case State::ended: return "ended";
  }
  return "?";
}

std::string Key::record_name() const { return selector + "._domainkey." + domain; }

std::string Key::record_text() const { return "v=DKIM1; k=" + std::string(name(algorithm)) + "; p=" + public_text; }

Result<Key> make_key(std::string domain, std::string selector, Algorithm algorithm, Time now) {
  auto secret = PrivateKey::generate(algorithm);
  if (!secret) return secret.error();
  Key out;
  out.domain = std::move(domain);
  out.selector = std::move(selector);
  out.algorithm = algorithm;
  out.created = out.since = now;
  out.public_text = secret->public_text();
  out.secret = std::make_shared<const PrivateKey>(std::move(*secret));
  return out;
}

std::string row_name(const Key& key) { return std::string(kKeyRows) + key.domain + ":" + key.selector; }

std::string encode(const Key& key) {
  std::string out;
  mail::put_number(out, kVersion);
  mail::put_number(out, static_cast<std::uint64_t>(key.algorithm));
  mail::put_number(out, static_cast<std::uint64_t>(key.state));
  for (auto time : {key.created, key.since, key.seen, key.told}) put_time(out, time);
  mail::put_number(out, key.forced ? 1 : 0);
  mail::put_text(out, key.problem);
  mail::put_text(out, key.public_text);
  mail::put_text(out, key.secret ? key.secret->octets() : std::string());
  return out;
}

Result<Key> decode_key(std::string_view row_name, std::string_view value) {
  auto damaged = [&](std::string_view why) { return Error("the row of the DKIM key " + printable(row_name) + " is damaged" + std::string(why)); };
  Key out;
  if (!row_name.starts_with(kKeyRows)) return damaged("");
  auto rest = row_name.substr(kKeyRows.size());
  auto colon = rest.rfind(':');
  if (colon == std::string_view::npos) return damaged("");
  out.domain = rest.substr(0, colon);
  out.selector = rest.substr(colon + 1);
  mail::BlobReader reader(value);
  if (reader.number() != kVersion) return damaged(", or of a newer program");
  out.algorithm = static_cast<Algorithm>(reader.number(1));
  out.state = static_cast<State>(reader.number(3));
  for (auto* time : {&out.created, &out.since, &out.seen, &out.told}) *time = take_time(reader);
  out.forced = reader.number(1) != 0;
  out.problem = reader.text();
  out.public_text = reader.text();
  auto octets = reader.text();
  if (!reader.ok() || !reader.at_end()) return damaged("");
  if (octets.empty()) {
    if (out.state != State::ended) return damaged(": it has no private key");
    return out;
  }
  auto secret = PrivateKey::read(out.algorithm, octets);
  if (!secret) return damaged(": " + secret.error().text);
  out.secret = std::make_shared<const PrivateKey>(std::move(*secret));
  return out;
}

std::optional<std::string> canonical_selector(std::string_view text) {
  auto out = mail::domain_to_ascii(text);
  if (!out || out->size() > kMaxSelector) return std::nullopt;
  for (auto label : split(*out, '.')) {
    if (label.empty() || label.front() == '-' || label.back() == '-') return std::nullopt;
    for (char c : label) {
      if (!is_alpha(c) && !is_digit(c) && c != '-') return std::nullopt;
    }
  }
  return out;
}

std::vector<std::string> txt_strings(std::string_view text) {
  std::vector<std::string> out;
  do {
    out.emplace_back(text.substr(0, kMaxString));
    text.remove_prefix(out.back().size());
  } while (!text.empty());
  return out;
}

std::string zone_line(std::string_view name, std::string_view text) {
  std::string out = std::string(name) + ". IN TXT (";
  for (const auto& part : txt_strings(text)) {
    out += " \"";
    for (char c : part) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + " )";
}

}  // namespace postern::signing
