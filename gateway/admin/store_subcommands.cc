// user, quarantine, status: what is asked of the running server, or of the store when none runs.
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "gateway/admin/asking.h"
#include "gateway/admin/control.h"
#include "gateway/admin/output.h"
#include "gateway/admin/subcommands.h"
#include "gateway/base/text.h"
#include "gateway/config/config.h"

namespace postern::admin {
namespace {

using nlohmann::json;

std::string read_line_without_echo(const char* prompt) {
  std::fputs(prompt, stderr);
  termios old{};
  bool terminal = tcgetattr(STDIN_FILENO, &old) == 0;
  if (terminal) {
    termios silent = old;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &silent);
  }
  std::string line;
  std::getline(std::cin, line);
  if (terminal) {
    tcsetattr(STDIN_FILENO, TCSANOW, &old);
    std::fputs("\n", stderr);
  }
  return line;
}

// Nothing after the mistake was printed.
std::optional<std::string> ask_password(bool from_stdin) {
  std::string password;
  if (from_stdin) {
    if (!std::getline(std::cin, password)) {
      complain("no password on standard input");
      return std::nullopt;
    }
    if (!password.empty() && password.back() == '\r') password.pop_back();
    return password;
  }
  if (isatty(STDIN_FILENO) == 0) {
    complain("standard input is no terminal; give the password with --password-stdin");
    return std::nullopt;
  }
  password = read_line_without_echo("Password: ");
  if (read_line_without_echo("Again: ") != password) {
    complain("the two passwords differ");
    return std::nullopt;
  }
  return password;
}

void print_held(const json& row) {
  print_table({"id", "user", "class", "score", "reason"}, json::array({row}));
  auto text = row.value("text", "");
  print("\n" + tame(text) + "\n");
  if (row.value("cut", false)) print("(the first " + std::to_string(text.size()) + " of " + row["size"].dump() + " octets)\n");
}

// The rows of an answer that may come in pages; with --json they are printed as they come.
int ask_for_pages(const Global& global, const config::Config& config, json request, json& rows) {
  for (bool more = true; more;) {
    auto answer = run_anywhere(config, request);
    if (int status = finish(global, answer); status != 0) return status;
    for (auto& row : answer["rows"]) {
      if (global.json) print_json(row);
      else rows.push_back(std::move(row));
    }
    more = answer.contains("next");
    if (more) request["from"] = answer["next"];
  }
  return 0;
}

// What became of what a user had in Held.
void print_sending(const json& answer) {
  if (answer.contains("sent")) print("Sent: " + answer["sent"].dump() + "\n");
  if (answer.value("viruses", 0) > 0) print("Still held, because of a virus: " + answer["viruses"].dump() + "\n");
  if (answer.contains("discarded")) print("Moved to Trash: " + answer["discarded"].dump() + "\n");
}

std::string spelled(const json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

// "antivirus.phase  ready": nested objects as dotted names.
void print_status(const json& value, const std::string& prefix) {
  for (const auto& [key, item] : value.items()) {
    if (prefix.empty() && key == "ok") continue;
    std::string name = prefix.empty() ? key : prefix + "." + key;
    if (item.is_object()) {
      print_status(item, name);
    } else {
      name.resize(std::max<std::size_t>(name.size(), 32), ' ');
      print(name + "  " + printable(spelled(item), 500) + "\n");
    }
  }
}

// The octets of one message, as they are, to standard output.
int show_raw(const Global& global, const config::Config& config, json request) {
  std::uint64_t offset = 0;
  for (bool more = true; more;) {
    request["offset"] = offset;
    auto answer = run_anywhere(config, request);
    if (int status = finish(global, answer); status != 0) return status;
    const auto& row = answer["rows"][0];   // all copies have the same record; --user chooses one
    auto octets = from_base64(row.value("octets", ""));
    if (!octets || !row.contains("octets")) {
      complain(row.value("text", "the message cannot be read"));
      return 1;
    }
    print(*octets);
    offset += octets->size();
    more = row.value("more", false);
  }
  return 0;
}

void print_tls_report(const json& report) {
  for (const auto& entry : report["policies"]) {
    const auto& policy = entry["policy"];
    const auto& summary = entry["summary"];
    print(policy.value("policy-domain", "") + "  policy: " + policy.value("policy-type", "") + "  successful: " +
          summary["total-successful-session-count"].dump() + "  failed: " + summary["total-failure-session-count"].dump() + "\n");
    for (const auto& detail : entry.value("failure-details", json::array())) {
      auto reason = detail.value("failure-reason-code", "");
      print("    " + detail["failed-session-count"].dump() + "  " + detail.value("result-type", "") + "  " + detail.value("receiving-mx-hostname", "") + " [" +
            detail.value("receiving-ip", "") + "]" + (reason.empty() ? "" : "  " + reason) + "\n");
    }
  }
}

}  // namespace

int user_command(const Global& global, const UserArguments& arguments) {
  auto config = configuration(global);
  if (!config) return 2;
  json request{{"command", "user " + arguments.action}, {"address", arguments.address},
               {"admin", arguments.admin}, {"groups", arguments.groups}, {"reason", arguments.reason},
               {"deliver", arguments.deliver}, {"no_password", arguments.no_password},
               {"held", arguments.send ? "send" : arguments.discard ? "discard" : ""}};
  if ((arguments.action == "add" && !arguments.no_password) || arguments.action == "password") {
    auto password = ask_password(arguments.password_stdin);
    if (!password) return 2;
    request["password"] = *password;
  }
  auto answer = run_anywhere(*config, request);
  if (int status = finish(global, answer); status != 0) return status;
  bool senders = arguments.action == "lists";
  if (arguments.action != "list" && !senders) {
    answer.erase("ok");
    if (global.json) print_json(answer);
    else print_sending(answer);
    return 0;
  }
  if (global.json) {
    for (const auto& row : answer["rows"]) print_json(row);
  } else {
    const auto columns = senders ? std::vector<std::string>{"list", "sender"}
                                 : std::vector<std::string>{"user", "admin", "groups", "messages", "octets", "created", "deliver", "held", "stopped"};
    print_table(columns, answer["rows"]);
  }
  return 0;
}

int quarantine_command(const Global& global, const QuarantineArguments& arguments) {
  auto config = configuration(global);
  if (!config) return 2;
  json request{{"command", "quarantine " + arguments.action}, {"id", arguments.id}, {"user", arguments.user},
               {"class", arguments.message_class}, {"sender", arguments.sender}, {"raw", arguments.raw}, {"text", arguments.text}};
  for (auto [key, age] : {std::pair("older", &arguments.older), std::pair("newer", &arguments.newer)}) {
    auto milliseconds = age->empty() ? std::optional<std::int64_t>(0) : parse_milliseconds(*age);
    if (!milliseconds) {
      complain("--" + std::string(key) + " " + *age + ": no time such as \"7d\" or \"12h\"");
      return 2;
    }
    request[key] = *milliseconds;
  }
  bool changes = arguments.action == "release" || arguments.action == "delete";
  bool dry = changes && arguments.id.empty() && !arguments.yes;
  request["dry"] = dry;
  if (arguments.raw) return show_raw(global, *config, std::move(request));
  json rows = json::array();
  if (int status = ask_for_pages(global, *config, std::move(request), rows); status != 0) return status;
  if (global.json) return 0;
  if (arguments.action == "show") {
    for (const auto& row : rows) print_held(row);
    return 0;
  }
  if (changes) {
    auto word = std::string(dry ? "would be " : "") + (arguments.action == "release" ? "released" : "deleted");
    print(std::to_string(rows.size()) + (rows.size() == 1 ? " message " : " messages ") + word + (dry ? "; with --yes they are" : "") + ".\n");
    return 0;
  }
  bool edits = arguments.action == "allow" || arguments.action == "block" || arguments.action == "forget";
  if (edits) return 0;
  print_table({"id", "user", "class", "score", "date", "sender", "subject", "reason"}, rows);
  return 0;
}

int tlsrpt_command(const Global& global, const std::string& day) {
  auto config = configuration(global);
  if (!config) return 2;
  auto answer = run_anywhere(*config, {{"command", "tlsrpt"}, {"day", day}});
  if (int status = finish(global, answer); status != 0) return status;
  for (const auto& report : answer["rows"]) {
    if (global.json) print_json(report);
    else print_tls_report(report);
  }
  if (answer["rows"].empty() && !global.json) print("No mail went to another domain's hosts.\n");
  return 0;
}

int status_command(const Global& global) {
  auto config = configuration(global);
  if (!config) return 2;
  auto answer = run_anywhere(*config, {{"command", "status"}});
  if (int status = finish(global, answer); status != 0) return status;
  answer.erase("ok");
  if (global.json) {
    print_json(answer);
  } else {
    print_status(answer, "");
  }
  return 0;
}

// The server does it, or nobody: there is nothing to reload in a store.
int reload_command(const Global& global) {
  auto config = configuration(global);
  if (!config) return 2;
  auto answer = ask_server(config->data, {{"command", "reload"}});
  if (!answer) answer = failure("no server runs");
  bool ok = answer->value("ok", false);
  if (global.json) {
    print_json(*answer);
    return ok ? 0 : 1;
  }
  for (const auto& warning : answer->value("warnings", std::vector<std::string>())) print("warning: " + warning + "\n");
  for (const auto& mistake : answer->value("mistakes", std::vector<std::string>())) print(mistake + "\n");
  if (answer->contains("error")) complain(answer->value("error", ""));
  if (ok) print("Reloaded.\n");
  return ok ? 0 : 1;
}

}  // namespace postern::admin
