// SMTP replies, RFC 5321 4.2 and RFC 2034.
#include "gateway/smtp/reply.h"

namespace postern::smtp {
namespace {

// RFC 5321 4.5.3.1.5: a reply line has at most 512 octets, code and CRLF included.
constexpr std::size_t kMaxText = 480;

std::string harmless(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  if (text.size() <= kMaxText) return text;
  std::size_t cut = kMaxText - 3;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;  // not inside a UTF-8 character
  return text.substr(0, cut) + "...";
}

}  // namespace

Reply::Reply(int code, std::string_view enhanced, std::string text) : code_(code), enhanced_(enhanced) {
  lines_.push_back(harmless(std::move(text)));
}

Reply Reply::with_text(std::string text) const {
  Reply out(code_, enhanced_, std::move(text));
  out.closes_ = closes_;
  return out;
}

Reply& Reply::and_line(std::string text) {
  lines_.push_back(harmless(std::move(text)));
  return *this;
}

std::string Reply::wire() const {
  std::string out;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    out += std::to_string(code_);
    out += i + 1 < lines_.size() ? '-' : ' ';
    if (!enhanced_.empty()) out += enhanced_ + ' ';
    out += lines_[i];
    out += "\r\n";
  }
  return out;
}

namespace reply {

Reply ok() { return {250, "2.0.0", "OK"}; }
Reply bad_sequence(std::string text) { return {503, "5.5.1", std::move(text)}; }
Reply syntax(std::string text) { return {501, "5.5.4", std::move(text)}; }
Reply unknown_command() { return {500, "5.5.2", "Command not recognized"}; }
Reply log_in_first() { return {530, "5.7.0", "Log in first: this port is for our users"}; }
Reply line_too_long() { return {500, "5.5.2", "Line too long"}; }
Reply too_many_commands() { return Reply(421, "4.7.0", "Too many commands without a message, closing").then_close(); }
Reply too_many_errors() { return Reply(421, "4.7.0", "Too many errors, closing").then_close(); }
Reply shutting_down(std::string_view hostname) {
  return Reply(421, "4.3.2", std::string(hostname) + " is shutting down, try again later").then_close();
}
Reply timed_out(std::string_view hostname) {
  return Reply(421, "4.4.2", std::string(hostname) + " waited too long, closing").then_close();
}
Reply no_space() { return {452, "4.3.1", "Insufficient system storage, try again later"}; }
Reply too_big() { return {552, "5.3.4", "Message is larger than this server takes"}; }

}  // namespace reply
}  // namespace postern::smtp
