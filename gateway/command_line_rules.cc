// The command line of rules.
#include "gateway/command_line.h"

namespace postern {

void add_rules(CLI::App& app, CommandLine& line) {
  auto* rules = add_command(app, "rules", "The points of rules, and rules of other filters");
  rules->require_subcommand(1);
  auto* fit = add_command(*rules, "fit", "Fit the points of rules to sorted mail, and show the change as a diff");
  auto& f = line.fit;
  fit->add_option("CORPUS", f.corpus, "Folder with ham/ and spam/, and in these a folder for each set of mail: of one origin and time")->required();
  fit->add_option("--rules", f.rules, "Fit the rules of this folder instead of the configured one");
  fit->add_option("--junk", f.junk, "Points from which on mail is junk")->capture_default_str();
  fit->add_option("--ham-rate", f.ham_rate, "How much ham may get there at most, in %")->capture_default_str();
  fit->add_option("--most", f.most, "Points that one rule may give")->capture_default_str();
  fit->add_option("--step", f.step, "Points are multiples of it")->capture_default_str();
  fit->add_flag("--write", f.write, "Write the points into the rule files");
  fit->callback([&line] { line.run = [&line] { return admin::fit_command(line.global, line.fit); }; });

  auto* import = add_command(*rules, "import-sa", "Translate SpamAssassin's rules into a rule file; what cannot be translated is listed");
  auto& i = line.import_sa;
  import->add_option("FILE", i.files, "*.cf files, or folders with such, in the order in which SpamAssassin reads them")->required();
  import->add_option("--output", i.output, "The rule file to make, like rules/60-spamassassin.lua; default: standard output");
  import->add_option("--name", i.name, "Name of the rule that the file defines")->capture_default_str();
  import->add_option("--scores", i.score_set, "Which of four scores: 0 without, 1 with network tests, 2 with Bayes, 3 with both")->capture_default_str()->check(CLI::Range(0, 3));
  import->callback([&line] { line.run = [&line] { return admin::import_sa_command(line.global, line.import_sa); }; });
}

}  // namespace postern
