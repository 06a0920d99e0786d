// [submission]: how much a user of ours may send, and what is kept of it.
#include "gateway/config/submission.h"

#include "gateway/base/text.h"
#include "gateway/config/relay.h"

namespace postern::config {
namespace {

constexpr std::uint64_t kMany = 10'000'000;

void read_limits(Section& section, SendLimits& limits) {
  section.count("messages_per_hour", limits.messages_per_hour, kMany);
  section.count("recipients_per_hour", limits.recipients_per_hour, kMany);
  section.count("first_time_recipients_per_day", limits.first_time_recipients_per_day, kMany);
}

}  // namespace

const SendLimits& Submission::of(std::string_view account) const {
  auto own = users.find(account);
  return own == users.end() ? limits : own->second;
}

void read_submission(Section section, Submission& submission) {
  auto& report = section.report();
  read_limits(section, submission.limits);
  section.boolean("save_to_sent", submission.save_to_sent);
  const auto* users = section.table("users");
  for (const auto& member : users == nullptr ? std::vector<Member>{} : users->members) {
    std::string title = "[submission.users.\"" + printable(member.key, 80) + "\"]";
    auto at = member.key.rfind('@');
    auto domain = at == std::string::npos || at == 0 ? std::nullopt : canonical_domain(std::string_view(member.key).substr(at + 1));
    if (!domain) {
      report.mistake(member.line, title + ": that is no address such as \"scanner@corp.example\"; it needs the quotes");
      continue;
    }
    if (member.value.kind != Value::Kind::table) {
      report.mistake(member.line, title + " must be a section with limits");
      continue;
    }
    Section own(report, &member.value, title);
    SendLimits limits = submission.limits;   // what is not said there is as for everybody
    read_limits(own, limits);
    own.finish();
    auto address = ascii_lowered(member.key.substr(0, at + 1)) + *domain;
    if (!submission.users.emplace(address, limits).second) report.mistake(member.line, title + " is there twice");
    submission.lines.emplace(address, member.line);
  }
  section.finish({"hostname", "data", "rules", "user", "group", "postmaster", "public_url", "language"});
}

}  // namespace postern::config
