// The command line: one subcommand, one function of admin/subcommands.h.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "filters/scanner_child.h"
#include "gateway/command_line.h"
#include "gateway/serve.h"
#include "gateway/version.h"

namespace {

using namespace postern;

void add_judging(CLI::App& app, CommandLine& line) {
  auto* check = add_command(app, "check", "Check configuration and rules; every mistake with file:line");
  check->add_option("--rules", line.check.rules, "Check the rules of this folder instead of the configured one");
  check->add_flag("--store", line.check.store, "Also read every record of the store (the server must not run)");
  check->callback([&line] { line.run = [&line] { return admin::check_command(line.global, line.check); }; });

  auto* replay = add_command(app, "replay", "Judge the mail that is kept with other rules, as if they had been there, and print what would change");
  replay->add_option("--rules", line.replay.rules, "Folder with rules; default: the configured one");
  replay->add_option("--since", line.replay.since, "Only what came since: 7d, 2026-12-01")->capture_default_str();
  replay->callback([&line] { line.run = [&line] { return admin::replay_command(line.global, line.replay); }; });

  auto* test = add_command(app, "test", "Run the tests inside the rule files");
  test->add_option("DIR", line.test_directory, "Folder with rules; default: the configured one");
  test->callback([&line] { line.run = [&line] { return admin::test_command(line.global, line.test_directory); }; });

  auto* explain = add_command(app, "explain", "Judge a message as if received, and say why");
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

  auto* spf = add_command(app, "spf", "Evaluate SPF alone");
  spf->add_option("--ip", line.spf.ip, "Address of the client")->required();
  spf->add_option("--helo", line.spf.helo, "Its EHLO name")->required();
  spf->add_option("--from", line.spf.from, "Envelope sender, \"\" for the null sender")->required();
  spf->callback([&line] { line.run = [&line] { return admin::spf_command(line.global, line.spf); }; });

  auto* doc = add_command(app, "doc", "Print what this version documents of itself");
  doc->require_subcommand(1);
  auto* language = add_command(*doc, "rules", "The rule language as Markdown: stages, verdicts, facts, tools, examples");
  language->callback([&line] { line.run = [] { return admin::doc_rules_command(); }; });
}

void add_user(CLI::App& app, CommandLine& line) {
  auto* user = add_command(app, "user", "Mailboxes and their passwords");
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
    auto* sub = add_command(*user, action.name, action.description);
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
    auto* sub = add_command(*user, name, description);
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
  auto* invite = add_command(*user, "invite", "Print, or send, a link with which a user sets his password");
  invite->add_option("ADDRESS", line.invite.address, "user@domain; whose mail goes on gets an account for his quarantine")->required();
  invite->add_flag("--send", line.invite.send, "Send it to the user instead, at the server that has his mail");
  invite->add_option("--to", line.invite.to, "Send it to this address instead");
  invite->callback([&line] { line.run = [&line] { return admin::invite_command(line.global, line.invite); }; });
  of_user("lists", "Show whom a user always allows and whom he blocks");
  auto* list = add_command(*user, "list", "List the mailboxes, and who may send no more");
  list->callback([&line] {
    line.user.action = "list";
    line.run = [&line] { return admin::user_command(line.global, line.user); };
  });
}

void add_dkim(CLI::App& app, CommandLine& line) {
  auto* dkim = add_command(app, "dkim", "The keys that sign what we send, and their DNS records");
  dkim->require_subcommand(1);
  auto& d = line.dkim;
  for (auto [action, description] : {std::pair{"new", "Make keys for a domain and print their DNS records"},
                                     std::pair{"list", "List the keys and how far they are"},
                                     std::pair{"show", "Print the records again"},
                                     std::pair{"check", "Look for the records in DNS now; a key whose record is right signs from then on"},
                                     std::pair{"use", "Sign with this key from now on"},
                                     std::pair{"rotate", "Make successors of the keys that sign, and print their DNS records"},
                                     std::pair{"remove", "Destroy a key"}}) {
    auto* sub = add_command(*dkim, action, description);
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

void add_dns(CLI::App& app, CommandLine& line) {
  auto* dns = add_command(app, "dns", "The DNS records that a domain should have, as lines of a zone file");
  dns->add_option("DOMAIN", line.dns.domain, "One of our domains")->required();
  dns->add_flag("--check", line.dns.check, "Look them up instead, and say of each whether it is right");
  dns->callback([&line] { line.run = [&line] { return admin::dns_command(line.global, line.dns); }; });
}

void add_backup(CLI::App& app, CommandLine& line) {
  auto& b = line.backup;
  auto* backup = add_command(app, "backup", "Back up the store while mail goes on; a second one into the same folder takes only what is new");
  backup->add_option("DIR", b.directory, "Folder of backups; made if it is not there.  On another disk, if it is to survive this one")->required();
  auto* keep = backup->add_option("--keep", b.keep, "Drop all but the newest N backups, once this one is complete")->check(CLI::PositiveNumber);
  auto* list = backup->add_flag("--list", b.list, "List the backups instead")->excludes(keep);
  auto* verify = backup->add_flag("--verify", b.verify, "Read all of a backup instead, each message with its checksum")->excludes(keep)->excludes(list);
  backup->add_option("--generation", b.generation, "With --verify: this one and not the newest")->needs(verify);
  backup->callback([&line] { line.run = [&line] { return admin::backup_command(line.global, line.backup); }; });

  auto& r = line.restore;
  auto* restore = add_command(app, "restore", "Restore a backup: whole into an empty data folder, or one user's mail into the store that runs");
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
  auto* run = add_command(app, "serve", "Run the gateway in the foreground");
  run->callback([&line] { line.run = [&line] { return serve(line.global.config); }; });
  auto* reload = add_command(app, "reload", "Read configuration, certificate and rules anew, as SIGHUP does, and say how it went");
  reload->callback([&line] { line.run = [&line] { return admin::reload_command(line.global); }; });
  auto* status = add_command(app, "status", "How the running gateway is");
  status->callback([&line] { line.run = [&line] { return admin::status_command(line.global); }; });
}

void add_tlsrpt(CLI::App& app, CommandLine& line) {
  auto* tlsrpt = add_command(app, "tlsrpt", "What came of TLS with the mail hosts of other domains, by day; --json: reports as in RFC 8460");
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
  add_rules(app, line);
  add_user(app, line);
  add_addresses(app, line);
  add_lists(app, line);
  add_quarantine(app, line);
  add_queue(app, line);
  add_suppression(app, line);
  add_trace(app, line);
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
