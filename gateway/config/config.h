#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/ip.h"
#include "gateway/base/log.h"
#include "gateway/base/result.h"

// Every key of postern.toml with its default.  Plain values; a reload makes a new Config.
namespace postern::config {

using Milliseconds = std::chrono::milliseconds;
using Octets = std::uint64_t;

// "300/1m"; count 0: no limit.
struct Rate {
  std::uint64_t count = 0;
  Milliseconds window{60'000};
  bool operator==(const Rate&) const = default;
};

// [listen].  An empty list switches the service off.
struct Listen {
  std::vector<Endpoint> smtp, submission, submissions, lmtp, imap, imaps, pop3, pop3s;
  std::optional<Endpoint> admin;   // /metrics, /healthz
  std::vector<Endpoint> links;     // the pages behind links that we send; HTTPS, or HTTP where public_url says so
  Listen();
};

// [tls].  Both paths empty: no TLS at all.
struct Tls {
  std::string certificate = "/etc/postern/tls.crt";
  std::string key = "/etc/postern/tls.key";
  std::string trust;   // PEM file of authorities that we trust beside the system's when we are the client; "": none
  bool allow_plaintext_login = false;
  bool configured() const { return !certificate.empty(); }
};

// [dns]
struct Dns {
  std::vector<Endpoint> servers;   // empty: those of /etc/resolv.conf
  Milliseconds timeout{5000};
  bool validating = false;         // the servers check DNSSEC and the way to them is safe: what they call authentic is believed
};

// "smtp://HOST:PORT", "smtps://HOST:PORT" or "lmtp://HOST:PORT".
struct Host {
  bool lmtp = false;
  std::string name;          // lower case in A-labels, or an address as IpAddress::to_string() gives it
  std::uint16_t port = 25;
  bool implicit_tls = false;   // smtps: the handshake comes first, RFC 8314 3.3
  std::string to_string() const;
  bool operator==(const Host&) const = default;
};
// Nothing when it is none of them; without a port 25, 465 for smtps, 24 for LMTP.
std::optional<Host> parse_host(std::string_view text);
// Several, with commas between them; nothing when one of them is none, or there is none at all.
std::optional<std::vector<Host>> parse_hosts(std::string_view text);

enum class TlsUse { never, may, must, verify };
std::string_view name(TlsUse use);

// What becomes of a domain's mail that goes on to servers of its own.
struct Relay {
  std::vector<Host> hosts;        // in order of trial; empty: mailboxes here
  TlsUse tls = TlsUse::may;
  bool ask_recipients = true;     // at RCPT; false: every address is taken
  bool ask_ldap = false;          // with ask_recipients: not of the hosts but of the domain's directory
  bool queue_when_down = false;   // an address of which nothing is known while no host answers: taken, not 450
  bool through = false;           // handed on before the sender's 250; the one host's refusal is passed back
  bool operator==(const Relay&) const = default;
};

// What we write to users in.
enum class Language { english, vietnamese };

// [domains."corp.example"]
struct Domain {
  std::string name;        // lower case, A-labels, without a final dot
  std::string catch_all;   // the account that takes unknown local parts; "": they are refused
  std::string ldap;        // the directory that its users log in by, and is asked where relay.ask_ldap; "": none
  Relay relay;
  std::optional<Language> language;   // of its users; else that above the sections
  int line = 0;            // of its table
};

// [ldap.NAME]: an LDAP server, or one with replicas, that knows the users of a domain.
struct Ldap {
  std::string name;
  std::vector<std::string> urls;    // "ldaps://dc1.corp.example:636", in order of trial
  std::string bind_dn;              // as whom we ask; "": anonymous
  std::string password_file;        // read for each connection, see read_secret()
  std::string base;
  std::string recipient_filter;     // with %a, %u, %d, see ldap_filter.h
  std::string login_filter;
  TlsUse tls = TlsUse::verify;      // never, must (by STARTTLS, where the URL is none of ldaps://) or verify
  std::string ca_file;              // PEM; "": the authorities of the system
  Milliseconds timeout{5000};       // to connect, and for each answer
  int line = 0;
};

// [routes."example.org"]: how the mail for a domain that is not ours goes on; [senders."corp.example"]: that of a sender.
struct Route {
  std::string name;               // "example.org", ".example.org" (what lies below it), "*"; of a sender the domain
  std::vector<Host> hosts;        // in order of trial; empty: the domain's mail hosts
  std::vector<std::string> mx;    // of the mail hosts only these: names, or "*.example.org" for one label; empty: all
  TlsUse tls = TlsUse::may;
  std::string login;              // AUTH; "": none
  std::string password_file;      // read for each connection, see read_secret()
  Rate rate;                      // messages
  std::uint64_t connections = 0;  // at once; 0: connections_per_route of [queue]
  int line = 0;
};

// The one line of a file that holds a password.  An Error names the file and the cure: it cannot be read, others may
// read it, it is empty.  Blocks for a read.
Result<std::string> read_secret(const std::string& path);

// [queue]
struct Queue {
  std::vector<Milliseconds> retry;            // the waits between attempts; the last one again and again
  Milliseconds expire{5 * 24 * 3'600'000};    // RFC 5321 4.5.4.1: at least 4 to 5 days
  Milliseconds delay_notice{4 * 3'600'000};   // then the sender is told that it takes longer; 0: he is not
  std::uint64_t connections_per_route = 20;
  std::uint64_t connections = 200;
  Queue();
  bool operator==(const Queue&) const = default;
};

// [quarantine]: how long what is held is kept; 0: for ever.
struct Quarantine {
  Milliseconds keep{30LL * 24 * 3'600'000};
  std::optional<Milliseconds> keep_spam, keep_policy, keep_virus, keep_undeliverable;   // of one class; else `keep`
  Octets max_octets = 1ULL << 30;   // of one user; above it the oldest go; 0: no limit
  Milliseconds of(std::string_view message_class) const;
  // Of all classes the shortest that is not for ever; 0 if there is none.
  Milliseconds shortest() const;
  bool operator==(const Quarantine&) const = default;
};

// [digest]: the mail that tells a user what is new in his quarantine.
struct Digest {
  std::vector<int> at;   // minutes of the day in local time, ascending; empty: there is none
  std::vector<std::string> classes{"spam", "policy", "undeliverable"};
  Milliseconds valid{14LL * 24 * 3'600'000};   // how long what it offers can be done
  bool operator==(const Digest&) const = default;
};

// [forward]
struct Forward {
  std::string srs_domain;   // of rewritten senders, in A-label form; "": that of the address that sends on
  bool operator==(const Forward&) const = default;
};

// [smtp]
struct Smtp {
  Octets max_size = 50ULL << 20;
  std::vector<Network> xclient;   // may use XCLIENT
  std::vector<Network> trusted;   // may be told apart in rules
  std::vector<Network> proxy;     // must send a PROXY header
  Milliseconds greet_delay{100};  // a stranger who speaks before the greeting is refused
};

// How much one user may send.  0: no limit.
struct SendLimits {
  std::uint64_t messages_per_hour = 200;
  std::uint64_t recipients_per_hour = 500;
  std::uint64_t first_time_recipients_per_day = 200;   // of other domains than ours
  bool operator==(const SendLimits&) const = default;
};

// [submission]
struct Submission {
  SendLimits limits;
  std::map<std::string, SendLimits, std::less<>> users;   // [submission.users."user@corp.example"], lower case
  std::map<std::string, int> lines;                       // of their tables
  bool save_to_sent = false;   // a copy of what is sent lies in the sender's Sent
  const SendLimits& of(std::string_view account) const;
};

// [abuse]: what is made of bounces and complaints about mail of our users.  0: no alarm, nothing is suppressed.
struct Abuse {
  std::uint64_t suppress_after = 3;                      // hard bounces of an address elsewhere
  Milliseconds suppress_for{14LL * 24 * 3'600'000};      // 0: until it is lifted
  std::uint64_t alarm_held = 3;                          // each within an hour, of one user
  std::uint64_t alarm_bounces = 20;
  std::uint64_t alarm_complaints = 2;
  bool alarm_stops = false;                              // and he may send no more
  bool operator==(const Abuse&) const = default;
};

// [imap]
struct Imap {
  Octets max_append = 50ULL << 20;
  Milliseconds idle_timeout{30 * 60'000};   // RFC 3501 5.4: at least 30 minutes
};

// [limits].  0: no limit.
struct Limits {
  std::uint64_t connections_per_address = 50;
  std::uint64_t connections_per_network = 200;
  Rate connection_rate_per_address{300, Milliseconds(60'000)};
  // Replies 5xx; above it the client is sent away.
  Rate error_rate_per_address{200, Milliseconds(600'000)};
  Rate error_rate_per_network{1000, Milliseconds(600'000)};
  // RCPT; above it the client hears 451.
  Rate recipient_rate_per_address{10'000, Milliseconds(60'000)};
  Rate recipient_rate_per_network{40'000, Milliseconds(60'000)};
  std::uint64_t reader_connections_per_address = 500;   // IMAP and POP3 together; an office behind NAT is one address
  std::uint64_t recipients_per_message = 1000;
  std::uint64_t errors_per_session = 10;
  Octets memory = 1ULL << 30;
  Octets free_disk = 64ULL << 20;   // below this much free space nothing more is taken
};

// [antivirus]
struct Antivirus {
  std::string database = "/var/lib/clamav";
  std::uint64_t scanners = 2;   // 0: nothing is scanned
  Milliseconds timeout{20'000};   // for one message, twice: then it is quarantined
};

// [budgets]: what one rule may spend on one message.
struct Budgets {
  Milliseconds cpu{20};
  Octets memory = 8ULL << 20;
  std::uint64_t dns_questions = 200;   // of all rules together
  Milliseconds stage{60'000};          // wall time of all rules of a stage: two scans fit in
  static constexpr Octets kAllRules = 96ULL << 20;   // of memory, for the rules of a loop together; no key
};

// [dkim]
struct Dkim {
  Milliseconds rotate{0};                    // the age at which a key gets a successor; 0: never
  Milliseconds overlap{7 * 24 * 3'600'000};  // how long the record of the old one must stay
};

// [trace]: what `postern why` and `postern trace` remember.
struct Trace {
  std::uint64_t days = 30;
  Octets max_size = 2ULL << 30;   // the oldest days go earlier when there is more
};

// [log]
struct Log {
  log::Level level = log::Level::info;
};

struct Config {
  std::string file;   // where it came from
  std::string hostname;
  std::string data = "/var/lib/postern";
  std::string rules = "/etc/postern/rules";
  std::string user;               // whom root becomes once the ports are bound; "": "postern", where that user exists
  std::string group;              // "": the user's own
  std::string public_url;         // how others reach [listen] links: "https://mx.corp.example:8443", without a final '/'; "": they do not
  Language language = Language::english;
  std::string postmaster;         // account for postmaster@ of all domains; "": see directory::Directory
  Listen listen;
  Tls tls;
  Dns dns;
  std::vector<Domain> domains;   // in the file's order, at least one
  std::vector<Ldap> ldap;
  std::vector<Route> routes;     // by destination
  std::vector<Route> senders;    // by the sender's domain
  Queue queue;
  Quarantine quarantine;
  Digest digest;
  Forward forward;
  Smtp smtp;
  Submission submission;
  Abuse abuse;
  Imap imap;
  Limits limits;
  Antivirus antivirus;
  Budgets budgets;
  Dkim dkim;
  Log log;
  Trace trace;

  // Of the user with this address.
  Language language_of(std::string_view address) const;
};

// What reading gave.  `mistakes` and `warnings` are whole lines, "FILE:LINE: text" or, for what has
// no line, "FILE: text"; with a mistake `config` is not to be used.
struct Loaded {
  Config config;
  std::vector<std::string> mistakes;   // every one, not only the first
  std::vector<std::string> warnings;   // e.g. what nobody can use as it stands
  bool ok() const { return mistakes.empty(); }
};

// Reads a file.  Touches no other file: see check_files().
Loaded load(const std::string& path);
// The same from text; `name` stands for the file in the lines.
Loaded parse(std::string_view text, const std::string& name);

// "300/1m", "0".
std::optional<Rate> parse_rate(std::string_view text);

struct FileCheck {
  std::vector<std::string> mistakes;
  std::vector<std::string> warnings;
};

// Can the service user read certificate, key, rules and signatures, and write the data folder?  Asked
// of the kernel in a child process that has taken that user's ids when we are root, with our own ids
// otherwise.  Blocks for some milliseconds.
FileCheck check_files(const Config& config);

// The ids that the program is to run with.
struct ServiceUser {
  std::string name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;   // supplementary, `gid` included
};
// Nothing when there is nothing to drop: we are not root, or no user is named and "postern" does not
// exist.  An Error: the named user or group does not exist.
Result<std::optional<ServiceUser>> service_user(const Config& config);

}  // namespace postern::config
