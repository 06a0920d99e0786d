// SpamAssassin's eval functions and the facts of ours that answer them.
#include "filters/sa_eval.h"

#include <array>
#include <utility>
#include <vector>

#include "gateway/base/text.h"

namespace postern::filters::sa {
namespace {

struct Equal {
  std::string_view call;     // without white space; with its arguments where they matter
  std::string_view lua;
};

constexpr Equal kEqual[] = {
    {"check_for_spf_pass()", "mail.spf.result == \"pass\""},
    {"check_for_spf_fail()", "mail.spf.result == \"fail\""},
    {"check_for_spf_softfail()", "mail.spf.result == \"softfail\""},
    {"check_for_spf_neutral()", "mail.spf.result == \"neutral\""},
    {"check_for_spf_none()", "mail.spf.result == \"none\""},
    {"check_for_spf_permerror()", "mail.spf.result == \"permerror\""},
    {"check_for_spf_temperror()", "mail.spf.result == \"temperror\""},
    {"check_dkim_signed()", "#mail.dkim > 0"},
    {"check_dkim_valid()", "mail.dkim.result == \"pass\""},
    {"check_dkim_valid_author_sig()", "mail.dmarc.dkim_aligned"},
    {"check_dmarc_pass()", "mail.dmarc.result == \"pass\""},
    {"check_dmarc_reject()", "mail.dmarc.result == \"fail\" and mail.dmarc.policy == \"reject\""},
    {"check_dmarc_quarantine()", "mail.dmarc.result == \"fail\" and mail.dmarc.policy == \"quarantine\""},
    {"check_dmarc_none()", "mail.dmarc.result == \"fail\" and mail.dmarc.policy == \"none\""},
    {"check_dmarc_missing()", "mail.dmarc.result == \"none\""},
    {"check_for_no_rdns_dotcom_helo()", "mail.conn.ptr == \"\" and mail.conn.helo:lower():find(\"%.com$\") ~= nil"},
    {"check_for_missing_to_header()", "not mail.header[\"To\"]"},
    {"subject_is_all_caps()", "sa.all_caps(mail.subject)"},
    {"check_for_to_in_subject()", "sa.recipient_in(mail, mail.subject)"},
    {"check_for_to_in_subject('user')", "sa.recipient_in(mail, mail.subject)"},
    {"check_for_to_in_subject('address')", "sa.recipient_in(mail, mail.subject, true)"},
    {"check_fromname_equals_to()", "sa.from_name_is_recipient(mail)"},
    {"check_equal_from_domains()", "mail.sender_domain ~= \"\" and mail.sender_domain == mail.from_domain"},
    {"check_no_relays()", "not mail.header[\"Received\"]"},
    {"check_microsoft_executable()", "sa.attached(mail, \"%.exe$\")"},
    {"check_for_unique_subject_id()", "sa.ends_with_id(mail.subject)"},
    {"check_for_mime('mime_attachment')", "#mail.attachments > 0"},
    {"check_all_trusted()", "mail.conn.trusted"},
    {"check_for_matching_env_and_hdr_from()", "mail.sender ~= \"\" and mail.sender:lower() == mail.from:lower()"},
    {"check_for_mime_html()", "sa.has_part(mail, \"text/html\")"},
    {"html_test('html')", "sa.has_part(mail, \"text/html\")"},
    {"check_for_mime_html_only()", "sa.has_part(mail, \"text/html\") and not sa.has_part(mail, \"text/plain\")"},
    {"check_for_missing_from_header()", "not mail.header[\"From\"]"},
};

struct Instead {
  std::string_view begin;
  std::string_view what;
};
constexpr Instead kInstead[] = {
    {"check_rbl", "use dns.listed(mail.conn.ip, \"LIST\") in a rule"},
    {"check_uridnsbl", "use dns.listed(link.host, \"LIST\") in a rule"},
    {"check_bayes", "Postern's own Bayes takes its place"},
    {"check_welcomelist", "use list \"lists/NAME.txt\""},
    {"check_from_in", "use list \"lists/NAME.txt\" or the users' own lists"},
    {"check_to_in", "use list \"lists/NAME.txt\" or the users' own lists"},
    {"check_uri_host", "use list \"lists/NAME.txt\" over mail.links"},
    {"check_freemail", "use list \"lists/freemail.txt\" with mail.from_domain and Reply-To"},
    {"check_for_spf_helo", "SPF of HELO is no fact of ours"},
    {"html_", "the structure of HTML is no fact of ours yet"},
    {"check_pyzor", "another service"},
    {"check_razor", "another service"},
    {"check_dcc", "another service"},
};

// Without white space and with simple quotes only.
std::string plain(std::string_view call) {
  std::string out;
  for (char c : call) {
    if (c == ' ' || c == '\t') continue;
    out += c == '"' ? '\'' : c;
  }
  return out;
}

// check_header_count_range('Received', '0', '2') -> "Received", "0", "2"
std::vector<std::string> arguments(std::string_view call) {
  std::vector<std::string> out;
  auto open = call.find('('), close = call.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return out;
  for (std::string_view one : split(call.substr(open + 1, close - open - 1), ',')) {
    while (one.starts_with('\'')) one.remove_prefix(1);
    while (one.ends_with('\'')) one.remove_suffix(1);
    out.emplace_back(one);
  }
  return out;
}

bool all_digits(std::string_view text) { return !text.empty() && text.size() < 9 && text.find_first_not_of("0123456789") == std::string_view::npos; }

bool is_field_name(std::string_view text) {
  for (char c : text) {
    if (!is_alpha(c) && !is_digit(c) && c != '-') return false;
  }
  return !text.empty();
}

}  // namespace

Result<std::string> translate_eval(std::string_view call) {
  std::string wanted = plain(call);
  for (const Equal& one : kEqual) {
    if (wanted == one.call) return std::string(one.lua);
  }
  auto given = arguments(wanted);
  if (wanted.starts_with("check_header_count_range(") && given.size() == 3 && is_field_name(given[0]) && all_digits(given[1]) && all_digits(given[2])) {
    return "sa.between(#mail.header(\"" + given[0] + "\"), " + given[1] + ", " + given[2] + ")";
  }
  if (wanted.starts_with("check_body_length(") && given.size() == 1 && all_digits(given[0])) return "#mail.paragraphs <= " + given[0];
  if (wanted.starts_with("check_for_shifted_date(") && given.size() == 2) {
    // Hours: 'undef' is no limit.
    for (auto& one : given) {
      if (one == "undef" || one.empty()) one = "nil";
      else if (!all_digits(one.starts_with('-') ? std::string_view(one).substr(1) : std::string_view(one))) return Error("its hours are not understood");
    }
    return "sa.shifted_date(mail, " + given[0] + ", " + given[1] + ")";
  }
  std::string name = wanted.substr(0, wanted.find('('));
  for (const Instead& one : kInstead) {
    if (name.starts_with(one.begin)) return Error("eval:" + printable(name, 60) + " has no equal here; " + std::string(one.what));
  }
  return Error("eval:" + printable(name, 60) + " has no equal here");
}

}  // namespace postern::filters::sa
