// The command line: one subcommand, one function of admin/subcommands.h.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>

#include "filters/scanner_child.h"
#include "gateway/admin/subcommands.h"
#include "gateway/serve.h"
#include "gateway/version.h"

namespace {

using namespace postern;

struct CommandLine {
  admin::Global global;
  admin::CheckArguments check;
  std::string test_directory;
  std::string tlsrpt_day;
  admin::ExplainArguments explain;
  admin::SpfArguments spf;
  admin::UserArguments user;
  admin::InviteArguments invite;
  admin::DigestArguments digest;
  admin::AliasArguments alias;
  admin::ForwardArguments forward;
  admin::ListArguments list;
  admin::QuarantineArguments quarantine;
  admin::QueueArguments queue;
  admin::SuppressionArguments suppression;
  admin::DkimArguments dkim;
  admin::DnsArguments dns;
  admin::BackupArguments backup;
  admin::RestoreArguments restore;
  std::function<int()> run;
};

// --config and --json count before and after the subcommand.
CLI::App* add(CLI::App& parent, const char* name, const char* description) {
  auto* sub = parent.add_subcommand(name, description);
  sub->fallthrough();
  return sub;
}

void add_judging(CLI::App& app, CommandLine& line) {
  auto* check = add(app, "check", "Check configuration and rules; every mistake with file:line");
  check->add_option("--rules", line.check.rules, "Check the rules of this folder instead of the configured one");
  check->add_flag("--store", line.check.store, "Also read every record of the store (the server must not run)");
  check->callback([&line] { line.run = [&line] { return admin::check_command(line.global, line.check); }; });

  auto* test = add(app, "test", "Run the tests inside the rule files");
  test->add_option("DIR", line.test_directory, "Folder with rules; default: the configured one");
  test->callback([&line] { line.run = [&line] { return admin::test_command(line.global, line.test_directory); }; });

  auto* explain = add(app, "explain", "Judge a message as if received, and say why");
  auto& e = line.explain;
  explain->add_option("FILE", e.path, "A message, a folder of messages, or - for standard input")->required();
  explain->add_option("--ip", e.ip, "Address of the client")->capture_default_str();
  explain->add_option("--helo", e.helo, "Its EHLO name")->capture_default_str();
  auto* from = explain->add_option("--from", e.from, "Envelope sender; default: the Return-Path of the file");
  explain->add_option("--rcpt", e.recipients, "Envelope recipient; may be repeated.  His account and groups are those that the running "
                      "server knows; without a server he has no groups");
  explain->add_option("--login", e.login, "As sent by this user of ours: by the rules for outgoing mail");
  explain->add_option("--rules", e.rules, "Judge with the rules of this folder");
  explain->add_flag("--no-learned", e.no_learned, "Leave Bayes and reputation out");
  explain->callback([&line, from] {
    line.explain.from_given = from->count() > 0;
    line.run = [&line] { return admin::explain_command(line.global, line.explain); };
  });

  auto* spf = add(app, "spf", "Evaluate SPF alone");
  spf->add_option("--ip", line.spf.ip, "Address of the client")->required();
  spf->add_option("--helo", line.spf.helo, "Its EHLO name")->required();
  spf->add_option("--from", line.spf.from, "Envelope sender, \"\" for the null sender")->required();
  spf->callback([&line] { line.run = [&line] { return admin::spf_command(line.global, line.spf); }; });
}

void add_user(CLI::App& app, CommandLine& line) {
  auto* user = add(app, "user", "Mailboxes and their passwords");
  user->require_subcommand(1);
  struct Action {
    const char* name;
    const char* description;
    bool password;
  };
  for (auto action : {Action{"add", "Make a mailbox", true}, Action{"password", "Set a new password", true},
                      Action{"set", "Change where a user's mail goes, or take his password away", false},
                      Action{"remove", "Remove a mailbox with all its mail", false},
                      Action{"unban", "Forget failed logins of a mailbox or address", false}}) {
    auto* sub = add(*user, action.name, action.description);
    bool unban = std::string_view(action.name) == "unban";
    sub->add_option("ADDRESS", line.user.address, unban ? "user@domain, an IP address or a network" : "user@domain")->required();
    if (action.password) sub->add_flag("--password-stdin", line.user.password_stdin, "Read the password from standard input");
    if (std::string_view(action.name) == "add") {
      sub->add_flag("--admin", line.user.admin, "An administrator: may see and release what others' quarantines hold");
      sub->add_option("--group", line.user.groups, "Group that rules see as rcpt.groups; may be repeated");
    }
    if (std::string_view(action.name) == "add" || std::string_view(action.name) == "set") {
      sub->add_option("--deliver", line.user.deliver, "Where his good mail goes: mailboxes, domain (as the domain says), or smtp://HOST:PORT or\n"
                      "lmtp://HOST:PORT, several with commas between them");
      auto* none = sub->add_flag("--no-password", line.user.no_password, "He has no password here: he logs in by his domain's directory, or not at all");
      if (action.password) none->excludes("--password-stdin");
    }
    sub->callback([&line, action] {
      line.user.action = action.name;
      line.run = [&line] { return admin::user_command(line.global, line.user); };
    });
  }
  auto of_user = [&](const char* name, const char* description) {
    auto* sub = add(*user, name, description);
    sub->add_option("ADDRESS", line.user.address, "user@domain")->required();
    sub->callback([&line, name] {
      line.user.action = name;
      line.run = [&line] { return admin::user_command(line.global, line.user); };
    });
    return sub;
  };
  auto* stop = of_user("stop", "Let a user send no more; he still reads his mail");
  stop->add_option("--reason", line.user.reason, "Why, in words that he will see");
  auto* resume = of_user("resume", "Let a user send again who was stopped");
  auto* send = resume->add_flag("--send", line.user.send, "Send what is held in his mailbox Held");
  resume->add_flag("--discard", line.user.discard, "Move what is held to his Trash")->excludes(send);
  auto* invite = add(*user, "invite", "Print, or send, a link with which a user sets his password");
  invite->add_option("ADDRESS", line.invite.address, "user@domain; whose mail goes on gets an account for his quarantine")->required();
  invite->add_flag("--send", line.invite.send, "Send it to the user instead, at the server that has his mail");
  invite->add_option("--to", line.invite.to, "Send it to this address instead");
  invite->callback([&line] { line.run = [&line] { return admin::invite_command(line.global, line.invite); }; });
  of_user("lists", "Show whom a user always allows and whom he blocks");
  auto* list = add(*user, "list", "List the mailboxes, and who may send no more");
  list->callback([&line] {
    line.user.action = "list";
    line.run = [&line] { return admin::user_command(line.global, line.user); };
  });
}

void add_senders(CLI::App& quarantine, CommandLine& line);

void add_addresses(CLI::App& app, CommandLine& line) {
  auto* alias = add(app, "alias", "Addresses that lead to other addresses");
  alias->require_subcommand(1);
  for (auto [action, description] : {std::pair{"add", "Make an alias, or give it further targets"},
                                   std::pair{"remove", "Remove an alias, or some of its targets"},
                                   std::pair{"show", "Show an alias and whom it reaches in the end"},
                                   std::pair{"list", "List the aliases"}}) {
    auto* sub = add(*alias, action, description);
    std::string name = action;
    if (name != "list") sub->add_option("ADDRESS", line.alias.address, "The alias")->required();
    if (name == "add") sub->add_option("TARGET", line.alias.targets, "Users, aliases, or addresses outside")->required();
    if (name == "remove") sub->add_option("TARGET", line.alias.targets, "Only these; default: the whole alias");
    sub->callback([&line, name] {
      line.alias.action = name;
      line.run = [&line] { return admin::alias_command(line.global, line.alias); };
    });
  }
  auto* forward = add(app, "forward", "Mailboxes whose good mail is sent on");
  forward->require_subcommand(1);
  for (auto [action, description] : {std::pair{"set", "Send a user's good mail on to these addresses"},
                                   std::pair{"remove", "Send it on no more"}, std::pair{"list", "List what is sent on"}}) {
    auto* sub = add(*forward, action, description);
    std::string name = action;
    if (name != "list") sub->add_option("ADDRESS", line.forward.address, "The user")->required();
    if (name == "set") {
      sub->add_option("TARGET", line.forward.targets, "Addresses outside, users or aliases")->required();
      sub->add_flag("--keep", line.forward.keep, "Keep a copy in the mailbox");
    }
    sub->callback([&line, name] {
      line.forward.action = name;
      line.run = [&line] { return admin::forward_command(line.global, line.forward); };
    });
  }
}

void add_list_settings(CLI::App& sub, admin::ListArguments& list) {
  sub.add_option("--owner", list.owners, "An account that runs it; may be repeated.  What is held of it lies with the first");
  sub.add_option("--moderator", list.moderators, "An account that decides on what waits; may be repeated; default: the owners");
  sub.add_option("--post", list.post, "Who may write without being asked about: anyone, members (default) or moderators");
  sub.add_option("--subscription", list.subscription, "open: whoever confirms it by mail; closed (default): the owners decide");
  sub.add_option("--archive", list.archive, "yes: a copy of each message lies in the first owner's Lists/NAME; default: no");
  sub.add_option("--reply-to", list.reply_to, "author (default) or list");
  sub.add_option("--prefix", list.prefix, "Before each subject, e.g. \"[team]\"; default: none");
  sub.add_option("--name", list.name, "For people, e.g. \"The team\"");
  sub.add_option("--bounces", list.bounces, "Days on which a member's mail comes back until he gets none any more; 0: never; default: 5");
}

void add_lists(CLI::App& app, CommandLine& line) {
  auto* list = add(app, "list", "Mailing lists");
  list->require_subcommand(1);
  for (auto [action, description] : {std::pair{"add", "Make a mailing list"}, std::pair{"set", "Change its settings"},
                                   std::pair{"remove", "Remove it"}, std::pair{"show", "Show its settings and its members"},
                                   std::pair{"list", "List the mailing lists"},
                                   std::pair{"subscribe", "Add members, or give those whose mail came back another try"},
                                   std::pair{"unsubscribe", "Remove members"}}) {
    auto* sub = add(*list, action, description);
    std::string name = action;
    bool members = name == "subscribe" || name == "unsubscribe";
    if (name != "list") sub->add_option("ADDRESS", line.list.address, "The list")->required();
    if (members) sub->add_option("MEMBER", line.list.members, "Addresses, here or outside")->required();
    if (name == "subscribe") sub->add_flag("--no-mail", line.list.no_mail, "They may write to it and get nothing from it");
    if (name == "add" || name == "set") add_list_settings(*sub, line.list);
    sub->callback([&line, name] {
      line.list.action = name;
      line.run = [&line] { return admin::list_command(line.global, line.list); };
    });
  }
}

void add_quarantine(CLI::App& app, CommandLine& line) {
  auto* quarantine = add(app, "quarantine", "What is held, for all users");
  quarantine->require_subcommand(1);
  auto& q = line.quarantine;
  for (auto [action, description] : {std::pair{"list", "List held messages"}, std::pair{"show", "Show a held message"},
                                   std::pair{"release", "Deliver a held message to the INBOX"},
                                   std::pair{"delete", "Delete a held message for good"}}) {
    auto* sub = add(*quarantine, action, description);
    std::string_view word = action;
    bool lists = word == "list", shows = word == "show";
    if (!lists) {
      auto* id = sub->add_option("ID", q.id, "Id of the message, as in X-Postern-Verdict");
      if (shows) id->required();
    }
    sub->add_option("--user", q.user, "Only this user's copy");
    if (!shows) {
      sub->add_option("--class", q.message_class, "spam, virus, policy or undeliverable");
      sub->add_option("--sender", q.sender, "Only where this is part of the envelope sender or of From");
      sub->add_option("--older", q.older, "Only what came longer ago, e.g. 7d or 12h");
      sub->add_option("--newer", q.newer, "Only what came since");
    }
    if (!shows && !lists) sub->add_flag("--yes", q.yes, "Without ID: do it; else it is only counted");
    if (shows) {
      auto* raw = sub->add_flag("--raw", q.raw, "All octets as they are, to a file say");
      sub->add_flag("--text", q.text, "Fields, parts and what a person reads; HTML as text, nothing is loaded")->excludes(raw);
    }
    sub->callback([&line, name = std::string(action)] {
      line.quarantine.action = name;
      line.run = [&line] { return admin::quarantine_command(line.global, line.quarantine); };
    });
  }
  auto* digest = add(*quarantine, "digest", "What is new in a user's quarantine, as the digest mail would tell him");
  digest->add_option("USER", line.digest.user, "user@domain")->required();
  auto* now = digest->add_flag("--now", line.digest.now, "Send it to him now");
  digest->add_flag("--print", line.digest.print, "Only print it, with links that work; this is the default")->excludes(now);
  digest->callback([&line] { line.run = [&line] { return admin::digest_command(line.global, line.digest); }; });
  add_senders(*quarantine, line);
}

// Whom a user always allows, whom he blocks.
void add_senders(CLI::App& quarantine, CommandLine& line) {
  auto& q = line.quarantine;
  for (auto [action, description] : {std::pair{"allow", "Let a sender past the spam rules of a user"}, std::pair{"block", "Hold what a sender sends to a user"},
                                   std::pair{"forget", "Take a sender off the lists of a user"}}) {
    auto* sub = add(quarantine, action, description);
    sub->add_option("SENDER", q.sender, "Address in From, or a domain")->required();
    sub->add_option("--user", q.user, "Whose list")->required();
    sub->callback([&line, name = std::string(action)] {
      line.quarantine.action = name;
      line.run = [&line] { return admin::quarantine_command(line.global, line.quarantine); };
    });
  }
}

void add_queue_filter(CLI::App& sub, admin::QueueArguments& q) {
  sub.add_option("--to", q.to, "Only what concerns this: part of a recipient's address or of the destination");
  sub.add_option("--from", q.from, "Only what this sent: part of the sender's address; \"<>\": reports, which have no sender");
  sub.add_option("--destination", q.destination, "Only what goes to this domain");
  auto* held = sub.add_flag("--held", q.held, "Only what is held");
  sub.add_flag("--due", q.due, "Only what would be tried now if its server were there")->excludes(held);
  sub.add_option("--older", q.older, "Only what has waited for longer: 30m, 4h, 2d");
}

void add_queue(CLI::App& app, CommandLine& line) {
  auto* queue = add(app, "queue", "What waits to be sent on, and why");
  queue->require_subcommand(1);
  auto& q = line.queue;
  for (auto [action, description] : {std::pair{"list", "List what waits, with the last words of the hosts"},
                                   std::pair{"summary", "Count what waits by destination"},
                                   std::pair{"show", "Show an entry, what is known of each recipient, and its message"},
                                   std::pair{"retry", "Try at once, also what is held"},
                                   std::pair{"hold", "Keep from being tried"},
                                   std::pair{"thaw", "Hold no longer: tried at its time"},
                                   std::pair{"bounce", "Give up now, with a report to the sender as if the time were over"},
                                   std::pair{"delete", "Delete for good; nobody is told"}}) {
    auto* sub = add(*queue, action, description);
    std::string name = action;
    if (name == "show") sub->add_option("ID", q.ids, "Number of the entry")->required()->expected(1);
    else add_queue_filter(*sub, q);
    if (name != "show" && name != "list" && name != "summary") sub->add_option("ID", q.ids, "Numbers of entries, or \"all\"; or give a filter");
    sub->callback([&line, name] {
      line.queue.action = name;
      line.run = [&line] { return admin::queue_command(line.global, line.queue); };
    });
  }
}

void add_dkim(CLI::App& app, CommandLine& line) {
  auto* dkim = add(app, "dkim", "The keys that sign what we send, and their DNS records");
  dkim->require_subcommand(1);
  auto& d = line.dkim;
  for (auto [action, description] : {std::pair{"new", "Make keys for a domain and print their DNS records"},
                                     std::pair{"list", "List the keys and how far they are"},
                                     std::pair{"show", "Print the records again"},
                                     std::pair{"check", "Look for the records in DNS now; a key whose record is right signs from then on"},
                                     std::pair{"use", "Sign with this key from now on"},
                                     std::pair{"rotate", "Make successors of the keys that sign, and print their DNS records"},
                                     std::pair{"remove", "Destroy a key"}}) {
    auto* sub = add(*dkim, action, description);
    std::string name = action;
    bool optional = name == "list" || name == "check";
    auto* domain = sub->add_option("DOMAIN", d.domain, optional ? "One of our domains; default: all of them" : "One of our domains");
    if (!optional) domain->required();
    if (name == "new") {
      sub->add_option("--selector", d.selector, "Its name in DNS; with both algorithms -rsa and -ed25519 are put behind it.  Default: the date");
      sub->add_option("--algorithm", d.algorithm, "rsa (2048 bits), ed25519 or both")->capture_default_str()->check(CLI::IsMember({"rsa", "ed25519", "both"}));
    }
    if (name == "show") sub->add_option("SELECTOR", d.selector, "Only this key");
    if (name == "use" || name == "remove") sub->add_option("SELECTOR", d.selector, "The key, as `dkim list` names it")->required();
    if (name == "use") sub->add_flag("--force", d.force, "Even though its record is not seen in DNS from here");
    if (name == "remove") sub->add_flag("--force", d.force, "Even though mail is signed with it");
    sub->callback([&line, name] {
      line.dkim.action = name;
      line.run = [&line] { return admin::dkim_command(line.global, line.dkim); };
    });
  }
}

void add_suppression(CLI::App& app, CommandLine& line) {
  auto* suppression = add(app, "suppression", "Addresses elsewhere to which users may not send: they bounced, complained, or you say so");
  suppression->require_subcommand(1);
  auto& s = line.suppression;
  for (auto [action, description] : {std::pair{"list", "List them, with what the remote said last"}, std::pair{"add", "Let nobody, or one user, send to an address"},
                                     std::pair{"remove", "Let them send there again, and forget its bounces"}}) {
    auto* sub = add(*suppression, action, description);
    std::string name = action;
    auto* address = sub->add_option("ADDRESS", s.address, name == "list" ? "Only this address" : "user@domain");
    if (name != "list") address->required();
    sub->add_option("--user", s.user, name == "remove" ? "Only for this user of ours; default: for all" : "For this user of ours alone");
    if (name == "add") sub->add_option("--reason", s.reason, "Why, in words that users will see");
    if (name == "add") sub->add_option("--for", s.length, "As in 30d; default: until it is removed");
    sub->callback([&line, name] {
      line.suppression.action = name;
      line.run = [&line] { return admin::suppression_command(line.global, line.suppression); };
    });
  }
}

void add_dns(CLI::App& app, CommandLine& line) {
  auto* dns = add(app, "dns", "The DNS records that a domain should have, as lines of a zone file");
  dns->add_option("DOMAIN", line.dns.domain, "One of our domains")->required();
  dns->add_flag("--check", line.dns.check, "Look them up instead, and say of each whether it is right");
  dns->callback([&line] { line.run = [&line] { return admin::dns_command(line.global, line.dns); }; });
}

void add_backup(CLI::App& app, CommandLine& line) {
  auto& b = line.backup;
  auto* backup = add(app, "backup", "Back up the store while mail goes on; a second one into the same folder takes only what is new");
  backup->add_option("DIR", b.directory, "Folder of backups; made if it is not there.  On another disk, if it is to survive this one")->required();
  auto* keep = backup->add_option("--keep", b.keep, "Drop all but the newest N backups, once this one is complete")->check(CLI::PositiveNumber);
  auto* list = backup->add_flag("--list", b.list, "List the backups instead")->excludes(keep);
  auto* verify = backup->add_flag("--verify", b.verify, "Read all of a backup instead, each message with its checksum")->excludes(keep)->excludes(list);
  backup->add_option("--generation", b.generation, "With --verify: this one and not the newest")->needs(verify);
  backup->callback([&line] { line.run = [&line] { return admin::backup_command(line.global, line.backup); }; });

  auto& r = line.restore;
  auto* restore = add(app, "restore", "Restore a backup: whole into an empty data folder, or one user's mail into the store that runs");
  restore->add_option("DIR", r.directory, "Folder of backups")->required();
  restore->add_option("--generation", r.generation, "This backup and not the newest");
  auto* user = restore->add_option("--user", r.user, "Only this user's mail, into his folders Restored-DATE, while mail goes on");
  restore->add_option("--folder", r.folder, "Only this folder of his")->needs(user);
  restore->add_option("--message", r.message, "Only the message with this id (as in X-Postern-Verdict) or Message-ID")->needs(user);
  restore->add_flag("--all", r.all, "Also messages that are still there")->needs(user);
  restore->add_flag("--send-queue", r.send_queue, "Send what waited to be sent on; else it is held, for it may have been sent since")->excludes(user);
  restore->add_flag("--keep-uids", r.keep_uids, "Keep UIDVALIDITY, so that mail clients need not load all anew: only if the store was not used since")->excludes(user);
  restore->callback([&line] { line.run = [&line] { return admin::restore_command(line.global, line.restore); }; });
}

void add_running(CLI::App& app, CommandLine& line) {
  auto* run = add(app, "serve", "Run the gateway in the foreground");
  run->callback([&line] { line.run = [&line] { return serve(line.global.config); }; });
  auto* reload = add(app, "reload", "Read configuration, certificate and rules anew, as SIGHUP does, and say how it went");
  reload->callback([&line] { line.run = [&line] { return admin::reload_command(line.global); }; });
  auto* status = add(app, "status", "How the running gateway is");
  status->callback([&line] { line.run = [&line] { return admin::status_command(line.global); }; });
}

void add_tlsrpt(CLI::App& app, CommandLine& line) {
  auto* tlsrpt = add(app, "tlsrpt", "What came of TLS with the mail hosts of other domains, by day; --json: reports as in RFC 8460");
  tlsrpt->add_option("DAY", line.tlsrpt_day, "As in 2026-11-30; default: today.  Two weeks are kept");
  tlsrpt->callback([&line] { line.run = [&line] { return admin::tlsrpt_command(line.global, line.tlsrpt_day); }; });
}

// `postern scanner`: started by the gateway itself, with a socket as descriptor; of no use by hand.
int run_scanner(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 2, argv + argc);
  auto options = filters::parse_scanner_arguments(arguments);
  if (!options) {
    std::fprintf(stderr, "postern scanner: %s\n", options.error().text.c_str());
    return 2;
  }
  return filters::scanner_main(*options);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "scanner") return run_scanner(argc, argv);
  CLI::App app{"Postern, a mail gateway: judges mail by rules, delivers it, keeps the doubtful in a quarantine.", "postern"};
  CommandLine line;
  app.set_version_flag("--version", std::string("postern ") + kVersion);
  app.add_option("--config", line.global.config, "Configuration file")->capture_default_str();
  app.add_flag("--json", line.global.json, "Print JSON");
  app.require_subcommand(1);
  app.footer("Manual: postern(1), postern.toml(5), postern-rules(7).");
  add_running(app, line);
  add_judging(app, line);
  add_user(app, line);
  add_addresses(app, line);
  add_lists(app, line);
  add_quarantine(app, line);
  add_queue(app, line);
  add_suppression(app, line);
  add_dkim(app, line);
  add_dns(app, line);
  add_tlsrpt(app, line);
  add_backup(app, line);
  // The parser takes the next word for the value of "--from=": an empty value is a value.
  std::vector<const char*> words;
  std::vector<std::string> names;
  names.reserve(static_cast<std::size_t>(argc));
  for (int i = 0; i < argc; ++i) {
    std::string_view word = argv[i];
    bool empty_value = word.starts_with("--") && word.ends_with("=");
    if (empty_value) words.push_back(names.emplace_back(word.substr(0, word.size() - 1)).c_str());
    words.push_back(empty_value ? "" : argv[i]);
  }
  try {
    app.parse(static_cast<int>(words.size()), words.data());
  } catch (const CLI::ParseError& error) {
    int status = app.exit(error);
    return status == 0 ? 0 : 2;
  }
  return line.run();
}
