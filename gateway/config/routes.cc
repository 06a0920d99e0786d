// How mail goes on to domains that are not ours: by destination, and by sender.
#include "gateway/config/routes.h"

#include <algorithm>
#include <map>

#include "gateway/base/text.h"
#include "gateway/config/relay.h"

namespace postern::config {
namespace {

constexpr std::uint64_t kMaxRate = 100'000;   // the times of so many messages are kept

bool is_address(const Host& host) { return IpAddress::parse(host.name).has_value(); }

class Reader {
 public:
  Reader(Section& section, std::string title, Route& route) : section_(section), report_(section.report()), title_(std::move(title)), route_(route) {}

  void read() {
    read_via();
    read_mx();
    section_.text("login", route_.login);
    section_.text("password_file", route_.password_file);
    read_tls();
    section_.rate("rate", route_.rate);
    if (route_.rate.count > kMaxRate) report_.mistake(section_.line("rate"), "rate in " + title_ + " must be at most " + std::to_string(kMaxRate) + " messages");
    section_.count("connections", route_.connections, 1000);
    if (section_.has("connections") && route_.connections == 0) wrong("connections", "must be at least 1");
    check_login();
  }

 private:
  void wrong(std::string_view key, const std::string& what) { report_.mistake(section_.line(key), std::string(key) + " in " + title_ + " " + what); }

  // One host or a list of them; without any the mail hosts of DNS.
  void read_via() {
    const auto* member = section_.find("via");
    if (member == nullptr) return;
    const auto& value = member->value;
    bool is_list = value.kind == Value::Kind::list;
    for (const auto& item : is_list ? value.list : std::vector<Value>{value}) {
      auto host = item.kind == Value::Kind::text ? parse_host(item.text) : std::nullopt;
      if (host && !host->lmtp) {
        route_.hosts.push_back(std::move(*host));
        continue;
      }
      std::string given = item.kind == Value::Kind::text ? "\"" + printable(item.text, 80) + "\"" : std::string(item.kind_name());
      report_.mistake(item.line, "via in " + title_ + " must be \"smtp://HOST:PORT\" or \"smtps://HOST:PORT\", or a list of them, not " + given);
    }
    if (is_list && value.list.empty()) wrong("via", "is an empty list: name a host, or leave it out for the domain's mail hosts (MX)");
  }

  void read_mx() {
    const auto* member = section_.find("mx");
    if (member == nullptr) return;
    if (member->value.kind != Value::Kind::list) {
      wrong("mx", "must be a list of host names such as [\"mx1.example.org\", \"*.example.net\"]");
      return;
    }
    for (const auto& item : member->value.list) {
      const std::string text = item.kind == Value::Kind::text ? item.text : "";
      bool any = text.starts_with("*.");
      auto name = canonical_domain(std::string_view(text).substr(any ? 2 : 0));
      if (name) route_.mx.push_back((any ? "*." : "") + *name);
      else report_.mistake(item.line, "mx in " + title_ + ": \"" + printable(text, 80) + "\" is no host name such as \"mx1.example.org\" or \"*.example.org\"");
    }
    if (section_.has("via")) wrong("mx", "is for a route without via: that names its hosts itself");
  }

  // A password goes only to whom it is meant for, unless the administrator says otherwise.
  void read_tls() {
    if (!route_.login.empty()) route_.tls = TlsUse::verify;
    if (auto tls = section_.word("tls", {"never", "may", "must", "verify"})) route_.tls = static_cast<TlsUse>(*tls);
    bool implicit = std::any_of(route_.hosts.begin(), route_.hosts.end(), [](const Host& host) { return host.implicit_tls; });
    if (implicit && route_.tls == TlsUse::never) wrong("tls", "must not be \"never\" with a host by smtps://");
    bool nameless = std::any_of(route_.hosts.begin(), route_.hosts.end(), is_address);
    if (nameless && route_.tls == TlsUse::verify) {
      wrong(section_.has("tls") ? "tls" : "login", "wants a certificate that bears the host's name: give the name in via instead of the address, or tls = \"must\"");
    }
  }

  void check_login() {
    if (route_.login.empty() != route_.password_file.empty()) {
      wrong(route_.login.empty() ? "password_file" : "login", "and " + std::string(route_.login.empty() ? "login" : "password_file") + " belong together");
    }
    if (route_.login.empty()) return;
    if (route_.hosts.empty()) wrong("login", "needs via: a password is for a host that you name");
    if (route_.tls == TlsUse::never || route_.tls == TlsUse::may) wrong("tls", "must be \"must\" or \"verify\" where there is a login: a password goes over TLS only");
  }

  Section& section_;
  Report& report_;
  std::string title_;
  Route& route_;
};

// "example.org", ".example.org" and "*" in the form in which they are looked up.
std::optional<std::string> route_name(std::string_view key, bool by_sender) {
  if (!by_sender && key == "*") return std::string(key);
  bool below = !by_sender && key.starts_with('.');
  auto name = canonical_domain(below ? key.substr(1) : key);
  if (!name) return std::nullopt;
  return (below ? "." : "") + *name;
}

void read_table(Section& top, std::string_view table_name, std::vector<Route>& into, const Config& config) {
  auto& report = top.report();
  bool by_sender = table_name == "senders";
  const auto* table = top.table(table_name);
  std::map<std::string, int> seen;
  for (const auto& member : table == nullptr ? std::vector<Member>{} : table->members) {
    std::string title = "[" + std::string(table_name) + ".\"" + printable(member.key, 80) + "\"]";
    auto name = route_name(member.key, by_sender);
    if (member.value.kind != Value::Kind::table) {
      report.mistake(member.line, std::string(table_name) + "." + printable(member.key, 80) + " must be a section such as [" + std::string(table_name) + ".\"example.org\"]");
      continue;
    }
    bool nested = !member.value.members.empty();
    for (const auto& inner : member.value.members) nested = nested && inner.value.kind == Value::Kind::table;
    if (nested) {
      report.mistake(member.line, "the domain needs quotes: [" + std::string(table_name) + ".\"" + printable(member.key + "." + member.value.members.front().key, 80) + "\"]");
      continue;
    }
    if (!name) {
      report.mistake(member.line, title + ": \"" + printable(member.key, 80) + "\" is no domain name" +
                                      (by_sender ? "" : ", nor \".example.org\" for what lies below it, nor \"*\""));
    }
    Route route;
    route.name = name.value_or(member.key);
    route.line = member.line;
    auto [at, fresh] = seen.emplace(route.name, member.line);
    if (!fresh) report.mistake(member.line, title + " is there twice; the first one is in line " + std::to_string(at->second));
    bool ours = std::any_of(config.domains.begin(), config.domains.end(), [&](const Domain& domain) { return domain.name == route.name; });
    if (ours && !by_sender) report.mistake(member.line, title + ": the domain is ours, and deliver in [domains.\"" + route.name + "\"] says where its mail goes");
    Section section(report, &member.value, title);
    Reader(section, title, route).read();
    if (by_sender && route.hosts.empty()) report.mistake(member.line, title + " needs via = \"smtp://HOST:PORT\"");
    section.finish();
    into.push_back(std::move(route));
  }
}

}  // namespace

void read_routes(Section& top, Config& config) {
  read_table(top, "routes", config.routes, config);
  read_table(top, "senders", config.senders, config);
}

}  // namespace postern::config
