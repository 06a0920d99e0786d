// Header signs: the mail program as it names itself, against what it really writes; bulk mail and what belongs to it.
// RFC 2369, RFC 2919, RFC 3834, RFC 8058.
#include <algorithm>

#include "filters/header_reading.h"
#include "gateway/base/digits.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

enum class Mailer { none, outlook_express, outlook, thunderbird, apple_mail, the_bat, other };

Mailer mailer_of(std::string_view name) {
  auto says = [&](std::string_view word) { return ifind(name, word) != std::string_view::npos; };
  if (name.empty()) return Mailer::none;
  if (says("outlook express") || says("windows mail")) return Mailer::outlook_express;
  if (istarts_with(name, "microsoft outlook") || istarts_with(name, "microsoft office outlook")) return says("macintosh") || says("mac ") || says("cws") || says("imo") ? Mailer::other : Mailer::outlook;
  if (says("thunderbird")) return Mailer::thunderbird;
  if (istarts_with(name, "apple mail") || istarts_with(name, "iphone mail") || istarts_with(name, "ipad mail")) return Mailer::apple_mail;
  if (istarts_with(name, "the bat!")) return Mailer::the_bat;
  return Mailer::other;
}

bool all_hex(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return hex_value(c) >= 0; }); }
bool all_digits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

bool is_uuid(std::string_view text) {
  auto parts = split(text, '-');
  constexpr std::array<std::size_t, 5> kSizes = {8, 4, 4, 4, 12};
  if (parts.size() != kSizes.size()) return false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].size() != kSizes[i] || !all_hex(parts[i])) return false;
  }
  return true;
}

// "000701c248f5$1cd98500$508827d9"
bool is_outlook_id(std::string_view left) {
  auto parts = split(left, '$');
  if (parts.size() < 3 || parts.size() > 4) return false;
  if (parts.size() == 4 && !parts.back().empty()) return all_hex(parts[0]);   // Outlook 98 and others put words behind
  return (parts[0].size() == 12 || parts[0].size() == 8) && all_hex(parts[0]) && parts[1].size() == 8 && all_hex(parts[1]) && all_hex(parts[2]);
}

// Whether that program writes such a left side.  Servers put an id of theirs where there was none: `added` lets those pass.
bool fits(Mailer mailer, std::string_view left) {
  switch (mailer) {
    case Mailer::outlook_express: return is_outlook_id(left);
    case Mailer::outlook: return is_outlook_id(left) || left.size() >= 24;   // through Exchange: long ids of its own
    case Mailer::thunderbird: {
      if (is_uuid(left)) return true;
      auto parts = split(left, '.');
      return parts.size() == 2 && all_hex(parts[0]) && parts[0].size() == 8 && all_digits(parts[1]);
    }
    case Mailer::apple_mail: return is_uuid(left) || left.find("-11d") != std::string_view::npos;
    case Mailer::the_bat: {
      auto parts = split(left, '.');
      return parts.size() == 2 && all_digits(parts[0]) && all_digits(parts[1]) && parts[1].size() == 14;
    }
    default: return true;
  }
}

bool boundary_fits(Mailer mailer, std::string_view boundary) {
  if (boundary.starts_with("===============")) return true;   // Mailman puts one of its own around what it adds to
  switch (mailer) {
    case Mailer::outlook_express: return boundary.starts_with("----=_NextPart_");
    case Mailer::outlook: return boundary.starts_with("----=_NextPart_") || boundary.starts_with("_00");
    case Mailer::thunderbird: return boundary.starts_with("------------");
    case Mailer::apple_mail: return boundary.starts_with("Apple-Mail");
    case Mailer::the_bat: return boundary.starts_with("----------");
    default: return true;
  }
}

bool is_gibberish(std::string_view name) {
  std::size_t letters = 0, vowels = 0;
  for (char c : name) {
    if (!is_alpha(c)) continue;
    ++letters;
    if (std::string_view("aeiouyAEIOUY").find(c) != std::string_view::npos) ++vowels;
  }
  return letters == 0 || (letters >= 6 && vowels == 0);
}

bool is_script(std::string_view name) {
  constexpr std::array<std::string_view, 10> kScripts = {"php", "swiftmailer", "nodemailer", "python", "perl", "mime::lite", "javamail", "libcurl", "curl", "leaf "};
  return std::any_of(kScripts.begin(), kScripts.end(), [&](std::string_view word) { return ifind(name, word) != std::string_view::npos; });
}

bool holds_web_link(std::string_view list) { return ifind(list, "<https://") != std::string_view::npos; }

// The domains that one leaves at: of <mailto:a@domain> and <https://host/...>.
std::vector<std::string> unsubscribe_orgs(std::string_view raw) {
  constexpr std::size_t kMaxLinks = 10;
  std::vector<std::string> out;
  std::string line = mail::unfolded(raw);
  for (std::size_t open = line.find('<'); open != std::string::npos && out.size() < kMaxLinks; open = line.find('<', open + 1)) {
    std::size_t close = line.find('>', open);
    if (close == std::string::npos) break;
    std::string_view link = std::string_view(line).substr(open + 1, close - open - 1);
    if (istarts_with(link, "mailto:")) {
      out.push_back(org_of(domain_of_address(link.substr(0, link.find('?')))));
    } else if (std::size_t slashes = link.find("://"); slashes != std::string_view::npos) {
      std::string_view host = link.substr(slashes + 3);
      host = host.substr(0, host.find_first_of("/?#:"));
      out.push_back(org_of(host));
    }
  }
  return out;
}

