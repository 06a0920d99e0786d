// Directories: where they are, who asks, and by which filters.
#include "gateway/config/ldap.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/config/ldap_filter.h"
#include "gateway/config/relay.h"

namespace postern::config {
namespace {

constexpr Milliseconds kLongest{20'000};   // who sends us mail waits meanwhile

bool is_plain(std::string_view url) { return url.starts_with("ldap://"); }

bool is_on_this_machine(std::string_view url) {
  auto endpoint = Endpoint::parse(url.substr(url.find("//") + 2), 389);
  return endpoint && endpoint->address.is_loopback();
}

class Reader {
 public:
  Reader(Section& section, std::string title, Ldap& ldap) : section_(section), report_(section.report()), title_(std::move(title)), ldap_(ldap) {}

  void read() {
    read_urls();
    section_.text("bind_dn", ldap_.bind_dn);
    section_.text("password_file", ldap_.password_file);
    if (ldap_.bind_dn.empty() != ldap_.password_file.empty()) {
      wrong(ldap_.bind_dn.empty() ? "password_file" : "bind_dn", std::string("and ") + (ldap_.bind_dn.empty() ? "bind_dn" : "password_file") + " belong together");
    }
    section_.text("base", ldap_.base);
    if (ldap_.base.empty()) wrong("base", "is missing; it names where the users are, such as \"dc=corp,dc=example\"");
    ldap_.recipient_filter = kAddressFilter;
    read_filter("recipient_filter", ldap_.recipient_filter);
    ldap_.login_filter = ldap_.recipient_filter;
    read_filter("login_filter", ldap_.login_filter);
    read_tls();
    section_.duration("timeout", ldap_.timeout, Milliseconds(100));
    if (ldap_.timeout > kLongest) wrong("timeout", "is at most \"20s\": who hands us a message waits for the answer");
  }

 private:
  void wrong(std::string_view key, const std::string& what) { report_.mistake(section_.line(key), std::string(key) + " in " + title_ + " " + what); }

  void read_urls() {
    const auto* member = section_.find("urls");
    if (member == nullptr || member->value.kind != Value::Kind::list || member->value.list.empty()) {
      wrong("urls", "must be a list such as [\"ldaps://dc1.corp.example\", \"ldaps://dc2.corp.example\"]");
      return;
    }
    for (const auto& item : member->value.list) {
      auto url = item.kind == Value::Kind::text ? ldap_url(item.text) : std::nullopt;
      if (url) {
        ldap_.urls.push_back(std::move(*url));
        continue;
      }
      std::string given = item.kind == Value::Kind::text ? "\"" + printable(item.text, 80) + "\"" : std::string(item.kind_name());
      report_.mistake(item.line, "urls in " + title_ + " must be \"ldaps://HOST:PORT\" or \"ldap://HOST:PORT\", not " + given);
    }
  }

  void read_filter(std::string_view key, std::string& into) {
    section_.text(key, into);
    auto sound = check_filter(into);
    if (!sound) wrong(key, sound.error().text);
  }

  void read_tls() {
    if (auto tls = section_.word("tls", {"never", "must", "verify"})) ldap_.tls = *tls == 0 ? TlsUse::never : *tls == 1 ? TlsUse::must : TlsUse::verify;
    section_.text("ca_file", ldap_.ca_file);
    if (!ldap_.ca_file.empty() && ldap_.tls != TlsUse::verify) wrong("ca_file", "is for tls = \"verify\"");
    if (ldap_.tls != TlsUse::never) return;
    for (const auto& url : ldap_.urls) {
      if (!is_plain(url)) return wrong("tls", "must not be \"never\" with a server by ldaps://");
      if (!is_on_this_machine(url)) return wrong("tls", "= \"never\" is for servers on 127.0.0.1 or [::1] alone: passwords would go in the clear to " + url);
    }
  }

  Section& section_;
  Report& report_;
  std::string title_;
  Ldap& ldap_;
};

}  // namespace

std::optional<std::string> ldap_url(std::string_view text) {
  bool tls = text.starts_with("ldaps://");
  if (!tls && !is_plain(text)) return std::nullopt;
  auto rest = std::string(text.substr(tls ? 8 : 7));
  if (rest.ends_with('/')) rest.pop_back();
  // The same form as that of other servers, with other ports.
  auto with_port = parse_host("smtp://" + rest + (rest.ends_with(']') || rest.find(':') == std::string::npos ? tls ? ":636" : ":389" : ""));
  if (!with_port) return std::nullopt;
  return std::string(tls ? "ldaps://" : "ldap://") + with_port->to_string().substr(7);
}

void read_ldap(Section& top, Config& config) {
  auto& report = top.report();
  const auto* table = top.table("ldap");
  for (const auto& member : table == nullptr ? std::vector<Member>{} : table->members) {
    std::string title = "[ldap." + printable(member.key, 80) + "]";
    if (member.value.kind != Value::Kind::table) {
      report.mistake(member.line, "ldap." + printable(member.key, 80) + " must be a section of its own with a name, such as [ldap.corp]");
      continue;
    }
    Ldap ldap;
    ldap.name = member.key;
    ldap.line = member.line;
    Section section(report, &member.value, title);
    Reader(section, title, ldap).read();
    section.finish();
    config.ldap.push_back(std::move(ldap));
  }
}

void check_ldap(Report& report, const Config& config) {
  for (const auto& domain : config.domains) {
    if (domain.ldap.empty()) continue;
    bool there = std::any_of(config.ldap.begin(), config.ldap.end(), [&](const Ldap& ldap) { return ldap.name == domain.ldap; });
    if (!there) {
      report.mistake(domain.line, "ldap in [domains.\"" + domain.name + "\"]: there is no [ldap." + printable(domain.ldap, 80) + "]");
    }
  }
}

}  // namespace postern::config
