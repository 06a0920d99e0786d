// The command line of rules.
#include "gateway/command_line.h"

namespace postern {

void add_rules(CLI::App& app, CommandLine& line) {
  auto* rules = add_command(app, "rules", "Rules of other filters");
  rules->require_subcommand(1);
  auto* import = add_command(*rules, "import-sa", "Translate SpamAssassin's rules into a rule file; what cannot be translated is listed");
  auto& i = line.import_sa;
  import->add_option("FILE", i.files, "*.cf files, or folders with such, in the order in which SpamAssassin reads them")->required();
  import->add_option("--output", i.output, "The rule file to make, like rules/60-spamassassin.lua; default: standard output");
  import->add_option("--name", i.name, "Name of the rule that the file defines")->capture_default_str();
  import->add_option("--scores", i.score_set, "Which of four scores: 0 without, 1 with network tests, 2 with Bayes, 3 with both")->capture_default_str()->check(CLI::Range(0, 3));
  import->callback([&line] { line.run = [&line] { return admin::import_sa_command(line.global, line.import_sa); }; });
}

}  // namespace postern
