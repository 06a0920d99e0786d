// The command line about mail and addresses: alias, forward, list, quarantine, queue, suppression.
#include "gateway/command_line.h"

namespace postern {
namespace {

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

void add_queue_filter(CLI::App& sub, admin::QueueArguments& q) {
  sub.add_option("--to", q.to, "Only what concerns this: part of a recipient's address or of the destination");
  sub.add_option("--from", q.from, "Only what this sent: part of the sender's address; \"<>\": reports, which have no sender");
  sub.add_option("--destination", q.destination, "Only what goes to this domain");
  auto* held = sub.add_flag("--held", q.held, "Only what is held");
  sub.add_flag("--due", q.due, "Only what would be tried now if its server were there")->excludes(held);
  sub.add_option("--older", q.older, "Only what has waited for longer: 30m, 4h, 2d");
}

// Whom a user always allows, whom he blocks.
void add_senders(CLI::App& quarantine, CommandLine& line) {
  auto& q = line.quarantine;
  for (auto [action, description] : {std::pair{"allow", "Let a sender past the spam rules of a user"}, std::pair{"block", "Hold what a sender sends to a user"},
                                   std::pair{"forget", "Take a sender off the lists of a user"}}) {
    auto* sub = add_command(quarantine, action, description);
    sub->add_option("SENDER", q.sender, "Address in From, or a domain")->required();
    sub->add_option("--user", q.user, "Whose list")->required();
    sub->callback([&line, name = std::string(action)] {
      line.quarantine.action = name;
      line.run = [&line] { return admin::quarantine_command(line.global, line.quarantine); };
    });
  }
}

}  // namespace

CLI::App* add_command(CLI::App& parent, const char* name, const char* description) {
  auto* sub = parent.add_subcommand(name, description);
  sub->fallthrough();
  return sub;
}

void add_addresses(CLI::App& app, CommandLine& line) {
  auto* alias = add_command(app, "alias", "Addresses that lead to other addresses");
  alias->require_subcommand(1);
  for (auto [action, description] : {std::pair{"add", "Make an alias, or give it further targets"},
                                   std::pair{"remove", "Remove an alias, or some of its targets"},
                                   std::pair{"show", "Show an alias and whom it reaches in the end"},
                                   std::pair{"list", "List the aliases"}}) {
    auto* sub = add_command(*alias, action, description);
    std::string name = action;
    if (name != "list") sub->add_option("ADDRESS", line.alias.address, "The alias")->required();
    if (name == "add") sub->add_option("TARGET", line.alias.targets, "Users, aliases, or addresses outside")->required();
    if (name == "remove") sub->add_option("TARGET", line.alias.targets, "Only these; default: the whole alias");
    sub->callback([&line, name] {
      line.alias.action = name;
      line.run = [&line] { return admin::alias_command(line.global, line.alias); };
    });
  }
  auto* forward = add_command(app, "forward", "Mailboxes whose good mail is sent on");
  forward->require_subcommand(1);
  for (auto [action, description] : {std::pair{"set", "Send a user's good mail on to these addresses"},
                                   std::pair{"remove", "Send it on no more"}, std::pair{"list", "List what is sent on"}}) {
    auto* sub = add_command(*forward, action, description);
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

void add_lists(CLI::App& app, CommandLine& line) {
  auto* list = add_command(app, "list", "Mailing lists");
  list->require_subcommand(1);
  for (auto [action, description] : {std::pair{"add", "Make a mailing list"}, std::pair{"set", "Change its settings"},
                                   std::pair{"remove", "Remove it"}, std::pair{"show", "Show its settings and its members"},
                                   std::pair{"list", "List the mailing lists"},
                                   std::pair{"subscribe", "Add members, or give those whose mail came back another try"},
                                   std::pair{"unsubscribe", "Remove members"}}) {
    auto* sub = add_command(*list, action, description);
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
  auto* quarantine = add_command(app, "quarantine", "What is held, for all users");
  quarantine->require_subcommand(1);
  auto& q = line.quarantine;
  for (auto [action, description] : {std::pair{"list", "List held messages"}, std::pair{"show", "Show a held message"},
                                   std::pair{"release", "Deliver a held message to the INBOX"},
                                   std::pair{"delete", "Delete a held message for good"}}) {
    auto* sub = add_command(*quarantine, action, description);
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
  auto* digest = add_command(*quarantine, "digest", "What is new in a user's quarantine, as the digest mail would tell him");
  digest->add_option("USER", line.digest.user, "user@domain")->required();
  auto* now = digest->add_flag("--now", line.digest.now, "Send it to him now");
  digest->add_flag("--print", line.digest.print, "Only print it, with links that work; this is the default")->excludes(now);
  digest->callback([&line] { line.run = [&line] { return admin::digest_command(line.global, line.digest); }; });
  add_senders(*quarantine, line);
}

void add_queue(CLI::App& app, CommandLine& line) {
  auto* queue = add_command(app, "queue", "What waits to be sent on, and why");
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
    auto* sub = add_command(*queue, action, description);
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

void add_suppression(CLI::App& app, CommandLine& line) {
  auto* suppression = add_command(app, "suppression", "Addresses elsewhere to which users may not send: they bounced, complained, or you say so");
  suppression->require_subcommand(1);
  auto& s = line.suppression;
  for (auto [action, description] : {std::pair{"list", "List them, with what the remote said last"}, std::pair{"add", "Let nobody, or one user, send to an address"},
                                     std::pair{"remove", "Let them send there again, and forget its bounces"}}) {
    auto* sub = add_command(*suppression, action, description);
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

void add_trace(CLI::App& app, CommandLine& line) {
  auto* why = add_command(app, "why", "Tell the life of a message, or why something was refused");
  why->add_option("ID", line.why_id, "The id in X-Postern-Verdict, in an SMTP reply or in the log; or a Message-ID")->required();
  why->callback([&line] { line.run = [&line] { return admin::why_command(line.global, line.why_id); }; });

  auto* trace = add_command(app, "trace", "Find messages and refusals, the newest first; what is asked for together must hold together");
  auto& t = line.trace;
  trace->add_option("--from", t.from, "The sender, of the envelope or in From: user@domain, @domain, or @.domain with all below it");
  trace->add_option("--to", t.to, "A recipient, likewise");
  trace->add_option("--subject", t.subject, "Words of the subject; case and marks make no difference, and with * the end of a word may be left out");
  trace->add_option("--ip", t.ip, "The client's address or network: 192.0.2.7, 192.0.2.0/24");
  trace->add_option("--message-id", t.message_id, "The Message-ID");
  trace->add_option("--since", t.since, "No older: 2h, 7d, 2026-12-01, \"2026-12-01 15:04\" (UTC); default: as far back as is remembered");
  trace->add_option("--until", t.until, "Older than that");
  trace->add_option("--limit", t.limit, "So many at most")->capture_default_str()->check(CLI::Range(1, 10000));
  trace->callback([&line] { line.run = [&line] { return admin::trace_command(line.global, line.trace); }; });
}

}  // namespace postern
