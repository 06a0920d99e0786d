// The words of the digest, twice: as text and as HTML, in English and in Vietnamese.
#include "gateway/delivery/digest_text.h"

#include <cstdio>
#include <ctime>

#include "gateway/base/text.h"
#include "gateway/delivery/link_release.h"
#include "gateway/mail/encoded_word.h"
#include "gateway/mail/html.h"

namespace postern::delivery {
namespace {

constexpr std::size_t kShown = 160;   // octets of what a stranger wrote

struct Words {
  const char *gateway, *subject_one, *subject_many, *held_for, *moving, *from, *sender, *date, *score, *reason, *release, *by_mail, *or_write_to;
  const char *no_subject, *more, *how_both, *how_mail, *until, *secret;
};

constexpr Words kEnglish{
    "Mail gateway",
    "1 new message in your quarantine",
    " new messages in your quarantine",
    "These messages were held and not delivered: ",
    "They lie in the folder Quarantine; in a mail program that shows it, moving one to INBOX releases it.",
    "From", "Sender", "Date", "Score", "Reason", "Release", "Release by mail", "or write to",
    "(no subject)",
    " more are new; they are in the folder Quarantine.",
    "To release a message open its link and confirm, or send any mail to its address.",
    "To release a message send any mail to its address.",
    "This can be done until ",
    "Whoever has this mail can do it: do not pass it on."};

constexpr Words kVietnamese{
    "Cổng thư",
    "1 thư mới trong khu cách ly của bạn",
    " thư mới trong khu cách ly của bạn",
    "Những thư sau đã bị giữ lại, chưa được chuyển đến: ",
    "Thư nằm trong thư mục Quarantine; trong chương trình thư có hiện thư mục này, chuyển một thư sang INBOX là cho thư đó qua.",
    "Từ", "Người gửi", "Ngày", "Điểm", "Lý do", "Cho qua", "Cho qua bằng thư", "hoặc gửi thư đến",
    "(không có tiêu đề)",
    " thư mới khác nằm trong thư mục Quarantine.",
    "Để cho một thư qua, hãy mở liên kết của thư rồi xác nhận, hoặc gửi một thư bất kỳ đến địa chỉ đi kèm.",
    "Để cho một thư qua, hãy gửi một thư bất kỳ đến địa chỉ đi kèm.",
    "Có thể làm việc này đến ",
    "Ai có thư này cũng làm được: xin đừng chuyển tiếp."};

const Words& words_of(const DigestMail& mail) { return mail.language == config::Language::vietnamese ? kVietnamese : kEnglish; }

std::string number(double value) {
  char out[32];
  std::snprintf(out, sizeof out, "%.1f", value);
  return out;
}

std::string link_of(const DigestMail& mail, const DigestLine& line) { return mail.public_url.empty() ? "" : mail.public_url + "/release/" + line.token; }

std::string address_of(const DigestMail& mail, const DigestLine& line) {
  auto local = release_local_part(line.token);
  return local.empty() ? "" : local + "@" + mail.reply_domain;
}

std::string subject_of(const DigestMail& mail) {
  const auto& words = words_of(mail);
  auto count = mail.lines.size() + mail.more;
  return count == 1 ? words.subject_one : std::to_string(count) + words.subject_many;
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  for (auto at = ifind(text, what); at != std::string::npos; at = ifind(text, what, at + with.size())) text.replace(at, what.size(), with);
  return text;
}

// U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069: what makes text look as if it were another.
bool turns_direction(std::string_view three) {
  auto last = static_cast<unsigned char>(three[2]);
  if (three.starts_with("\xe2\x80")) return last == 0x8e || last == 0x8f || (last >= 0xa8 && last <= 0xae);
  return three.starts_with("\xe2\x81") && last >= 0xa6 && last <= 0xa9;
}

std::string html_of(const DigestMail& mail) {
  const auto& words = words_of(mail);
  auto said = [](const std::string& text) { return mail::html_escaped(text); };
  std::string out = "<!DOCTYPE html><html lang=\"" + std::string(mail.language == config::Language::vietnamese ? "vi" : "en") + "\"><head><meta charset=\"utf-8\"></head><body>\r\n";
  out += "<p>" + said(words.held_for + mail.user + ".") + "<br>" + said(words.moving) + "</p>\r\n<table cellpadding=\"6\">\r\n";
  for (const auto& line : mail.lines) {
    auto subject = tamed(line.subject);
    out += "<tr valign=\"top\"><td><b>" + said(subject.empty() ? words.no_subject : subject) + "</b><br>" + said(std::string(words.from) + ": " + tamed(line.from)) + "<br>";
    if (ifind(line.from, line.sender) == std::string::npos) out += said(std::string(words.sender) + ": " + tamed(line.sender)) + "<br>";
    out += said(std::string(words.date) + ": " + shown_date(line.date)) + "<br>";
    out += said(std::string(words.score) + ": " + number(line.score) + " (" + line.message_class + ")") + "<br>" + said(std::string(words.reason) + ": " + tamed(line.reason)) + "</td><td>";
    auto link = link_of(mail, line);
    auto address = address_of(mail, line);
    if (!link.empty()) out += "<a href=\"" + said(link) + "\">" + words.release + "</a><br>";
    if (!address.empty()) out += "<a href=\"mailto:" + said(address) + "\">" + words.by_mail + "</a>";
    out += "</td></tr>\r\n";
  }
  out += "</table>\r\n";
  if (mail.more > 0) out += "<p>" + said(std::to_string(mail.more) + words.more) + "</p>\r\n";
  out += "<p>" + said(mail.public_url.empty() ? words.how_mail : words.how_both) + "<br>" + said(words.until + shown_date(mail.valid_until) + ".") + " " + said(words.secret) + "</p>\r\n";
  return out + "</body></html>\r\n";
}

std::string part(const std::string& boundary, std::string_view type, std::string_view text) {
  return "--" + boundary + "\r\nContent-Type: " + std::string(type) + "; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64_lines(text);
}

}  // namespace

std::string tamed(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size() && out.size() < kShown; ++i) {
    auto octet = static_cast<unsigned char>(text[i]);
    if (i + 3 <= text.size() && octet == 0xe2 && turns_direction(std::string_view(text).substr(i, 3))) {
      i += 2;
      continue;
    }
    out += octet < 0x20 || octet == 0x7f ? ' ' : text[i];
  }
  bool cut = out.size() == kShown;
  while (cut && !out.empty() && !is_utf8(out)) out.pop_back();
  out = replaced(replaced(std::move(out), "://", ":_//"), "www.", "www_.");
  return std::string(trimmed(out)) + (cut ? "..." : "");
}