// 1 urgent, 0 nothing said or normal, -1 not urgent.
int x_priority(std::string_view value) { return value.empty() || !is_digit(value.front()) ? 0 : value.front() < '3' ? 1 : value.front() == '3' ? 0 : -1; }
int named_priority(std::string_view value) { return iequals(value, "high") || iequals(value, "urgent") ? 1 : iequals(value, "low") ? -1 : 0; }

}  // namespace

void find_mailer_signs(HeaderReading& reading) {
  HeaderSigns& signs = reading.signs;
  constexpr std::size_t kMaxName = 200;
  std::string x_mailer = reading.line(Known::x_mailer).substr(0, kMaxName), agent = reading.line(Known::user_agent).substr(0, kMaxName);
  std::string name = x_mailer.empty() ? agent : x_mailer;
  Mailer mailer = mailer_of(name);
  signs.set(HeaderSign::mailer_script, is_script(name));
  std::string first_word(words(x_mailer).empty() ? std::string_view() : words(x_mailer).front());
  signs.set(HeaderSign::mailer_two_names, !x_mailer.empty() && !agent.empty() && ifind(agent, first_word) == std::string_view::npos);
  signs.set(HeaderSign::mailer_gibberish, !name.empty() && is_gibberish(name));
  std::size_t at = reading.message_id.rfind('@');
  std::string_view left = std::string_view(reading.message_id).substr(0, at == std::string::npos ? reading.message_id.size() : at);
  signs.set(HeaderSign::mailer_false_message_id, reading.has(Known::message_id) && !fits(mailer, left));
  // A mailing list makes a multipart of its own around the message: the list's boundary is no lie of the writer's.
  const mail::Part& root = reading.table.root();
  bool list = reading.has(Known::list_id) || reading.has(Known::precedence);
  bool multipart = root.kind == mail::Part::Kind::multipart;
  signs.set(HeaderSign::mailer_false_boundary, multipart && !list && !boundary_fits(mailer, root.type.parameters.plain("boundary")));
  signs.set(HeaderSign::mailer_false_html, root.is("text", "html") && (mailer == Mailer::outlook_express || mailer == Mailer::outlook || mailer == Mailer::apple_mail));
  reading.set_missing(HeaderSign::mailer_no_mimeole, reading.has(Known::x_msmail_priority) && !reading.has(Known::x_mimeole) && mailer != Mailer::outlook);
  reading.set_missing(HeaderSign::mailer_no_thread_index, mailer == Mailer::outlook && !reading.has(Known::thread_index) && !reading.has(Known::x_mimeole));
  std::string script = reading.line(Known::x_php_script) + ' ' + reading.line(Known::x_php_originating_script);
  signs.set(HeaderSign::php_script, script.size() > 1);
  signs.set(HeaderSign::php_eval, script.find("eval()'d") != std::string::npos);
  std::array<int, 3> urgent = {x_priority(reading.line(Known::x_priority)), named_priority(reading.line(Known::x_msmail_priority)), named_priority(reading.line(Known::importance))};
  signs.set(HeaderSign::priority_high, std::find(urgent.begin(), urgent.end(), 1) != urgent.end());
  signs.set(HeaderSign::priority_contradiction, *std::max_element(urgent.begin(), urgent.end()) == 1 && *std::min_element(urgent.begin(), urgent.end()) == -1);
}

void find_bulk_signs(HeaderReading& reading) {
  HeaderSigns& signs = reading.signs;
  std::string precedence = ascii_lowered(reading.line(Known::precedence));
  bool bulk = precedence == "bulk" || precedence == "list" || precedence == "junk";
  bool unsubscribe = reading.has(Known::list_unsubscribe);
  signs.set(HeaderSign::bulk_precedence, bulk);
  signs.set(HeaderSign::list_message, reading.has(Known::list_id));
  signs.set(HeaderSign::list_unsubscribe, unsubscribe);
  bool one_click = ifind(reading.line(Known::list_unsubscribe_post), "one-click") != std::string_view::npos;
  signs.set(HeaderSign::list_one_click, one_click && unsubscribe);
  signs.set(HeaderSign::feedback_id, reading.has(Known::feedback_id));
  std::string automatic = ascii_lowered(reading.line(Known::auto_submitted));
  signs.set(HeaderSign::auto_submitted, !automatic.empty() && automatic != "no");
  reading.set_missing(HeaderSign::bulk_no_unsubscribe, bulk && automatic.empty() && !unsubscribe && !reading.has(Known::list_id));
  auto orgs = unsubscribe_orgs(reading.raw(Known::list_unsubscribe));
  signs.set(HeaderSign::unsubscribe_malformed, unsubscribe && orgs.empty());
  auto related = [&](const std::string& org) { return org == reading.from_org || org == reading.envelope_org; };
  signs.set(HeaderSign::unsubscribe_other_domain, !orgs.empty() && std::none_of(orgs.begin(), orgs.end(), related));
  signs.set(HeaderSign::one_click_alone, reading.has(Known::list_unsubscribe_post) && !holds_web_link(mail::unfolded(reading.raw(Known::list_unsubscribe))));
  bool flagged = istarts_with(reading.line(Known::x_spam_flag), "yes") || istarts_with(reading.line(Known::x_spam_status), "yes");
  signs.set(HeaderSign::filter_verdict_kept, flagged);
}

}  // namespace postern::filters
