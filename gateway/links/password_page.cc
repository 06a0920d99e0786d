// The page behind an invitation.
#include "gateway/links/password_page.h"

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/directory/invitation.h"
#include "gateway/directory/passwords.h"
#include "gateway/mail/html.h"

namespace postern::links {
namespace {

Shown used(config::Language language) {
  Shown out;
  out.status = 410;
  out.language = language;
  out.title = in_language(language, "This link was used", "Liên kết này đã được dùng");
  out.html = paragraph(in_language(language, "The password was set since, or the account is gone. If it was not you, tell your administrator; ask there for a new link too.",
                                   "Mật khẩu đã được đặt, hoặc tài khoản không còn nữa. Nếu không phải bạn đã đặt, hãy báo cho người quản trị; cũng hãy xin liên kết mới ở đó."));
  return out;
}

Shown question(config::Language language, const std::string& user, std::string_view complaint) {
  Shown out;
  out.language = language;
  out.title = in_language(language, "Set your password", "Đặt mật khẩu");
  if (!complaint.empty()) out.html = "<p><b>" + mail::html_escaped(complaint) + "</b></p>\n";
  out.html += paragraph(std::string(in_language(language, "For ", "Cho ")) + user);
  auto field = [](std::string_view label, std::string_view name) {
    return "<p><label>" + mail::html_escaped(label) + "<br><input type=\"password\" name=\"" + std::string(name) +
           "\" required minlength=\"" + std::to_string(PasswordPage::kLeast) + "\" maxlength=\"500\" autocomplete=\"new-password\"></label></p>\n";
  };
  out.html += form(in_language(language, "Set the password", "Đặt mật khẩu"),
                   field(in_language(language, "New password, at least 8 characters", "Mật khẩu mới, ít nhất 8 ký tự"), "password") +
                       field(in_language(language, "The same again", "Nhập lại mật khẩu"), "again"));
  return out;
}

// Characters of UTF-8.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xc0) != 0x80; }));
}

// "" if it may be one.
std::string_view complaint_of(config::Language language, std::string_view password, std::string_view again) {
  if (password != again) return in_language(language, "The two passwords differ.", "Hai mật khẩu không giống nhau.");
  if (characters(password) < PasswordPage::kLeast) return in_language(language, "It is too short: at least 8 characters.", "Mật khẩu quá ngắn: ít nhất 8 ký tự.");
  if (!directory::prepared_password(password)) return in_language(language, "It is too long, or has characters that a password cannot have.", "Mật khẩu quá dài hoặc có ký tự không dùng được.");
  return "";
}

}  // namespace

io::Task<Shown> PasswordPage::show(Visit visit) {
  auto account = directory::invited(store_, visit.body);
  auto language = account ? config_.language_of(account->address) : config_.language;
  if (!account) co_return used(language);
  co_return question(language, account->address, "");
}

io::Task<Shown> PasswordPage::act(Visit visit) {
  auto account = directory::invited(store_, visit.body);
  auto language = account ? config_.language_of(account->address) : config_.language;
  if (!account) co_return used(language);
  std::string password(http::value_of(visit.form, "password"));
  auto complaint = complaint_of(language, password, http::value_of(visit.form, "again"));
  if (!complaint.empty()) {
    auto again = question(language, account->address, complaint);
    again.status = 422;
    co_return again;
  }
  if (!busy_.insert(account->id).second) co_return used(language);
  struct Free {
    std::set<store::AccountId>& busy;
    store::AccountId id;
    ~Free() { busy.erase(id); }
  } free{busy_, account->id};
  auto shown = co_await set(std::move(visit.body), std::move(password), visit.client);
  co_return shown;
}

io::Task<Shown> PasswordPage::set(std::string body, std::string password, IpAddress client) {
  auto job = [password = std::move(password)] { return directory::make_password_row(password); };
  Result<std::string> row = co_await workers_.run(std::move(job));
  auto account = directory::invited(store_, body);   // an administrator may have set one meanwhile
  auto language = account ? config_.language_of(account->address) : config_.language;
  if (!account) co_return used(language);
  auto user = account->address;
  store::Change changed;
  if (row) {
    account->password_row = std::move(*row);
    changed = co_await store_.update_account(std::move(*account));
  }
  Shown out;
  out.language = language;
  if (!row || !changed.ok()) {
    log::error("user.password", {{"user", user}, {"by", "link"}, {"what", row ? changed.text : row.error().text}});
    out.status = 503;
    out.title = in_language(language, "Not now", "Chưa làm được");
    out.html = paragraph(in_language(language, "The password could not be stored. Nothing was changed; try again later.", "Chưa lưu được mật khẩu. Chưa có gì thay đổi; hãy thử lại sau."));
    co_return out;
  }
  log::info("user.password", {{"user", user}, {"by", "link"}, {"ip", client.to_string()}});
  out.title = in_language(language, "Your password is set", "Đã đặt mật khẩu");
  out.html = paragraph(std::string(in_language(language, "In your mail program: user name ", "Trong chương trình thư: tên đăng nhập ")) + user +
                       std::string(in_language(language, ", IMAP server ", ", máy chủ IMAP ")) + config_.hostname + ".");
  co_return out;
}

}  // namespace postern::links