std::string shown_date(Time time) {
  auto seconds = static_cast<std::time_t>(to_unix(time));
  std::tm local{};
  char out[64] = "";
  if (::localtime_r(&seconds, &local) != nullptr) std::strftime(out, sizeof out, "%Y-%m-%d %H:%M %z", &local);   // no names of months: read alike in all languages
  return out;
}

std::string base64_lines(std::string_view octets) {
  constexpr std::size_t kLine = 76;
  auto text = base64(octets);
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += kLine) out += text.substr(at, kLine) + "\r\n";
  return out;
}

std::string digest_text(const DigestMail& mail) {
  const auto& words = words_of(mail);
  std::string out = std::string(words.held_for) + mail.user + ".\r\n" + words.moving + "\r\n\r\n";
  std::size_t count = 0;
  for (const auto& line : mail.lines) {
    auto subject = tamed(line.subject);
    out += std::to_string(++count) + ". " + (subject.empty() ? words.no_subject : subject) + "\r\n";
    out += std::string("   ") + words.from + ": " + tamed(line.from) + "\r\n";
    if (ifind(line.from, line.sender) == std::string::npos) out += std::string("   ") + words.sender + ": " + tamed(line.sender) + "\r\n";
    out += std::string("   ") + words.date + ": " + shown_date(line.date) + "\r\n";
    out += std::string("   ") + words.score + ": " + number(line.score) + " (" + line.message_class + ")\r\n";
    out += std::string("   ") + words.reason + ": " + tamed(line.reason) + "\r\n";
    auto link = link_of(mail, line);
    auto address = address_of(mail, line);
    if (!link.empty()) out += std::string("   ") + words.release + ": " + link + "\r\n";
    if (!address.empty()) out += std::string("   ") + (link.empty() ? words.release : words.or_write_to) + ": " + address + "\r\n";
    out += "\r\n";
  }
  if (mail.more > 0) out += std::to_string(mail.more) + words.more + "\r\n\r\n";
  out += std::string(mail.public_url.empty() ? words.how_mail : words.how_both) + "\r\n" + words.until + shown_date(mail.valid_until) + ".\r\n" + words.secret + "\r\n";
  return out;
}

std::string digest_message(const DigestMail& mail) {
  auto boundary = "digest-" + mail.id;   // base 64 has no '-'
  std::string out = "From: " + mail::encode_words(words_of(mail).gateway) + " <postmaster@" + mail.hostname + ">\r\n";
  out += "To: <" + mail.user + ">\r\nDate: " + rfc5322_date(mail.when) + "\r\nMessage-ID: <" + mail.id + ".digest@" + mail.hostname + ">\r\n";
  out += "Subject: " + mail::encode_words(subject_of(mail)) + "\r\nAuto-Submitted: auto-generated\r\n";
  out += "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"" + boundary + "\"\r\n\r\n";
  out += part(boundary, "text/plain", digest_text(mail)) + part(boundary, "text/html", html_of(mail));
  return out + "--" + boundary + "--\r\n";
}

}  // namespace postern::delivery
