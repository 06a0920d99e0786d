#pragma once

#include <cstdint>
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
  std::string rules;
  bool no_learned = false;
};
int explain_command(const Global& global, const ExplainArguments& arguments);

struct SpfArguments {
  std::string ip, helo, from;
};
int spf_command(const Global& global, const SpfArguments& arguments);

struct UserArguments {
  std::string action;         // add, password, remove, list, lists, unban
  std::string address;
  bool password_stdin = false;
  bool admin = false;
  std::vector<std::string> groups;
};
int user_command(const Global& global, const UserArguments& arguments);

struct QuarantineArguments {
  std::string action;         // list, show, release, delete; allow, block, forget
  std::string id, user, message_class, sender;
  std::string older, newer;   // "7d"; "": any age
  bool yes = false;           // without an id: do it, instead of counting
  bool raw = false, text = false;
};
int quarantine_command(const Global& global, const QuarantineArguments& arguments);

struct QueueArguments {
  std::string action;         // list, show, retry, hold, delete
  std::string id, to;
};
int queue_command(const Global& global, const QueueArguments& arguments);

int status_command(const Global& global);

int reload_command(const Global& global);

}  // namespace postern::admin
