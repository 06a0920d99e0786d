// STAT, LIST and UIDL: answered from the view of the login.  RFC 1939 5, 7.
#include "gateway/pop3/session.h"

namespace postern::pop3 {
namespace {

constexpr std::size_t kPiece = 64 * 1024;   // of a long list, at a time

}  // namespace

Reply Session::cmd_stat() const {
  std::uint64_t messages = 0;
  std::uint64_t octets = 0;
  for (std::size_t i = 0; i < marked_.size(); ++i) {
    if (marked_[i]) continue;
    ++messages;
    octets += view_->at(i).size;
  }
  return Reply::ok(std::to_string(messages) + " " + std::to_string(octets));
}

// The unique-id outlives renumbering and restarts: RFC 3501 gives no UID twice under one UIDVALIDITY.
std::string Session::listing(std::size_t index, bool unique_ids) const {
  const auto& entry = view_->at(index);
  std::string what = unique_ids ? std::to_string(view_->info().uidvalidity) + "." + std::to_string(entry.uid) : std::to_string(entry.size);
  return std::to_string(index + 1) + " " + what;
}

io::Task<void> Session::cmd_list(std::string argument, bool unique_ids) {
  if (!argument.empty()) {
    auto index = find(parse_message_number(argument));
    auto reply = Reply::err("No such message");
    if (index) reply = Reply::ok(listing(*index, unique_ids));
    co_await say(std::move(reply));
    co_return;
  }
  stream_.enqueue("+OK List follows\r\n");
  for (std::size_t i = 0; i < marked_.size(); ++i) {
    if (!marked_[i]) stream_.enqueue(listing(i, unique_ids) + "\r\n");
    if (stream_.enqueued() >= kPiece) co_await stream_.flush(write_deadline());
  }
  stream_.enqueue(".\r\n");
  if (!stream_.has_line()) co_await stream_.flush(write_deadline());
}

}  // namespace postern::pop3
