// RETR and TOP: a message in pieces, so that a large one takes no memory and a slow client holds
// nobody up.  RFC 1939 5, 7.
#include "gateway/base/log.h"
#include "gateway/io/errors.h"
#include "gateway/pop3/session.h"

namespace postern::pop3 {
namespace {

constexpr std::uint64_t kPiece = 256 * 1024;
constexpr std::uint64_t kFirstOfTop = 16 * 1024;   // most headers fit

}  // namespace

io::Task<void> Session::cmd_retr(std::string argument) {
  auto index = find(parse_message_number(argument));
  if (!index) {
    co_await say(Reply::err("No such message"));
    co_return;
  }
  ++retrieved_;
  co_await send_message(*index, std::nullopt);
}

io::Task<void> Session::cmd_top(std::string argument) {
  auto arguments = parse_top(argument);
  auto index = arguments ? find(arguments->message) : std::nullopt;
  if (!index) {
    co_await say(Reply::err(arguments ? "No such message" : "TOP needs a message and a number of lines"));
    co_return;
  }
  co_await send_message(*index, arguments->lines);
}

io::Task<void> Session::send_message(std::size_t index, std::optional<std::uint64_t> body_lines) {
  auto found = co_await services_.store->message(view_->info().id, view_->at(index).uid);
  if (!found) {
    co_await say(Reply::err("SYS/TEMP", "The message cannot be read now"));
    co_return;
  }
  auto& row = *found;
  if (!row) {
    // Another session, over IMAP, has removed it meanwhile.
    co_await say(Reply::err("That message is gone"));
    co_return;
  }
  Multiline lines(body_lines);
  std::uint64_t offset = 0;
  const std::uint64_t size = row->size();
  while (offset < size && !lines.complete()) {
    auto piece = co_await services_.store->read(*row, offset, offset == 0 && body_lines ? kFirstOfTop : kPiece);
    if (!piece || piece->empty()) {
      log::error("pop3.damaged", {{"session", id_}, {"account", account_}, {"message", row->id}, {"uid", std::to_string(row->uid)},
                                  {"what", piece ? "the record is too short" : piece.error().text}});
      // Behind +OK there is no way to say so: an ended reply would pass for the whole message.
      if (offset > 0) throw io::Closed("a message is damaged");
      co_await say(Reply::err("SYS/PERM", "The message is damaged; the administrator has been told"));
      co_return;
    }
    if (offset == 0) stream_.enqueue("+OK " + std::to_string(size) + " octets\r\n");
    offset += piece->size();
    auto out = lines.add(*piece);
    co_await stream_.write(out, write_deadline());
  }
  if (size == 0) stream_.enqueue("+OK 0 octets\r\n");
  stream_.enqueue(lines.end());
  if (!stream_.has_line()) co_await stream_.flush(write_deadline());
}

}  // namespace postern::pop3
