// user, quarantine, status: what is asked of the running server, or of the store when none runs.
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "gateway/admin/control.h"
#include "gateway/admin/output.h"
#include "gateway/admin/subcommands.h"
#include "gateway/base/text.h"
#include "gateway/config/config.h"

namespace postern::admin {
namespace {

using nlohmann::json;

// The configuration, or nothing after its mistakes were printed.
std::optional<config::Config> configuration(const Global& global) {
  auto loaded = config::load(global.config);
  for (const auto& mistake : loaded.mistakes) complain(mistake);
  if (!loaded.ok()) return std::nullopt;
  return std::move(loaded.config);
}

// Exit status; a failure is printed.
int finish(const Global& global, const json& answer) {
  bool ok = answer.value("ok", false);
  if (!ok && !global.json) complain(answer.value("error", "it did not succeed"));
  if (!ok && global.json) print_json(answer);
  return ok ? 0 : 1;
}

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

// Octets of a stranger as text: what could drive the terminal is shown as '?'.
std::string tame(std::string text) {
  std::erase(text, '\r');
  for (char& c : text) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f) c = '?';
  }
  return text;
}

void print_held(const json& row) {
  print_table({"id", "user", "class", "score", "reason"}, json::array({row}));
  auto text = row.value("text", "");
  print("\n" + tame(text) + "\n");
  if (row.value("cut", false)) print("(the first " + std::to_string(text.size()) + " of " + row["size"].dump() + " octets)\n");
}

// One entry: what waits for whom, and why.
void print_queued(const json& row) {
  print(row.value("id", "") + "  " + row.value("message", "") + "  " + row.value("arrived", "") + "  " + row["size"].dump() + " octets  <" +
        printable(row.value("sender", ""), 320) + "> -> " + row.value("destination", "") + (row.value("held", false) ? "  HELD" : "") + "\n");
  auto why = row.value("why", "");
  if (!why.empty()) print("      " + printable(why, 600) + "\n");
  else print("      next attempt " + row.value("due", "") + ", " + row["attempts"].dump() + " made\n");
  for (const auto& recipient : row["recipients"]) {
    auto words = recipient.value("why", "");
    print("      to " + printable(recipient.value("address", ""), 320) + (words.empty() ? "" : ": " + printable(words, 600)) + "\n");
  }
  if (!row.contains("text")) return;
  print("\n" + tame(row.value("text", "")) + "\n");
  if (row.value("cut", false)) print("(cut)\n");
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

}  // namespace

int user_command(const Global& global, const UserArguments& arguments) {
  auto config = configuration(global);
  if (!config) return 2;
  json request{{"command", "user " + arguments.action}, {"address", arguments.address},
               {"admin", arguments.admin}, {"groups", arguments.groups}};
  if (arguments.action == "add" || arguments.action == "password") {
    auto password = ask_password(arguments.password_stdin);
    if (!password) return 2;
    request["password"] = *password;
  }
  auto answer = run_anywhere(*config, request);
  if (int status = finish(global, answer); status != 0) return status;
  bool senders = arguments.action == "lists";
  if (arguments.action != "list" && !senders) {
    if (global.json) print_json({{"user", answer["user"]}});
    return 0;
  }
  if (global.json) {
    for (const auto& row : answer["rows"]) print_json(row);
  } else {
    const auto columns = senders ? std::vector<std::string>{"list", "sender"}
                                 : std::vector<std::string>{"user", "admin", "groups", "messages", "octets", "created"};
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
    bool count_only = arguments.id.empty();
    if (count_only) print(std::to_string(rows.size()) + (rows.size() == 1 ? " message " : " messages ") + word + (dry ? "; with --yes they are" : "") + ".\n");
    if (count_only) return 0;
  }
  bool edits = arguments.action == "allow" || arguments.action == "block" || arguments.action == "forget";
  if (edits) return 0;
  print_table({"id", "user", "class", "score", "date", "sender", "subject", "reason"}, rows);
  return 0;
}

int queue_command(const Global& global, const QueueArguments& arguments) {
  auto config = configuration(global);
  if (!config) return 2;
  json rows = json::array();
  json request{{"command", "queue " + arguments.action}, {"id", arguments.id}, {"to", arguments.to}};
  if (int status = ask_for_pages(global, *config, std::move(request), rows); status != 0) return status;
  if (global.json) return 0;
  if (arguments.action == "list" || arguments.action == "show") {
    for (const auto& row : rows) print_queued(row);
    if (rows.empty()) print("Nothing waits.\n");
  }
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
