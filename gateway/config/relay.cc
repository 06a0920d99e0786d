// Where the mail of a domain goes on to.
#include "gateway/config/relay.h"

#include <vector>

#include "gateway/base/text.h"
#include "gateway/mail/idna.h"

namespace postern::config {
namespace {

void no_such_deliver(Section& section, int line, const std::string& title, const std::string& deliver) {
  section.report().mistake(line, "deliver in " + title + " must be \"mailboxes\", \"smtp://HOST:PORT\", \"smtps://HOST:PORT\" or \"lmtp://HOST:PORT\", not \"" +
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
  return (lmtp ? "lmtp://" : implicit_tls ? "smtps://" : "smtp://") + shown + ":" + std::to_string(port);
}

std::optional<Host> parse_host(std::string_view text) {
  Host out;
  out.lmtp = text.starts_with("lmtp://");
  out.implicit_tls = text.starts_with("smtps://");
  if (!out.lmtp && !out.implicit_tls && !text.starts_with("smtp://")) return std::nullopt;
  text.remove_prefix(out.implicit_tls ? 8 : 7);
  out.port = out.lmtp ? 24 : out.implicit_tls ? 465 : 25;
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

std::optional<std::vector<Host>> parse_hosts(std::string_view text) {
  std::vector<Host> out;
  for (auto each : split(text, ',')) {
    auto host = parse_host(trimmed(each));
    if (!host) return std::nullopt;
    out.push_back(std::move(*host));
  }
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
  if (auto tls = section.word("tls", {"never", "may", "must", "verify"})) relay.tls = static_cast<TlsUse>(*tls);
  if (auto recipients = section.word("recipients", {"ask", "any", "ldap"})) {
    relay.ask_recipients = *recipients != 1;
    relay.ask_ldap = *recipients == 2;
  }
  section.text("ldap", domain.ldap);
  if (relay.ask_ldap && domain.ldap.empty()) {
    section.report().mistake(section.line("recipients"), "recipients = \"ldap\" in " + title + " needs ldap = \"NAME\", the directory of [ldap.NAME]");
  }
  if (auto down = section.word("when_down", {"defer", "queue"})) relay.queue_when_down = *down == 1;
  if (auto mode = section.word("deliver_mode", {"queue", "through"})) relay.through = *mode == 1;
  if (!relay.hosts.empty()) {
    for (const auto& host : relay.hosts) {
      if (!host.implicit_tls || relay.tls != TlsUse::never) continue;
      section.report().mistake(section.line("tls"), "tls in " + title + " must not be \"never\" with a host by smtps://");
      break;
    }
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
