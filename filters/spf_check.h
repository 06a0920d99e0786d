#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "filters/spf.h"
#include "filters/spf_lookups.h"
#include "filters/spf_macro.h"
#include "filters/spf_record.h"

namespace postern::filters {

// One evaluation: the state that check_host() carries through includes and redirects.  Used by spf.cc alone.
class SpfCheck {
 public:
  SpfCheck(dns::Resolver& resolver, const SpfQuery& query, Deadline deadline, const SpfOptions& options);

  io::Task<Spf> run();

  // For the second opinion: the domains whose records were evaluated, with their records.
  const std::map<std::string, SpfRecord>& records() const { return records_; }
  const SpfLookups& lookups() const { return lookups_; }
  const MacroValues& values() const { return values_; }

 private:
  struct Outcome {
    SpfResult result = SpfResult::none;
    std::string problem;
    std::string mechanism;
    std::string explanation_domain;  // expanded, of the record that decided
    std::string decided_by;          // the domain of that record
  };
  enum class Match { no, yes, temperror, permerror };

  io::Task<Outcome> check_host(std::string domain);
  io::Task<Outcome> evaluate(std::string domain, const SpfRecord& record);
  io::Task<Outcome> redirected(std::string domain, const SpfRecord& record);
  io::Task<Match> matches(std::string domain, const SpfDirective& directive);
  io::Task<Match> matches_include(std::string target);
  io::Task<Match> matches_addresses(std::string target, const SpfDirective& directive);
  io::Task<Match> matches_mx(std::string target, const SpfDirective& directive);
  io::Task<Match> matches_ptr(std::string target);
  io::Task<Match> matches_exists(std::string target);
  io::Task<std::string> explain(std::string name, std::string domain);
  // The name that a domain-spec stands for while `domain` is checked; fetches %{p} if it is used.
  io::Task<std::string> target_of(std::string domain, std::string spec);
  io::Task<void> validate_names();

  bool count_term(std::string_view text);
  bool count_void(const dns::Answer& answer, std::string_view name);
  bool contains_client(const dns::Answer& answer, int prefix4, int prefix6) const;
  void speculate(const std::string& domain, const SpfRecord& record);
  void speculate_policy(const std::string& name);
  std::string quick_target(const std::string& domain, const std::string& spec);
  dns::Type address_type() const { return values_.ip.is_v4() ? dns::Type::a : dns::Type::aaaa; }

  SpfOptions options_;
  MacroValues values_;
  bool names_validated_ = false;
  int terms_ = 0;
  int voids_ = 0;
  int speculated_ = 0;
  std::string problem_;
  std::map<std::string, SpfRecord> records_;
  SpfLookups lookups_;  // last: its callbacks use what stands above
};

}  // namespace postern::filters
