// What the gateway tells of itself.
#include "gateway/admin/figures.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <nlohmann/json.hpp>

#include "gateway/version.h"

namespace postern::admin {
namespace {

using nlohmann::json;

constexpr auto kOldSignatures = std::chrono::hours(72);
using TlsType = delivery::TlsPolicyFound::Type;
constexpr TlsType kTlsTypes[] = {TlsType::tlsa, TlsType::sts, TlsType::none};

double age_seconds(Time since) {
  return std::chrono::duration<double>(Clock::system().now() - since).count();
}

bool old_signatures(const filters::AntivirusState& state) {
  return state.phase == filters::AntivirusState::Phase::ready && Clock::system().now() - state.database_time > kOldSignatures;
}

json antivirus_status(const filters::AntivirusState& state) {
  json out{{"state", name(state.phase)}, {"problem", state.problem}, {"signatures", state.signatures},
           {"scanners", state.scanners_alive}, {"confinement", state.confinement}, {"scans", state.scans},
           {"found", state.found}, {"errors", state.errors}, {"crashes", state.crashes}};
  if (state.phase == filters::AntivirusState::Phase::ready) {
    out["database"] = rfc3339(state.database_time);
    out["self_test"] = rfc3339(state.last_self_test);
  }
  if (old_signatures(state)) out["warning"] = "the signatures are older than 3 days; is freshclam running?";
  return out;
}

json dkim_status(const signing::Keys& keys, const signing::SignerFigures& figures) {
  json states = json::object();
  for (const auto& key : keys) {
    std::string text(name(key.state));
    if (!key.problem.empty()) text += ": " + key.problem;
    states[key.domain][key.selector] = std::move(text);
  }
  return {{"signed", figures.signed_.load()}, {"no_key", figures.no_key.load()}, {"failed", figures.failed.load()}, {"sealed", figures.sealed.load()}, {"keys", std::move(states)}};
}

json ldap_status(const directory::LdapDirectories& directories) {
  json out = json::object();
  for (const auto& directory : directories.all()) {
    auto state = directory->state();
    out[directory->name()] = {{"questions", state.questions}, {"troubles", state.troubles}, {"problem", state.problem}};
  }
  return out;
}

class Metrics {
 public:
  void counter(const char* name, const char* help, double value, std::vector<prometheus::ClientMetric::Label> labels = {}) {
    prometheus::ClientMetric metric;
    metric.counter.value = value;
    metric.label = std::move(labels);
    add(name, help, prometheus::MetricType::Counter, std::move(metric));
  }
  void gauge(const char* name, const char* help, double value, std::vector<prometheus::ClientMetric::Label> labels = {}) {
    prometheus::ClientMetric metric;
    metric.gauge.value = value;
    metric.label = std::move(labels);
    add(name, help, prometheus::MetricType::Gauge, std::move(metric));
  }
  std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  void add(const char* name, const char* help, prometheus::MetricType type, prometheus::ClientMetric metric) {
    if (families_.empty() || families_.back().name != name) {
      prometheus::MetricFamily family;
      family.name = name;
      family.help = help;
      family.type = type;
      families_.push_back(std::move(family));
    }
    families_.back().metric.push_back(std::move(metric));
  }
  std::vector<prometheus::MetricFamily> families_;
};

void add_ldap(Metrics& out, const directory::LdapDirectories& directories) {
  auto all = directories.all();
  for (const auto& directory : all) {
    out.gauge("postern_ldap_troubled", "1: the directory did not answer the last question", directory->state().problem.empty() ? 0 : 1,
              {{"directory", directory->name()}});
  }
  for (const auto& directory : all) {
    out.counter("postern_ldap_questions_total", "Questions to directories", static_cast<double>(directory->state().questions),
                {{"directory", directory->name()}});
  }
}

}  // namespace

json Figures::abuse_status() const {
  const auto& counts = abuse.figures();
  json alarms = json::array();
  for (const auto& alarm : abuse.alarms()) {
    auto account = store.account(alarm.account);
    if (account) alarms.push_back({{"user", account->address}, {"since", rfc3339(alarm.when)}, {"what", alarm.what}});
  }
  return {{"alarms_today", std::move(alarms)}, {"held", counts.held.load()}, {"bounces", counts.bounces.load()}, {"complaints", counts.complaints.load()},
          {"reports_unproved", counts.unproved.load()}, {"suppressed", abuse.suppressions().size()}, {"recipients_refused", counts.refused.load()}};
}

json Figures::status() const {
  json out{{"running", true}, {"version", kVersion}, {"hostname", config.hostname}, {"started", rfc3339(started)}};
  out["smtp"] = {{"connections", counters.connections.load()}, {"open", counters.open.load()},
                 {"refused", counters.refused_connections.load()}, {"messages", counters.messages.load()},
                 {"ham", counters.ham.load()}, {"junk", counters.junk.load()}, {"quarantine", counters.quarantine.load()},
                 {"rejected", counters.rejected.load()}, {"deferred", counters.deferred.load()},
                 {"recipients_refused", counters.recipients_refused.load()},
                 {"refused_at_connect", counters.refused_at_connect.load()}, {"refused_at_mail", counters.refused_at_mail.load()},
                 {"octets", counters.octets.load()}};
  for (auto reader : {Service::imap, Service::pop3}) {
    out[std::string(name(reader))] = {{"open", room.open(reader)}, {"refused", room.refused(reader)}};
  }
  out["queue"] = {{"waiting", queue.waiting.load()}, {"connections", queue.connections.load()}, {"sent", queue.sent.load()},
                  {"deferred", queue.deferred.load()}, {"failed", queue.failed.load()}};
  out["abuse"] = abuse_status();
  out["dkim"] = dkim_status(*keys.keys(), signing);
  out["ldap"] = ldap_status(ldap);
  auto& outward = out["tls_outward"] = json::object();
  for (auto type : kTlsTypes) {
    outward[std::string(delivery::name(type))] = {{"successful", tls.total(type, false)}, {"failed", tls.total(type, true)}};
  }
  out["backup"] = {{"last", backup.moment == Time{} ? json("never") : json(rfc3339(backup.moment))}};
  if (backup.moment != Time{}) {
    out["backup"].update({{"folder", backup.folder}, {"octets", backup.octets}, {"new_octets", backup.new_octets}, {"pause_us", backup.pause.count()}});
  }
  auto rules = judging.rules.state();
  out["rules"] = {{"hash", rules.hash}, {"rules", rules.rules}, {"problem", rules.problem}, {"reloads", rules.reloads},
                  {"failed_reloads", rules.failed_reloads}};
  json off = json::array();
  if (auto edition = judging.rules.current()) {
    auto states = edition->health.states();
    for (std::size_t i = 0; i < states.size(); ++i) {
      if (states[i].off) off.push_back({{"rule", edition->rules[i].name}, {"at", edition->rules[i].at()}, {"reason", states[i].reason}});
    }
  }
  out["rules"]["switched_off"] = std::move(off);
  out["antivirus"] = antivirus_status(judging.antivirus.state());
  json lists = json::array();
  for (const auto& list : judging.lists.states()) {
    lists.push_back({{"zone", list.zone}, {"off", list.off}, {"reason", list.reason}, {"questions", list.questions},
                     {"listed", list.listed}, {"troubles", list.troubles}});
  }
  out["dns_lists"] = std::move(lists);
  json refused = json::array();
  for (const auto& entry : logins.refused()) refused.push_back(entry.name);
  out["logins_refused"] = std::move(refused);
  return out;
}

std::string Figures::metrics() const {
  Metrics out;
  out.gauge("postern_start_time_seconds", "When the gateway started, unix time", static_cast<double>(to_unix(started)));
  out.counter("postern_smtp_connections_total", "SMTP connections", static_cast<double>(counters.connections));
  out.counter("postern_smtp_connections_refused_total", "Refused by a limit or for overload", static_cast<double>(counters.refused_connections));
  out.gauge("postern_smtp_connections_open", "SMTP connections open now", static_cast<double>(counters.open));
  for (auto reader : {Service::imap, Service::pop3}) {
    out.gauge("postern_reader_connections_open", "Connections of readers open now", static_cast<double>(room.open(reader)),
              {{"service", std::string(name(reader))}});
  }
  for (auto reader : {Service::imap, Service::pop3}) {
    out.counter("postern_reader_connections_refused_total", "Readers refused by a limit or for overload",
                static_cast<double>(room.refused(reader)), {{"service", std::string(name(reader))}});
  }
  const char* kMessages = "postern_messages_total";
  const char* kHelp = "Messages judged, by verdict";
  for (const auto& [verdict, count] : {std::pair("ham", &counters.ham), std::pair("junk", &counters.junk),
                                       std::pair("quarantine", &counters.quarantine), std::pair("reject", &counters.rejected),
                                       std::pair("defer", &counters.deferred)}) {
    out.counter(kMessages, kHelp, static_cast<double>(*count), {{"verdict", verdict}});
  }
  out.counter("postern_message_octets_total", "Octets of the messages judged", static_cast<double>(counters.octets));
  const char* kRefused = "postern_smtp_refused_by_rule_total";
  const char* kRefusedHelp = "Connections and senders that a rule refused or deferred";
  out.counter(kRefused, kRefusedHelp, static_cast<double>(counters.refused_at_connect), {{"stage", "connect"}});
  out.counter(kRefused, kRefusedHelp, static_cast<double>(counters.refused_at_mail), {{"stage", "mail"}});
  out.counter("postern_recipients_refused_total", "Recipients refused at RCPT", static_cast<double>(counters.recipients_refused));
  out.counter("postern_bare_newlines_total", "Connections closed for a bare CR or LF", static_cast<double>(counters.bare_newlines));
  out.counter("postern_early_talkers_total", "Clients that spoke before the greeting", static_cast<double>(counters.early_talkers));
  out.gauge("postern_queue_entries", "Messages that wait to be sent on", static_cast<double>(queue.waiting));
  out.gauge("postern_queue_connections", "Connections that send", static_cast<double>(queue.connections));
  const char* kSent = "postern_queue_recipients_total";
  const char* kSentHelp = "Recipients of attempts to send a message on, by what came of it";
  out.counter(kSent, kSentHelp, static_cast<double>(queue.sent), {{"result", "sent"}});
  out.counter(kSent, kSentHelp, static_cast<double>(queue.deferred), {{"result", "deferred"}});
  out.counter(kSent, kSentHelp, static_cast<double>(queue.failed), {{"result", "failed"}});
  const char* kTroubles = "postern_abuse_troubles_total";
  const char* kTroublesHelp = "What went wrong with mail of our users: held by the rules, bounced for good, complained of";
  out.counter(kTroubles, kTroublesHelp, static_cast<double>(abuse.figures().held), {{"trouble", "held"}});
  out.counter(kTroubles, kTroublesHelp, static_cast<double>(abuse.figures().bounces), {{"trouble", "bounce"}});
  out.counter(kTroubles, kTroublesHelp, static_cast<double>(abuse.figures().complaints), {{"trouble", "complaint"}});
  out.counter("postern_abuse_reports_unproved_total", "Reports that came in on mail that was never sent", static_cast<double>(abuse.figures().unproved));
  out.counter("postern_abuse_alarms_total", "Alarms about users' mail", static_cast<double>(abuse.figures().alarms));
  out.gauge("postern_suppressed", "Addresses elsewhere to which one user or nobody may send now", static_cast<double>(abuse.suppressions().size()));
  out.counter("postern_suppressed_recipients_refused_total", "Recipients of users refused for it", static_cast<double>(abuse.figures().refused));
  const char* kSigned = "postern_dkim_messages_total";
  const char* kSignedHelp = "Messages of ours that went out, by whether they were signed";
  out.counter(kSigned, kSignedHelp, static_cast<double>(signing.signed_), {{"result", "signed"}});
  out.counter(kSigned, kSignedHelp, static_cast<double>(signing.no_key), {{"result", "no_key"}});
  out.counter(kSigned, kSignedHelp, static_cast<double>(signing.failed), {{"result", "failed"}});
  out.counter("postern_arc_sealed_total", "Messages that were passed on with an ARC Set of ours", static_cast<double>(signing.sealed));
  for (auto type : kTlsTypes) {
    for (bool failed : {false, true}) {
      out.counter("postern_tls_sessions_total", "Connections to mail hosts of other domains, by who decides over TLS and what came of it",
                  static_cast<double>(tls.total(type, failed)), {{"policy", std::string(delivery::name(type))}, {"result", failed ? "failure" : "success"}});
    }
  }
  add_ldap(out, ldap);
  auto antivirus = judging.antivirus.state();
  out.gauge("postern_antivirus_ready", "1: scanning, and the self-test passed",
            antivirus.phase == filters::AntivirusState::Phase::ready ? 1 : 0);
  out.gauge("postern_antivirus_signatures", "Signatures loaded", antivirus.signatures);
  if (antivirus.signatures > 0) {
    out.gauge("postern_antivirus_database_age_seconds", "Age of the newest signature file", age_seconds(antivirus.database_time));
  }
  out.counter("postern_antivirus_scans_total", "Messages scanned", static_cast<double>(antivirus.scans));
  out.counter("postern_antivirus_found_total", "Viruses found", static_cast<double>(antivirus.found));
  out.counter("postern_antivirus_errors_total", "Messages that could not be scanned", static_cast<double>(antivirus.errors));
  out.counter("postern_antivirus_crashes_total", "Scanners that died or hung in a scan", static_cast<double>(antivirus.crashes));
  auto rules = judging.rules.state();
  out.gauge("postern_rules", "Rules in force", static_cast<double>(rules.rules));
  out.counter("postern_rules_failed_reloads_total", "Reloads that were refused", static_cast<double>(rules.failed_reloads));
  if (auto edition = judging.rules.current()) {
    std::size_t off = 0;
    std::uint64_t errors = 0;
    for (const auto& state : edition->health.states()) {
      off += state.off ? 1 : 0;
      errors += state.errors;
    }
    out.gauge("postern_rules_switched_off", "Rules switched off because they fail", static_cast<double>(off));
    out.counter("postern_rule_errors_total", "Failed runs of the rules in force", static_cast<double>(errors));
  }
  for (const auto& list : judging.lists.states()) {
    out.gauge("postern_dns_list_off", "1: the DNS list is switched off", list.off ? 1 : 0, {{"zone", list.zone}});
  }
  auto& spf = filters::spf_figures();
  out.counter("postern_spf_differed_total", "Evaluations in which libspf2 said something else", static_cast<double>(spf.differed));
  auto store_state = store.state();
  out.gauge("postern_store_writable", "1: changes are taken", store_state.writable ? 1 : 0);
  out.gauge("postern_store_octets", "Octets of the bodies", static_cast<double>(store_state.body_octets));
  out.gauge("postern_store_free_octets", "Free space on the store's disk", static_cast<double>(store_state.free_octets));
  out.counter("postern_store_commits_total", "Durable commits", static_cast<double>(store_state.commits));
  out.counter("postern_store_changes_total", "Changes in them", static_cast<double>(store_state.changes));
  out.gauge("postern_backup_last_time_seconds", "Moment of the last complete backup, unix time; 0: there was none",
            static_cast<double>(to_unix(backup.moment)));
  out.gauge("postern_backup_octets", "Octets of the last backup", static_cast<double>(backup.octets));
  out.gauge("postern_backup_pause_seconds", "For which it kept deliveries waiting", std::chrono::duration<double>(backup.pause).count());
  return out.text();
}

HttpAnswer Figures::health() const {
  std::string problems;
  auto store_state = store.state();
  if (!store_state.writable) problems += "store: " + store_state.problem + "\n";
  auto antivirus = judging.antivirus.state();
  if (antivirus.phase == filters::AntivirusState::Phase::broken) problems += "antivirus: " + antivirus.problem + "\n";
  if (auto rules = judging.rules.state(); !rules.problem.empty()) problems += "rules: " + rules.problem + "\n";
  HttpAnswer answer;
  answer.status = store_state.writable ? 200 : 503;   // degraded but taking mail is 200, with the words
  answer.body = problems.empty() ? "ok\n" : problems;
  return answer;
}

HttpAnswer Figures::page(std::string_view path) const {
  if (path == "/metrics") return {200, "text/plain; version=0.0.4; charset=utf-8", metrics()};
  if (path == "/healthz") return health();
  return {404, "text/plain; charset=utf-8", "/metrics or /healthz\n"};
}

}  // namespace postern::admin
