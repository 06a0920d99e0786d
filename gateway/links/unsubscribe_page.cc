// Leaving a list from a browser, or by the button of a mail client.
#include "gateway/links/unsubscribe_page.h"

#include "gateway/base/log.h"
#include "gateway/base/text.h"

namespace postern::links {
namespace {

bool is_one_click(const http::Form& form) { return iequals(http::value_of(form, "List-Unsubscribe"), "One-Click"); }

}  // namespace

io::Task<Shown> UnsubscribePage::show(Visit visit) {
  auto who = directory::membership_in(visit.body);
  auto language = config_.language_of(who ? who->list : "");
  Shown out;
  out.language = language;
  out.title = in_language(language, "Leave a mailing list", "Rời danh sách thư");
  if (!who) {
    out.status = 404;
    co_return out;
  }
  out.html = paragraph(std::string(in_language(language, "List: ", "Danh sách: ")) + who->list) +
             paragraph(std::string(in_language(language, "Member: ", "Thành viên: ")) + who->member) + form(in_language(language, "Unsubscribe", "Huỷ đăng ký"));
  co_return out;
}

io::Task<Shown> UnsubscribePage::act(Visit visit) {
  bool meant = is_one_click(visit.form) || http::value_of(visit.form, "do") == "yes";
  auto who = directory::membership_in(visit.body);
  if (!meant || !who) {
    auto shown = co_await show(std::move(visit));
    co_return shown;
  }
  auto left = co_await action_(*who, visit.client);
  log::info("list.link", {{"action", "unsubscribe"}, {"ip", visit.client.to_string()}, {"list", who->list}, {"member", who->member},
                          {"outcome", left ? "done" : left.error().text}});
  auto language = config_.language_of(who->list);
  Shown out;
  out.language = language;
  out.status = left ? 200 : 503;
  out.title = left ? in_language(language, "You are unsubscribed", "Đã huỷ đăng ký") : in_language(language, "Not now", "Chưa làm được");
  out.html = paragraph(left ? who->member + std::string(in_language(language, " gets no more mail of ", " không nhận thư của danh sách nữa: ")) + who->list
                            : std::string(in_language(language, "This cannot be done at the moment; try again later.", "Hiện chưa thể làm việc này; hãy thử lại sau.")));
  co_return out;
}

}  // namespace postern::links
