// Where the mail of a domain goes on to.
#include "gateway/config/relay.h"

#include <vector>

#include "gateway/base/text.h"
#include "gateway/mail/idna.h"

namespace postern::config {
namespace {

void no_such_deliver(Section& section, int line, const std::string& title, const std::string& deliver) {
  section.report().mistake(line, "deliver in " + title + " must be \"mailboxes\", \"smtp://HOST:PORT\" or \"lmtp://HOST:PORT\", not \"" +
                                     printable(deliver, 80) + "\"" + did_you_mean(deliver, {"mailboxes"}));
}

// "mailboxes", or one host or a list of them.
void read_deliver(Section& section, const std::string& title, Relay& relay) {
  const auto* member = section.find("deliver");
  if (member == nullptr) return;
  const auto& value = member->value;
  bool is_list = value.kind == Value::Kind::list;
  if (!is_list && value.kind != Value::Kind::text) {
    section.report().mistake(member->line, "deliver in " + title + " must be a string, or a list of hosts");
    return;
  }
  if (!is_list && value.text == "mailboxes") return;
  for (const auto& item : is_list ? value.list : std::vector<Value>{value}) {
    auto host = item.kind == Value::Kind::text ? parse_host(item.text) : std::nullopt;
    if (host) relay.hosts.push_back(std::move(*host));
    else no_such_deliver(section, is_list ? item.line : member->line, title, item.kind == Value::Kind::text ? item.text : std::string(item.kind_name()));
  }
  if (is_list && value.list.empty()) section.report().mistake(member->line, "deliver in " + title + " is an empty list: name a host, or \"mailboxes\"");
}

// The word of `key` that is one of `words`: its index, or nothing.
std::optional<std::size_t> read_word(Section& section, std::string_view key, const std::string& title, const std::vector<std::string_view>& words) {
  std::string text;
  section.text(key, text);
  if (text.empty()) return std::nullopt;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == text) return i;
  }
  std::string known;
  for (auto word : words) known += (known.empty() ? "\"" : ", \"") + std::string(word) + "\"";
  section.report().mistake(section.line(key), std::string(key) + " in " + title + " must be one of " + known + ", not \"" + printable(text, 80) + "\"" +
                                                  did_you_mean(text, words));
  return std::nullopt;
}

}  // namespace

std::optional<std::string> canonical_domain(std::string_view name) {
  auto out = mail::domain_to_ascii(name);
  if (!out) return std::nullopt;
  for (auto label : split(*out, '.')) {
    if (label.empty() || label.front() == '-' || label.back() == '-') return std::nullopt;
    for (char c : label) {
      if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '_') return std::nullopt;
    }
  }
  return out;
}

std::string Host::to_string() const {
  auto address = IpAddress::parse(name);
  std::string shown = address && address->is_v6() ? "[" + name + "]" : name;
  return (lmtp ? "lmtp://" : "smtp://") + shown + ":" + std::to_string(port);
}

std::optional<Host> parse_host(std::string_view text) {
  Host out;
  out.lmtp = text.starts_with("lmtp://");
  if (!out.lmtp && !text.starts_with("smtp://")) return std::nullopt;
  text.remove_prefix(7);
  out.port = out.lmtp ? 24 : 25;
  if (auto endpoint = Endpoint::parse(text, out.port)) {
    out.name = endpoint->address.to_string();
    out.port = endpoint->port;
    return out.port == 0 ? std::nullopt : std::optional(out);
  }
  auto colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    auto port = parse_number(text.substr(colon + 1));
    if (!port || *port == 0 || *port > 65535) return std::nullopt;
    out.port = static_cast<std::uint16_t>(*port);
    text = text.substr(0, colon);
  }
  auto name = canonical_domain(text);
  // "10.0.0.999" is a mistyped address, no name.
  if (!name || is_digit(name->back())) return std::nullopt;
  out.name = *name;
  return out;
}

std::string_view name(TlsUse use) {
  switch (use) {
    case TlsUse::never: return "never";
    case TlsUse::may: return "may";
    case TlsUse::must: return "must";
    case TlsUse::verify: return "verify";
  }
  return "?";
}

void read_relay(Section& section, const std::string& title, Domain& domain) {
  auto& relay = domain.relay;
  read_deliver(section, title, relay);
  if (auto tls = read_word(section, "tls", title, {"never", "may", "must", "verify"})) relay.tls = static_cast<TlsUse>(*tls);
  if (auto recipients = read_word(section, "recipients", title, {"ask", "any"})) relay.ask_recipients = *recipients == 0;
  if (auto down = read_word(section, "when_down", title, {"defer", "queue"})) relay.queue_when_down = *down == 1;
  if (auto mode = read_word(section, "deliver_mode", title, {"queue", "through"})) relay.through = *mode == 1;
  if (!relay.hosts.empty()) {
    if (relay.through && relay.hosts.size() != 1) {
      section.report().mistake(section.line("deliver_mode"), "deliver_mode = \"through\" in " + title + " passes back what one server says; deliver names " +
                                                                 std::to_string(relay.hosts.size()));
    }
    if (relay.through && relay.queue_when_down) {
      section.report().mistake(section.line("when_down"), "when_down = \"queue\" in " + title + " and deliver_mode = \"through\" exclude each other: nothing is queued");
    }
    if (section.has("catch_all")) {
      section.report().mistake(section.line("catch_all"), "catch_all in " + title + " is for mailboxes; this domain's mail goes on to its own server");
    }
    return;
  }
  for (auto key : {"tls", "recipients", "when_down", "deliver_mode"}) {
    if (section.has(key)) section.report().mistake(section.line(key), std::string(key) + " in " + title + " is for a domain whose deliver names a server");
  }
}

}  // namespace postern::config
