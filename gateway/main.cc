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
  admin::ExplainArguments explain;
  admin::SpfArguments spf;
  admin::UserArguments user;
  admin::QuarantineArguments quarantine;
  admin::QueueArguments queue;
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
    sub->callback([&line, action] {
      line.user.action = action.name;
      line.run = [&line] { return admin::user_command(line.global, line.user); };
    });
  }
  auto* lists = add(*user, "lists", "Show whom a user always allows and whom he blocks");
  lists->add_option("ADDRESS", line.user.address, "user@domain")->required();
  lists->callback([&line] {
    line.user.action = "lists";
    line.run = [&line] { return admin::user_command(line.global, line.user); };
  });
  auto* list = add(*user, "list", "List the mailboxes");
  list->callback([&line] {
    line.user.action = "list";
    line.run = [&line] { return admin::user_command(line.global, line.user); };
  });
}

void add_senders(CLI::App& quarantine, CommandLine& line);

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

void add_queue(CLI::App& app, CommandLine& line) {
  auto* queue = add(app, "queue", "What waits to be sent on, and why");
  queue->require_subcommand(1);
  auto& q = line.queue;
  for (auto [action, description] : {std::pair{"list", "List what waits, with the last words of the hosts"},
                                   std::pair{"show", "Show an entry and its message"},
                                   std::pair{"retry", "Try an entry at once, also one that is held"},
                                   std::pair{"hold", "Keep an entry from being tried"},
                                   std::pair{"delete", "Delete an entry for good; nobody is told"}}) {
    auto* sub = add(*queue, action, description);
    std::string name = action;
    if (name == "list") sub->add_option("--to", q.to, "Only what concerns this: part of a recipient's address or of the destination");
    else sub->add_option("ID", q.id, name == "retry" || name == "hold" ? "Number of the entry, or \"all\"" : "Number of the entry")->required();
    sub->callback([&line, name] {
      line.queue.action = name;
      line.run = [&line] { return admin::queue_command(line.global, line.queue); };
    });
  }
}

void add_running(CLI::App& app, CommandLine& line) {
  auto* run = add(app, "serve", "Run the gateway in the foreground");
  run->callback([&line] { line.run = [&line] { return serve(line.global.config); }; });
  auto* reload = add(app, "reload", "Read configuration, certificate and rules anew, as SIGHUP does, and say how it went");
  reload->callback([&line] { line.run = [&line] { return admin::reload_command(line.global); }; });
  auto* status = add(app, "status", "How the running gateway is");
  status->callback([&line] { line.run = [&line] { return admin::status_command(line.global); }; });
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
  add_quarantine(app, line);
  add_queue(app, line);
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
