// postern.toml -> Config.  Every mistake is reported, not only the first: an administrator who
// must restart for each one gives up.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include "gateway/base/text.h"
#include "gateway/config/abuse.h"
#include "gateway/config/ldap.h"
#include "gateway/config/links.h"
#include "gateway/config/relay.h"
#include "gateway/config/routes.h"
#include "gateway/config/section.h"
#include "gateway/config/submission.h"

namespace postern::config {
namespace {

constexpr std::size_t kMaxFile = 4U << 20;   // a configuration, not a list of spammers
constexpr std::uint64_t kMany = 1'000'000;

// The names that people write below a [section] by mistake: TOML then puts them into it.
const std::vector<std::string_view> kTopKeys = {"hostname", "data", "rules", "user", "group", "postmaster", "public_url", "language"};

// In the form in which accounts are kept; nothing when it is no address.
std::optional<std::string> canonical_address(std::string_view text) {
  auto at = text.rfind('@');
  if (at == std::string_view::npos || at == 0) return std::nullopt;
  auto domain = canonical_domain(text.substr(at + 1));
  if (!domain) return std::nullopt;
  return ascii_lowered(text.substr(0, at + 1)) + *domain;
}

void read_top(Section& top, Config& config) {
  auto& report = top.report();
  top.text("hostname", config.hostname);
  if (top.find("hostname") == nullptr) {
    report.mistake(0, "hostname is missing; it is the name in our MX record, e.g. hostname = \"mx.corp.example\"");
  } else {
    auto name = canonical_domain(config.hostname);
    bool full = name && name->find('.') != std::string::npos;
    if (full) config.hostname = *name;
    if (!full && top.find("hostname")->value.kind == Value::Kind::text) {
      report.mistake(top.line("hostname"), "hostname \"" + printable(config.hostname, 80) + "\" is no full host name such as \"mx.corp.example\"");
    }
  }
  top.text("data", config.data);
  top.text("rules", config.rules);
  for (auto [key, path] : {std::pair("data", &config.data), std::pair("rules", &config.rules)}) {
    if (path->empty()) report.mistake(top.line(key), std::string(key) + " must name a folder");
  }
  top.text("user", config.user);
  top.text("group", config.group);
  top.text("postmaster", config.postmaster);
  if (config.postmaster.empty()) return;
  auto postmaster = canonical_address(config.postmaster);
  if (!postmaster) {
    report.mistake(top.line("postmaster"), "postmaster \"" + printable(config.postmaster, 80) + "\" is no address such as \"admin@corp.example\"");
  }
  config.postmaster = postmaster.value_or("");
}

struct Service {
  std::string_view key;
  std::vector<Endpoint>* endpoints;
  std::uint16_t port;
  bool implicit_tls;
};

void read_listen(Section section, Config& config) {
  auto& listen = config.listen;
  auto& report = section.report();
  const std::vector<Service> services = {
      {"smtp", &listen.smtp, 25, false}, {"submission", &listen.submission, 587, false}, {"submissions", &listen.submissions, 465, true},
      {"lmtp", &listen.lmtp, 24, false}, {"imap", &listen.imap, 143, false},             {"imaps", &listen.imaps, 993, true},
      {"pop3", &listen.pop3, 110, false}, {"pop3s", &listen.pop3s, 995, true},
  };
  std::map<Endpoint, std::string> taken;
  auto take = [&](const Endpoint& endpoint, std::string_view key) {
    if (endpoint.port == 0) return;   // the kernel chooses one: no clash
    auto [at, fresh] = taken.emplace(endpoint, std::string(key));
    if (fresh) return;
    int line = section.has(key) ? section.line(key) : section.line(at->second);
    report.mistake(line, std::string(key) + " in [listen]: " + endpoint.to_string() + " is already taken by " + at->second);
  };
  for (const auto& service : services) {
    section.endpoints(service.key, *service.endpoints, service.port);
    for (const auto& endpoint : *service.endpoints) take(endpoint, service.key);
    if (service.implicit_tls && !service.endpoints->empty() && !config.tls.configured()) {
      report.mistake(section.line(service.key), std::string(service.key) + " in [listen] needs a certificate; set certificate and key in [tls], or " +
                                                    std::string(service.key) + " = []");
    }
  }
  if (!listen.submission.empty() && !config.tls.configured() && !config.tls.allow_plaintext_login) {
    report.warning(section.line("submission"), "submission in [listen]: nobody can log in there without a certificate in [tls]");
  }
  section.endpoint("admin", listen.admin);
  if (listen.admin) take(*listen.admin, "admin");
  section.endpoints("links", listen.links, 8443);
  for (const auto& endpoint : listen.links) take(endpoint, "links");
  check_links(section, config);
  section.finish(kTopKeys);
}

void read_tls(Section section, Config& config) {
  section.text("certificate", config.tls.certificate);
  section.text("key", config.tls.key);
  section.text("trust", config.tls.trust);
  section.boolean("allow_plaintext_login", config.tls.allow_plaintext_login);
  if (config.tls.certificate.empty() != config.tls.key.empty()) {
    int line = section.line(section.has("certificate") ? "certificate" : "key");
    section.report().mistake(line, "certificate and key in [tls] belong together: give both, or \"\" for both to do without TLS");
  }
  section.finish(kTopKeys);
}

void read_domains(Section& top, Config& config) {
  auto& report = top.report();
  const auto* domains = top.table("domains");
  std::map<std::string, int> seen;
  for (const auto& member : domains == nullptr ? std::vector<Member>{} : domains->members) {
    std::string title = "[domains.\"" + printable(member.key, 80) + "\"]";
    Domain domain;
    auto name = canonical_domain(member.key);
    domain.name = name.value_or(member.key);
    domain.line = member.line;
    if (!name) {
      report.mistake(member.line, title + ": \"" + printable(member.key, 80) + "\" is no domain name");
    }
    if (member.value.kind != Value::Kind::table) {
      report.mistake(member.line, "domains." + printable(member.key, 80) + " must be a section: write [domains.\"corp.example\"] with the quotes");
      continue;
    }
    // [domains.corp.example] without quotes is a table "example" in a table "corp".
    bool nested = !member.value.members.empty();
    for (const auto& inner : member.value.members) nested = nested && inner.value.kind == Value::Kind::table;
    if (nested) {
      report.mistake(member.line, "the domain needs quotes: [domains.\"" + printable(member.key + "." + member.value.members.front().key, 80) + "\"]");
      continue;
    }
    auto [at, fresh] = seen.emplace(domain.name, member.line);
    if (!fresh) report.mistake(member.line, title + " is there twice; the first one is in line " + std::to_string(at->second));
    Section section(report, &member.value, title);
    read_relay(section, title, domain);
    section.text("catch_all", domain.catch_all);
    domain.language = read_language(section);
    auto catch_all = canonical_address(domain.catch_all);
    if (!domain.catch_all.empty() && !catch_all) {
      report.mistake(section.line("catch_all"), "catch_all in " + title + " must be the address of an account, such as \"office@corp.example\"");
    }
    domain.catch_all = catch_all.value_or("");
    section.finish(kTopKeys);
    config.domains.push_back(std::move(domain));
  }
  if (domains == nullptr || domains->members.empty()) {
    report.mistake(0, "no domain to receive mail for; add [domains.\"corp.example\"]");
  }
}

void read_queue(Section section, Queue& queue) {
  section.durations("retry", queue.retry, Milliseconds(1000));
  section.duration("expire", queue.expire, Milliseconds(1000));
  section.duration("delay_notice", queue.delay_notice, Milliseconds(0));
  section.count("connections_per_route", queue.connections_per_route, 1000);
  section.count("connections", queue.connections, 10'000);
  for (auto [key, value] : {std::pair("connections_per_route", &queue.connections_per_route), std::pair("connections", &queue.connections)}) {
    if (*value == 0) section.report().mistake(section.line(key), std::string(key) + " in [queue] must be at least 1");
  }
  section.finish(kTopKeys);
}

// "0s": for ever.
void keep_time(Section& section, std::string_view key, Milliseconds& into) {
  section.duration(key, into, Milliseconds(0));
  if (into <= std::chrono::hours(100 * 366 * 24)) return;
  section.report().mistake(section.line(key), std::string(key) + " in [quarantine] is at most 100 years; \"0s\" is for ever");
  into = Milliseconds(0);
}

void read_quarantine(Section section, Quarantine& quarantine) {
  keep_time(section, "keep", quarantine.keep);
  for (auto [key, of_class] : {std::pair("keep_spam", &quarantine.keep_spam), std::pair("keep_policy", &quarantine.keep_policy),
                               std::pair("keep_virus", &quarantine.keep_virus), std::pair("keep_undeliverable", &quarantine.keep_undeliverable)}) {
    auto time = quarantine.keep;
    keep_time(section, key, time);
    if (section.has(key)) *of_class = time;
  }
  section.octets("max_octets", quarantine.max_octets, 0);
  section.finish(kTopKeys);
}

// Bounces come back to it, so it must be a domain whose mail we take.
void read_forward(Section section, const std::vector<Domain>& domains, Forward& forward) {
  section.text("srs_domain", forward.srs_domain);
  if (!forward.srs_domain.empty()) {
    auto name = canonical_domain(forward.srs_domain);
    bool ours = name && std::any_of(domains.begin(), domains.end(), [&](const Domain& domain) { return domain.name == *name; });
    if (!ours) {
      section.report().mistake(section.line("srs_domain"), "srs_domain \"" + printable(forward.srs_domain, 80) +
                                                               "\" in [forward] is none of our domains; add [domains.\"" +
                                                               printable(forward.srs_domain, 80) + "\"]");
    }
    forward.srs_domain = name.value_or("");
  }
  section.finish(kTopKeys);
}

void read_smtp(Section section, Smtp& smtp) {
  section.octets("max_size", smtp.max_size, 64 * 1024);   // RFC 5321 4.5.3.1.7: at least 64 K
  section.networks("xclient", smtp.xclient);
  section.networks("trusted", smtp.trusted);
  section.networks("proxy", smtp.proxy);
  section.duration("greet_delay", smtp.greet_delay, Milliseconds(0));
  section.finish(kTopKeys);
}

void read_imap(Section section, Imap& imap) {
  section.octets("max_append", imap.max_append, 64 * 1024);
  section.duration("idle_timeout", imap.idle_timeout, Milliseconds(1000));
  section.finish(kTopKeys);
}

void read_limits(Section section, Limits& limits) {
  section.count("connections_per_address", limits.connections_per_address, kMany);
  section.count("connections_per_network", limits.connections_per_network, kMany);
  section.rate("connection_rate_per_address", limits.connection_rate_per_address);
  section.rate("error_rate_per_address", limits.error_rate_per_address);
  section.rate("error_rate_per_network", limits.error_rate_per_network);
  section.rate("recipient_rate_per_address", limits.recipient_rate_per_address);
  section.rate("recipient_rate_per_network", limits.recipient_rate_per_network);
  section.count("reader_connections_per_address", limits.reader_connections_per_address, kMany);
  section.count("recipients_per_message", limits.recipients_per_message, 50'000);
  // RFC 5321 4.5.3.1.8.
  if (limits.recipients_per_message != 0 && limits.recipients_per_message < 100) {
    section.report().mistake(section.line("recipients_per_message"), "recipients_per_message in [limits] must be at least 100 (RFC 5321), or 0 for no limit");
  }
  section.count("errors_per_session", limits.errors_per_session, kMany);
  section.octets("memory", limits.memory, 0);
  section.octets("free_disk", limits.free_disk, 0);
  section.finish(kTopKeys);
}

void read_antivirus(Section section, Antivirus& antivirus) {
  section.text("database", antivirus.database);
  section.count("scanners", antivirus.scanners, 64);
  section.duration("timeout", antivirus.timeout, Milliseconds(100));
  if (antivirus.scanners == 0) section.report().warning(section.line("scanners"), "scanners = 0 in [antivirus]: no message is scanned for viruses");
  section.finish(kTopKeys);
}

void read_budgets(Section section, Budgets& budgets, const Antivirus& antivirus) {
  section.duration("cpu", budgets.cpu, Milliseconds(1));
  section.octets("memory", budgets.memory, 256 * 1024);
  section.count("dns_questions", budgets.dns_questions, 100'000);
  section.duration("stage", budgets.stage, Milliseconds(100));
  // A scan that crashes or hangs is tried once more, and only the second one settles the message.
  if (antivirus.scanners != 0 && budgets.stage < 2 * antivirus.timeout + Milliseconds(5'000)) {
    section.report().warning(section.line("stage"), "stage in [budgets] is shorter than two scans, timeout in [antivirus], and 5 s: "
                                                    "a message that scanners hang on is deferred again and again");
  }
  if (budgets.memory > Budgets::kAllRules) {
    section.report().warning(section.line("memory"), "memory in [budgets] is above the 96 MB that all rules of a loop have together");
  }
  section.finish(kTopKeys);
}

void read_dkim(Section section, Dkim& dkim, const Queue& queue) {
  const auto* rotate = section.find("rotate");
  if (rotate != nullptr && rotate->value.text != "0") section.duration("rotate", dkim.rotate, Milliseconds(1));
  section.duration("overlap", dkim.overlap, Milliseconds(0));
  constexpr Milliseconds kDay(24 * 3'600'000);
  if (dkim.rotate.count() != 0 && dkim.rotate < 7 * kDay) {
    section.report().mistake(section.line("rotate"), "rotate in [dkim] must be at least \"7d\", or \"0\" for never: each time somebody must change DNS");
  }
  if (dkim.overlap < queue.expire && (section.has("overlap") || dkim.rotate.count() != 0)) {
    section.report().warning(section.line("overlap"), "overlap in [dkim] is shorter than expire in [queue]: a message that waits longer than that "
                                                      "cannot be verified when it arrives");
  }
  section.finish(kTopKeys);
}

void read_trace(Section section, Trace& trace) {
  constexpr std::uint64_t kMostDays = 3650;
  section.count("days", trace.days, kMostDays);
  if (trace.days == 0) section.report().mistake(section.line("days"), "days in [trace] is at least 1");
  section.octets("max_size", trace.max_size, 16ULL << 20);
  section.finish(kTopKeys);
}

void read_rest(Section& top, Report& report, Config& config) {
  Section dns(report, top.table("dns"), "[dns]");
  dns.endpoints("servers", config.dns.servers, 53);
  dns.duration("timeout", config.dns.timeout, Milliseconds(10));
  dns.boolean("validating", config.dns.validating);
  for (const auto& server : config.dns.servers) {
    if (!config.dns.validating || server.address.is_loopback()) continue;
    report.warning(dns.line("validating"), "validating = true in [dns] believes " + server.to_string() +
                                               ", which is not on this machine: who stands between can forge what DANE rests on");
    break;
  }
  dns.finish(kTopKeys);
  read_queue(Section(report, top.table("queue"), "[queue]"), config.queue);
  read_quarantine(Section(report, top.table("quarantine"), "[quarantine]"), config.quarantine);
  read_digest(Section(report, top.table("digest"), "[digest]"), config);
  read_forward(Section(report, top.table("forward"), "[forward]"), config.domains, config.forward);
  read_smtp(Section(report, top.table("smtp"), "[smtp]"), config.smtp);
  read_submission(Section(report, top.table("submission"), "[submission]"), config.submission);
  read_abuse(Section(report, top.table("abuse"), "[abuse]"), config.abuse);
  read_imap(Section(report, top.table("imap"), "[imap]"), config.imap);
  read_limits(Section(report, top.table("limits"), "[limits]"), config.limits);
  read_antivirus(Section(report, top.table("antivirus"), "[antivirus]"), config.antivirus);
  read_budgets(Section(report, top.table("budgets"), "[budgets]"), config.budgets, config.antivirus);
  read_dkim(Section(report, top.table("dkim"), "[dkim]"), config.dkim, config.queue);
  read_trace(Section(report, top.table("trace"), "[trace]"), config.trace);
  Section log(report, top.table("log"), "[log]");
  log.level("level", config.log.level);
  log.finish(kTopKeys);
}

// The postmaster and the catch-alls must be ours, or their mail would go nowhere.
void check_accounts(Report& report, Section& top, const Config& config) {
  auto ours = [&](std::string_view address) {
    auto domain = address.substr(address.rfind('@') + 1);
    for (const auto& d : config.domains) {
      if (d.name == domain) return true;
    }
    return false;
  };
  if (!config.postmaster.empty() && !ours(config.postmaster)) {
    report.mistake(top.line("postmaster"), "postmaster " + config.postmaster + " is in none of our domains");
  }
  for (const auto& [address, line] : config.submission.lines) {
    if (!ours(address)) report.mistake(line, "[submission.users.\"" + printable(address, 80) + "\"] is in none of our domains");
  }
  for (const auto& domain : config.domains) {
    if (!domain.catch_all.empty() && !ours(domain.catch_all)) {
      report.mistake(domain.line, "catch_all " + domain.catch_all + " in [domains.\"" + domain.name + "\"] is in none of our domains");
    }
  }
}

std::optional<std::string> read_whole(const std::string& path, std::string& problem) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    problem = std::string("cannot be read: ") + std::strerror(errno);
    return std::nullopt;
  }
  std::string text;
  char chunk[65536];
  ssize_t got = 0;
  while (text.size() <= kMaxFile && (got = ::read(fd, chunk, sizeof chunk)) > 0) text.append(chunk, static_cast<std::size_t>(got));
  if (got < 0) problem = std::string("cannot be read: ") + std::strerror(errno);
  if (text.size() > kMaxFile) problem = "is larger than 4 MB: that is no configuration";
  ::close(fd);
  if (!problem.empty()) return std::nullopt;
  return text;
}

}  // namespace

Queue::Queue() {
  for (int minutes : {1, 5, 15, 30, 60, 120, 240}) retry.emplace_back(std::chrono::minutes(minutes));
}

Milliseconds Quarantine::of(std::string_view message_class) const {
  if (message_class == "spam") return keep_spam.value_or(keep);
  if (message_class == "policy") return keep_policy.value_or(keep);
  if (message_class == "virus") return keep_virus.value_or(keep);
  if (message_class == "undeliverable") return keep_undeliverable.value_or(keep);
  return keep;
}

Milliseconds Quarantine::shortest() const {
  Milliseconds out{0};
  for (std::string_view each : {"", "spam", "policy", "virus", "undeliverable"}) {
    auto time = of(each);
    if (time.count() != 0 && (out.count() == 0 || time < out)) out = time;
  }
  return out;
}

Listen::Listen() {
  auto at = [](const char* text) { return std::vector<Endpoint>{*Endpoint::parse(text)}; };
  smtp = at("[::]:25");
  submission = at("[::]:587");
  submissions = at("[::]:465");
  imap = at("[::]:143");
  imaps = at("[::]:993");
  pop3 = at("[::]:110");
  pop3s = at("[::]:995");
  admin = *Endpoint::parse("127.0.0.1:8025");
}

Loaded parse(std::string_view text, const std::string& name) {
  Loaded out;
  out.config.file = name;
  Report report(out, name);
  auto document = parse_toml(text);
  if (!document.mistake.empty()) {
    report.mistake(document.line, document.mistake);
    return out;
  }
  Section top(report, &document.root, "");
  auto& config = out.config;
  read_top(top, config);
  read_public_url(top, config);
  config.language = read_language(top).value_or(config.language);
  read_tls(Section(report, top.table("tls"), "[tls]"), config);
  read_listen(Section(report, top.table("listen"), "[listen]"), config);
  read_domains(top, config);
  read_routes(top, config);
  read_ldap(top, config);
  check_ldap(report, config);
  read_rest(top, report, config);
  check_accounts(report, top, config);
  top.finish();
  return out;
}

Loaded load(const std::string& path) {
  std::string problem;
  auto text = read_whole(path, problem);
  if (text) return parse(*text, path);
  Loaded out;
  out.config.file = path;
  Report(out, path).mistake(0, problem);
  return out;
}

}  // namespace postern::config
