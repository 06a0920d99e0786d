#include "gateway/reload.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "gateway/base/log.h"

namespace postern {
namespace {

smtp::Settings smtp_settings(const config::Config& config) {
  smtp::Settings out;
  out.hostname = config.hostname;
  out.draft_directory = config.data;
  out.max_size = config.smtp.max_size;
  out.recipients_per_message = config.limits.recipients_per_message;
  out.errors_per_session = config.limits.errors_per_session;
  out.xclient = config.smtp.xclient;
  out.trusted = config.smtp.trusted;
  out.proxy = config.smtp.proxy;
  out.greet_delay = config.smtp.greet_delay;
  out.language = config.language;
  for (const auto& domain : config.domains) {
    if (domain.language) out.languages[domain.name] = *domain.language;
  }
  return out;
}

smtp::LimitSettings limit_settings(const config::Limits& limits) {
  auto rate = [](const config::Rate& of) { return smtp::RateLimit{of.count, of.window}; };
  return {limits.connections_per_address, limits.connections_per_network, rate(limits.connection_rate_per_address),
          rate(limits.error_rate_per_address), rate(limits.error_rate_per_network),
          rate(limits.recipient_rate_per_address), rate(limits.recipient_rate_per_network)};
}

// Readers are many behind one address and come back all the time; who guesses passwords meets directory::Logins.
smtp::LimitSettings reader_limit_settings(const config::Limits& limits) {
  smtp::LimitSettings out;
  out.connections_per_address = limits.reader_connections_per_address;
  out.connections_per_network = 0;
  out.connection_rate_per_address = {};
  return out;
}

// The one in force has the ports that were found for 0.
bool same_endpoints(const std::vector<Endpoint>& in_force, const std::vector<Endpoint>& wanted) {
  return std::equal(in_force.begin(), in_force.end(), wanted.begin(), wanted.end(), [](const Endpoint& a, const Endpoint& b) {
    return a.address == b.address && (a.port == b.port || b.port == 0);
  });
}

bool same_ports(const config::Listen& old, const config::Listen& now) {
  auto same = [&](auto services) { return same_endpoints(old.*services, now.*services); };
  return same(&config::Listen::smtp) && same(&config::Listen::submission) && same(&config::Listen::submissions) && same(&config::Listen::lmtp) && same(&config::Listen::imap) && same(&config::Listen::imaps) &&
         same(&config::Listen::pop3) && same(&config::Listen::pop3s) && same(&config::Listen::links) && old.admin == now.admin;
}

// Names what a reload cannot change.
std::string restart_needed(const config::Config& old, const config::Config& now) {
  std::string out;
  auto look = [&out](const char* key, bool same) {
    if (!same) out += (out.empty() ? "" : ", ") + std::string(key);
  };
  look("hostname", old.hostname == now.hostname);
  look("data", old.data == now.data);
  look("rules", old.rules == now.rules);
  look("user", old.user == now.user && old.group == now.group);
  look("[listen]", same_ports(old.listen, now.listen));
  look("public_url", old.public_url == now.public_url);
  look("[dns]", old.dns.servers == now.dns.servers && old.dns.timeout == now.dns.timeout && old.dns.validating == now.dns.validating);
  look("[tls] certificate", !old.tls.configured() || now.tls.configured());   // sessions may be on their way into TLS
  look("[tls] trust", old.tls.trust == now.tls.trust);
  look("[tls] allow_plaintext_login", old.tls.allow_plaintext_login == now.tls.allow_plaintext_login);
  look("[imap]", old.imap.max_append == now.imap.max_append && old.imap.idle_timeout == now.imap.idle_timeout);
  look("[limits] free_disk", old.limits.free_disk == now.limits.free_disk);
  look("[antivirus]", old.antivirus.database == now.antivirus.database && old.antivirus.scanners == now.antivirus.scanners &&
                          old.antivirus.timeout == now.antivirus.timeout);
  look("[budgets]", old.budgets.cpu == now.budgets.cpu && old.budgets.memory == now.budgets.memory &&
                        old.budgets.dns_questions == now.budgets.dns_questions && old.budgets.stage == now.budgets.stage);
  return out;
}

// RFC 5321 4.5.1: a domain that came first with this configuration has a postmaster too.
io::Task<void> find_postmaster(directory::Directory& directory) {
  auto prepared = co_await directory.prepare();
  if (!prepared) log::error("reload.postmaster", {{"what", prepared.error().text}});
}

// They are read when they are needed; better to hear of it now.
std::vector<std::string> unreadable_passwords(const config::Config& config) {
  std::vector<std::string> out;
  for (const auto* routes : {&config.routes, &config.senders}) {
    for (const auto& route : *routes) {
      if (route.login.empty()) continue;
      auto secret = config::read_secret(route.password_file);
      if (!secret) out.push_back(config.file + ":" + std::to_string(route.line) + ": " + secret.error().text + "; mail by this route waits");
    }
  }
  for (const auto& ldap : config.ldap) {
    if (ldap.bind_dn.empty()) continue;
    auto secret = config::read_secret(ldap.password_file);
    if (!secret) out.push_back(config.file + ":" + std::to_string(ldap.line) + ": " + secret.error().text + "; the directory cannot be asked");
  }
  return out;
}

// A certificate that cannot be read leaves the old one: gives why.
Status change_certificate(Shared& shared, const config::Tls& wanted) {
  if (!wanted.configured()) return {};
  auto old = std::exchange(shared.config.tls, wanted);
  auto loaded = load_tls(shared);
  if (!loaded) shared.config.tls = old;
  return loaded;
}

void put_in_force(Shared& shared, config::Config now) {
  shared.config.limits = now.limits;
  shared.config.smtp = std::move(now.smtp);
  shared.config.submission = std::move(now.submission);
  shared.config.abuse = now.abuse;
  shared.config.domains = std::move(now.domains);
  shared.config.ldap = std::move(now.ldap);
  shared.config.routes = std::move(now.routes);
  shared.config.senders = std::move(now.senders);
  shared.config.postmaster = std::move(now.postmaster);
  shared.config.queue = std::move(now.queue);
  shared.config.quarantine = now.quarantine;
  shared.config.digest = std::move(now.digest);
  shared.config.language = now.language;
  shared.config.dkim = now.dkim;
  shared.config.trace = now.trace;
  shared.config.forward = std::move(now.forward);
  apply_settings(shared);
  shared.directory->configure(shared.config);
  shared.routes.configure(shared.config);
  shared.ldap.configure(shared.config);
  if (shared.reconfigure_queue) shared.reconfigure_queue();
  shared.main.spawn(find_postmaster(*shared.directory), "postmaster");
  shared.main.spawn(delivery::make_release_folders(*shared.store, shared.routes), "release");
  log::set_level(now.log.level);
}

}  // namespace

void apply_settings(Shared& shared) {
  shared.trace->configure(shared.config.trace);
  shared.settings.set(std::make_shared<smtp::Settings>(smtp_settings(shared.config)));
  shared.limits.set(limit_settings(shared.config.limits));
  shared.ledger->configure(shared.config.submission);
  shared.abuse->configure(shared.config.abuse);
  shared.deliverer->save_to_sent(shared.config.submission.save_to_sent);
  shared.reader_limits.set(reader_limit_settings(shared.config.limits));
  shared.signer.configure(shared.config);
}

Status load_tls(Shared& shared) {
  if (!shared.config.tls.configured()) return {};
  auto context = io::TlsContext::server(shared.config.tls.certificate, shared.config.tls.key);
  if (!context) return context.error();
  shared.tls.set(*context);
  return {};
}

io::Task<nlohmann::json> reload(Shared& shared) {
  auto loaded = config::load(shared.config.file);
  auto mistakes = loaded.mistakes;
  auto warnings = loaded.warnings;
  for (const auto& mistake : mistakes) log::error("reload.refused", {{"what", mistake}});
  if (loaded.ok()) {
    auto passwords = unreadable_passwords(loaded.config);
    warnings.insert(warnings.end(), passwords.begin(), passwords.end());
    for (const auto& warning : warnings) log::warning("config", {{"what", warning}});
    auto later = restart_needed(shared.config, loaded.config);
    if (!later.empty()) {
      warnings.push_back(later + " changed: in force after a restart");
      log::warning("reload.later", {{"what", warnings.back()}});
    }
    auto tls = change_certificate(shared, loaded.config.tls);
    if (!tls) {
      mistakes.push_back(tls.error().text + "; the old certificate stays");
      log::error("reload.certificate", {{"what", tls.error().text}, {"now", "the old certificate stays"}});
    }
    put_in_force(shared, std::move(loaded.config));
    auto job = [&rules = shared.judging->rules] { return admin::reload_rules(rules); };
    std::vector<std::string> wrong = co_await shared.workers.run(std::move(job));
    mistakes.insert(mistakes.end(), wrong.begin(), wrong.end());
    log::info("reload", {{"config", shared.config.file}});
  }
  nlohmann::json answer;
  answer["ok"] = mistakes.empty();
  answer["mistakes"] = std::move(mistakes);
  answer["warnings"] = std::move(warnings);
  co_return answer;
}

}  // namespace postern
