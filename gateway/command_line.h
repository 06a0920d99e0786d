#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "gateway/admin/subcommands.h"

namespace postern {

// What stands on the command line, and what is to be done then.
struct CommandLine {
  admin::Global global;
  admin::CheckArguments check;
  std::string test_directory;
  std::string tlsrpt_day;
  admin::ExplainArguments explain;
  admin::FitArguments fit;
  admin::SpfArguments spf;
  admin::ImportSaArguments import_sa;
  admin::UserArguments user;
  admin::InviteArguments invite;
  admin::DigestArguments digest;
  admin::AliasArguments alias;
  admin::ForwardArguments forward;
  admin::ListArguments list;
  admin::QuarantineArguments quarantine;
  admin::QueueArguments queue;
  admin::SuppressionArguments suppression;
  std::string why_id;
  admin::TraceArguments trace;
  admin::ReplayArguments replay;
  admin::DkimArguments dkim;
  admin::DnsArguments dns;
  admin::BackupArguments backup;
  admin::RestoreArguments restore;
  std::function<int()> run;
};

// A subcommand.  --config and --json count before and after it.
CLI::App* add_command(CLI::App& parent, const char* name, const char* description);

void add_rules(CLI::App& app, CommandLine& line);   // command_line_rules.cc
// Addresses, lists, quarantine, queue, suppression, trace: command_line_mail.cc.
void add_addresses(CLI::App& app, CommandLine& line);
void add_lists(CLI::App& app, CommandLine& line);
void add_quarantine(CLI::App& app, CommandLine& line);
void add_queue(CLI::App& app, CommandLine& line);
void add_suppression(CLI::App& app, CommandLine& line);
void add_trace(CLI::App& app, CommandLine& line);

}  // namespace postern
