// DELE, RSET and QUIT: marks, and the UPDATE state that makes them true.  RFC 1939 5, 6.
#include "gateway/base/log.h"
#include "gateway/pop3/session.h"

namespace postern::pop3 {

Reply Session::cmd_dele(const std::string& argument) {
  auto index = find(parse_message_number(argument));
  if (!index) return Reply::err("No such message");
  marked_[*index] = true;
  return Reply::ok("Marked for deletion");
}

Reply Session::cmd_rset() {
  marked_.assign(marked_.size(), false);
  return Reply::ok(std::to_string(marked_.size()) + " messages");
}

io::Task<void> Session::cmd_quit() {
  std::vector<store::Uid> uids;
  for (std::size_t i = 0; i < marked_.size(); ++i) {
    if (marked_[i]) uids.push_back(view_->at(i).uid);
  }
  end("quit");
  std::string reply = "+OK Goodbye";
  if (!uids.empty()) {
    auto erased = co_await services_.store->erase(view_->info().id, std::move(uids));
    if (erased.ok()) {
      erased_ = erased.uids.size();
      reply = "+OK " + std::to_string(erased_) + " messages deleted, goodbye";
    } else {
      log::warning("pop3.erase", {{"session", id_}, {"account", account_}, {"what", erased.text}});
      reply = "-ERR [SYS/TEMP] The messages were not deleted: " + erased.text;
    }
  }
  // Free before the answer: who has read it may come back at once.
  lock_.reset();
  stream_.enqueue(reply + "\r\n");
}

}  // namespace postern::pop3
