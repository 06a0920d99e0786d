// Releasing a held message from a browser.
#include "gateway/links/release_page.h"

#include <cstdio>

#include "gateway/base/log.h"
#include "gateway/delivery/digest_text.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/html.h"

namespace postern::links {
namespace {

using Found = delivery::LinkReleases::Found;
using Done = delivery::LinkReleases::Done;

Shown gone(config::Language language) {
  Shown out;
  out.language = language;
  out.title = in_language(language, "Nothing to release", "Không còn gì để cho qua");
  out.html = paragraph(in_language(language, "This message is not in the quarantine any more: it was released or deleted before, or has lain there for too long.",
                                   "Thư này không còn trong khu cách ly: thư đã được cho qua hoặc đã bị xoá, hoặc đã nằm đó quá lâu."));
  return out;
}

Shown trouble(config::Language language) {
  Shown out;
  out.status = 503;
  out.language = language;
  out.title = in_language(language, "Not now", "Chưa làm được");
  out.html = paragraph(in_language(language, "This cannot be done at the moment. Nothing was changed; try again later.",
                                   "Hiện chưa thể làm việc này. Chưa có gì thay đổi; hãy thử lại sau."));
  return out;
}

std::string row(std::string_view name, const std::string& value) {
  return "<tr><th align=\"left\">" + mail::html_escaped(name) + "</th><td>" + mail::html_escaped(value) + "</td></tr>\n";
}

std::string described(const Found& found, config::Language language) {
  const auto& held = *found.row.held;
  auto view = mail::EnvelopeView::read(found.row.envelope);
  auto field = [&](mail::EnvelopeView::Field which) {
    auto value = view ? view->get(which) : std::nullopt;
    return value ? delivery::tamed(mail::readable(*value)) : std::string();
  };
  char score[32];
  std::snprintf(score, sizeof score, "%.1f", held.score);
  std::string out = "<table cellpadding=\"4\">\n";
  out += row(in_language(language, "For", "Gửi cho"), found.user);
  out += row(in_language(language, "From", "Từ"), field(mail::EnvelopeView::from));
  out += row(in_language(language, "Sender", "Người gửi"), delivery::tamed(held.sender));
  out += row(in_language(language, "Subject", "Tiêu đề"), field(mail::EnvelopeView::subject));
  out += row(in_language(language, "Date", "Ngày"), delivery::shown_date(found.row.internal_date));
  out += row(in_language(language, "Score", "Điểm"), std::string(score) + " (" + held.message_class + ")");
  out += row(in_language(language, "Reason", "Lý do"), delivery::tamed(held.reason));
  return out + "</table>\n";
}

}  // namespace

io::Task<Shown> ReleasePage::show(Visit visit) {
  auto what = releases_.in_body(visit.body);
  Found found;
  if (what) found = co_await releases_.find(*what);
  auto language = config_.language_of(found.user);
  if (found.kind == Found::Kind::unreadable) co_return trouble(language);
  if (found.kind == Found::Kind::gone) co_return gone(language);
  log::info("quarantine.link", {{"action", "show"}, {"by", "link"}, {"ip", visit.client.to_string()}, {"user", found.user}, {"message", found.row.id},
                                {"class", found.row.held->message_class}});
  Shown out;
  out.language = language;
  out.title = in_language(language, "A message was held", "Một thư đã bị giữ lại");
  out.html = described(found, language) + form(in_language(language, "Release this message", "Cho thư này qua")) +
             paragraph(in_language(language, "It then goes to your INBOX as it came.", "Thư sẽ được chuyển nguyên vẹn vào INBOX của bạn."));
  co_return out;
}

io::Task<Shown> ReleasePage::act(Visit visit) {
  // Only the form of show(): what else posts here did not ask anybody.
  if (http::value_of(visit.form, "do") != "yes") {
    auto shown = co_await show(std::move(visit));
    co_return shown;
  }
  auto what = releases_.in_body(visit.body);
  Done done;
  done.kind = Done::Kind::gone;
  if (what) done = co_await releases_.release(*what, "link", visit.client.to_string());
  auto language = config_.language_of(done.user);
  if (done.kind == Done::Kind::gone) co_return gone(language);
  if (done.kind == Done::Kind::failed) co_return trouble(language);
  Shown out;
  out.language = language;
  out.title = in_language(language, "Released", "Đã cho qua");
  out.html = paragraph(in_language(language, "The message is on its way to your INBOX.", "Thư đang được chuyển vào INBOX của bạn."));
  co_return out;
}

}  // namespace postern::links
