// The mail with which a user sets his first password.
#include "gateway/delivery/invitation_mail.h"

#include "gateway/delivery/digest_text.h"
#include "gateway/mail/encoded_word.h"

namespace postern::delivery {

std::string invitation_message(const InvitationMail& mail) {
  bool vietnamese = mail.language == config::Language::vietnamese;
  std::string subject = vietnamese ? "Đặt mật khẩu cho " + mail.user : "Set the password of " + mail.user;
  std::string text = vietnamese ? "Bạn có tài khoản thư " + mail.user + " tại " + mail.hostname + ".\r\nMở liên kết này và đặt mật khẩu:\r\n\r\n"
                                : "You have the mail account " + mail.user + " at " + mail.hostname + ".\r\nOpen this link and set its password:\r\n\r\n";
  text += "   " + mail.link + "\r\n\r\n";
  auto until = shown_date(mail.valid_until);
  text += vietnamese ? "Liên kết dùng được một lần, đến " + until + ".\r\nNếu bạn không mong đợi thư này, hãy báo cho người quản trị.\r\n"
                     : "It can be used once, until " + until + ".\r\nIf you did not expect this mail, tell your administrator.\r\n";
  std::string out = "From: " + mail::encode_words(vietnamese ? "Cổng thư" : "Mail gateway") + " <postmaster@" + mail.hostname + ">\r\n";
  out += "To: <" + mail.to + ">\r\nDate: " + rfc5322_date(mail.when) + "\r\nMessage-ID: <" + mail.id + ".invitation@" + mail.hostname + ">\r\n";
  out += "Subject: " + mail::encode_words(subject) + "\r\nAuto-Submitted: auto-generated\r\n";
  out += "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n";
  return out + base64_lines(text);
}

}  // namespace postern::delivery
