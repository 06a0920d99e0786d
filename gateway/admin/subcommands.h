#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// The subcommands behind the command line.  Each gives the exit status: 0 done, 1 it did not
// succeed, 2 wrong usage or configuration.  Results go to standard output, mistakes to standard error.
namespace postern::admin {

struct Global {
  std::string config = "/etc/postern/postern.toml";
  bool json = false;
};

struct CheckArguments {
  std::string rules;          // "": the configured folder
  bool store = false;         // also read every record of the store
};
int check_command(const Global& global, const CheckArguments& arguments);

int test_command(const Global& global, const std::string& directory);

struct ExplainArguments {
  std::string path;           // file, folder or "-"
  std::string ip = "192.0.2.1";
  std::string helo = "client.example";
  std::string from;
  bool from_given = false;    // else Return-Path of the file, or the null sender
  std::vector<std::string> recipients;
  std::string login;          // of a user of ours; "": as it comes in
  std::string rules;
  bool no_learned = false;
};
int explain_command(const Global& global, const ExplainArguments& arguments);

// `rules fit`: points from mail that people have sorted.
struct FitArguments {
  std::string corpus;         // folder with ham/ and spam/
  std::string rules;          // "": the configured folder
  double junk = 5;            // points from which on mail is junk
  double ham_rate = 0.1;      // %, at most
  double most = 4;            // points of one rule
  double step = 0.1;
  bool write = false;         // into the rule files; else the diff is only shown
};
int fit_command(const Global& global, const FitArguments& arguments);

struct SpfArguments {
  std::string ip, helo, from;
};
int spf_command(const Global& global, const SpfArguments& arguments);
int doc_rules_command();

struct ImportSaArguments {
  std::vector<std::string> files;
  std::string output;         // "": standard output
  std::string name = "spamassassin";
  std::size_t score_set = 3;
};
int import_sa_command(const Global& global, const ImportSaArguments& arguments);

struct UserArguments {
  std::string action;         // add, set, password, remove, list, lists, unban, stop, resume
  std::string address;
  std::string deliver;        // of add and set, as directory::deliver_of() takes it; "": as it is
  bool no_password = false;   // of add and set: logs in by a directory, or not at all
  bool password_stdin = false;
  bool admin = false;
  std::vector<std::string> groups;
  std::string reason;         // of stop
  bool send = false;          // resume: what is held goes
  bool discard = false;       // to Trash
};
int user_command(const Global& global, const UserArguments& arguments);

struct InviteArguments {
  std::string address;
  bool send = false;          // else the link is printed
  std::string to;             // "": to the user himself
};
int invite_command(const Global& global, const InviteArguments& arguments);

struct AliasArguments {
  std::string action;         // add, remove, list, show
  std::string address;
  std::vector<std::string> targets;
};
int alias_command(const Global& global, const AliasArguments& arguments);

struct ForwardArguments {
  std::string action;         // set, remove, list
  std::string address;
  std::vector<std::string> targets;
  bool keep = false;
};
int forward_command(const Global& global, const ForwardArguments& arguments);

struct ListArguments {
  std::string action;         // add, set, remove, show, list, subscribe, unsubscribe
  std::string address;
  std::vector<std::string> members;
  bool no_mail = false;
  std::vector<std::string> owners, moderators;                                        // none: as it is
  std::optional<std::string> post, subscription, archive, reply_to, prefix, name;     // nothing: as it is
  std::optional<unsigned> bounces;
};
int list_command(const Global& global, const ListArguments& arguments);

struct QuarantineArguments {
  std::string action;         // list, show, release, delete; allow, block, forget
  std::string id, user, message_class, sender;
  std::string older, newer;   // "7d"; "": any age
  bool yes = false;           // without an id: do it, instead of counting
  bool raw = false, text = false;
};
int quarantine_command(const Global& global, const QuarantineArguments& arguments);

struct DigestArguments {
  std::string user;
  bool now = false;           // send it
  bool print = false;         // the other way, and the default
};
int digest_command(const Global& global, const DigestArguments& arguments);

struct QueueArguments {
  std::string action;         // list, summary, show, retry, hold, thaw, delete, bounce
  std::vector<std::string> ids;                // or "all"
  std::string to, from, destination, older;    // the filter, see admin/queue_filter.h
  bool held = false, due = false;
};
int queue_command(const Global& global, const QueueArguments& arguments);

struct SuppressionArguments {
  std::string action;         // list, add, remove
  std::string address, user, reason;
  std::string length;         // "30d"; "": until it is lifted
};
int suppression_command(const Global& global, const SuppressionArguments& arguments);

// `id`: of a message, of a session, as a reply quoted it; or a Message-ID.
int why_command(const Global& global, const std::string& id);

struct TraceArguments {
  std::string from, to, subject, ip, message_id;   // as store::TraceQuery
  std::string since, until;   // as parse_moment() takes them; "": as far back as is remembered, now
  std::uint64_t limit = 100;
};
int trace_command(const Global& global, const TraceArguments& arguments);

struct ReplayArguments {
  std::string rules;          // "": the configured folder
  std::string since = "7d";   // as parse_moment() takes it
};
int replay_command(const Global& global, const ReplayArguments& arguments);

struct DkimArguments {
  std::string action;         // new, list, show, check, use, rotate, remove
  std::string domain, selector;
  std::string algorithm = "both";
  bool force = false;
};
int dkim_command(const Global& global, const DkimArguments& arguments);

struct DnsArguments {
  std::string domain;
  bool check = false;
};
int dns_command(const Global& global, const DnsArguments& arguments);

// `day`: "2026-11-30"; "": today.
int tlsrpt_command(const Global& global, const std::string& day);

struct BackupArguments {
  std::string directory;
  std::string generation;     // "": the newest
  std::size_t keep = 0;       // 0: all
  bool list = false, verify = false;
};
int backup_command(const Global& global, const BackupArguments& arguments);

struct RestoreArguments {
  std::string directory;
  std::string generation;     // "": the newest
  bool send_queue = false;
  bool keep_uids = false;
  std::string user, folder, message;   // of one user; "": everything
  bool all = false;                    // of a user, also what is still there
};
int restore_command(const Global& global, const RestoreArguments& arguments);

int status_command(const Global& global);

int reload_command(const Global& global);

}  // namespace postern::admin
