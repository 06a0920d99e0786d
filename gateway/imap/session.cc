// The IMAP session: greeting, the command loop, and what the commands share.  RFC 3501 3, 5 and 7.
#include "gateway/imap/session.h"

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/io/errors.h"
#include "gateway/io/loop.h"
#include "gateway/io/signal.h"

namespace postern::imap {
namespace {

using namespace std::chrono_literals;

constexpr auto kTimeToLogIn = 1min;        // for each command before it
constexpr auto kTimeToLogInAll = 5min;     // for all of them
constexpr auto kTimeToWrite = 5min;        // for one portion
constexpr auto kWorkAtOnce = 5ms;
constexpr std::size_t kGather = 64 * 1024;
constexpr std::uint64_t kMaxCommandBeforeLogin = 8 * 1024;

}  // namespace

io::Task<void> serve(io::Stream stream, const Services& services, bool implicit_tls) {
  Session session(std::move(stream), services, implicit_tls);
  co_await session.run();
}

Session::Session(io::Stream stream, const Services& services, bool implicit_tls)
    : stream_(std::move(stream)),
      services_(services),
      implicit_tls_(implicit_tls),
      id_(new_id()),
      client_(stream_.peer().address),
      started_(std::chrono::steady_clock::now()),
      working_since_(started_) {}

io::Task<void> Session::run() {
  bool idle = false;
  try {
    co_await converse();
  } catch (const io::TimedOut&) {
    why_ = "timed out";
    idle = true;
  } catch (const io::Closed& closed) {
    why_ = closed.what();
  }
  if (idle) stream_.enqueue(is_logged_in() ? "* BYE idle for too long\r\n" : "* BYE not logged in in time\r\n");
  unselect();
  co_await stream_.shutdown(in(2s));
  log::info("imap.end", {{"session", id_}, {"ip", client_.to_string()}, {"user", account_ ? account_->address : ""}, {"why", why_}});
}

io::Task<void> Session::converse() {
  if (implicit_tls_) {
    auto context = services_.tls ? services_.tls() : nullptr;
    if (!context) throw io::Closed("there is no certificate");
    co_await stream_.start_tls(std::move(context), in(kTimeToLogIn));
  }
  co_await greet();
  while (!finished_) {
    auto event = co_await wait(false, command_deadline());
    if (event == Event::drain) {
      leave("the server is shutting down");
      break;
    }
    auto command = co_await read_command(stream_, read_limits(), command_deadline());
    working_since_ = std::chrono::steady_clock::now();
    next_look_ = working_since_ + services_.limits.look;
    co_await obey(std::move(command));
  }
  co_await flush();
}

io::Task<void> Session::greet() {
  log::info("imap.begin", {{"session", id_}, {"ip", client_.to_string()}, {"tls", stream_.is_tls() ? "yes" : "no"}});
  if (*services_.draining) {
    leave("the server is shutting down");
    co_return;
  }
  enqueue("* OK [CAPABILITY " + capabilities() + "] " + services_.hostname + " Postern ready\r\n");
  co_await flush();
}

ReadLimits Session::read_limits() const {
  ReadLimits limits;
  limits.octets = is_logged_in() ? services_.limits.max_command_octets : kMaxCommandBeforeLogin;
  limits.append = is_logged_in();
  return limits;
}

Deadline Session::command_deadline() const {
  if (is_logged_in()) return in(services_.limits.idle);
  return std::min(in(kTimeToLogIn), started_ + kTimeToLogInAll);
}

io::Task<void> Session::obey(CommandText command) {
  if (command.end == CommandText::End::hopeless) {
    leave("[TOOBIG] the command is too large");
    co_return;
  }
  Call call("*", std::move(command));
  auto tag = call.args.tag();
  if (tag && call.args.sp()) call.tag = *tag;
  auto name = call.tag == "*" ? std::nullopt : call.args.atom();
  auto upper = name ? ascii_uppered(*name) : std::string();
  if (upper == "UID" && call.args.sp()) {
    call.uid = true;
    auto second = call.args.atom();
    upper += ' ' + (second ? ascii_uppered(*second) : std::string());
  }
  const CommandEntry* entry = find_command(upper);
  Reply reply = Reply::bad("unknown command");
  if (call.command.end == CommandText::End::refused) {
    reply = Reply::bad(std::string(call.command.refusal));
  } else if (entry != nullptr) {
    bool right_phase = entry->phase == Phase::any || (entry->phase == Phase::before_login && !is_logged_in()) ||
                       (entry->phase == Phase::after_login && is_logged_in()) || (entry->phase == Phase::selected && has_selected());
    if (!right_phase) {
      reply = Reply::bad("not in this state");
    } else if (entry->arguments ? !call.args.sp() : !call.args.at_end()) {
      reply = Reply::bad(entry->arguments ? "arguments are missing" : "arguments that do not belong here");
    } else {
      if (entry->phase == Phase::selected) audit(*this, others_, upper, call.args.rest());
      reply = co_await entry->run(*this, call);
      if (has_selected()) co_await tell_changes(entry->expunge, {});
    }
  }
  if (reply.kind == Reply::Kind::bad) count_error();
  enqueue(reply.line(call.tag));
  // Answers to pipelined commands go out together.
  if (stream_.has_line()) {
    co_await relieve();
  } else {
    co_await flush();
  }
}

void Session::count_error() {
  ++errors_;
  auto most = services_.errors_per_session();
  if (most != 0 && errors_ >= most) leave("too many errors");
}

void Session::leave(std::string_view text, std::string_view why) {
  if (std::exchange(finished_, true)) return;
  why_ = why.empty() ? text : why;
  enqueue("* BYE " + std::string(text) + "\r\n");
}

std::string Session::capabilities() const {
  std::string out = "IMAP4rev1 LITERAL+ SASL-IR ID ENABLE";
  if (!is_logged_in()) {
    if (!stream_.is_tls() && services_.tls && services_.tls()) out += " STARTTLS";
    out += may_send_password() ? " AUTH=PLAIN" : " LOGINDISABLED";
  }
  out += " IDLE NAMESPACE CHILDREN LIST-EXTENDED SPECIAL-USE UNSELECT UIDPLUS MOVE";
  return out;
}

io::Task<Reply> Session::log_in(std::string address, std::string password) {
  LoginAttempt attempt(std::move(address), std::move(password), client_, id_);
  auto name = printable(attempt.address);
  auto result = co_await services_.logins->check(std::move(attempt));
  if (result.kind == LoginResult::Kind::accepted) {
    account_ = store().account(result.account);
    if (account_) {
      log::info("imap.login", {{"session", id_}, {"ip", client_.to_string()}, {"user", account_->address}});
      co_return Reply::ok("[CAPABILITY " + capabilities() + "] logged in");
    }
  }
  log::info("imap.login_failed", {{"session", id_}, {"ip", client_.to_string()}, {"user", name}});
  count_error();
  auto text = response_text(result.text.empty() ? "wrong name or password" : result.text);
  co_return Reply::no((result.kind == LoginResult::Kind::not_now ? "[UNAVAILABLE] " : "[AUTHENTICATIONFAILED] ") + text);
}

void Session::select(std::unique_ptr<store::MailboxWatch> watch, std::shared_ptr<const store::MailboxView> view, bool read_only,
                     std::optional<Others> others) {
  unselect();
  others_ = std::move(others);
  selected_.emplace(std::move(watch), std::move(view), read_only, *services_.recent);
}

io::Task<void> Session::relieve() {
  if (stream_.enqueued() >= kGather) co_await stream_.flush(in(kTimeToWrite));
}

io::Task<void> Session::flush() { co_await stream_.flush(in(kTimeToWrite)); }

io::Task<void> Session::write(std::string octets) { co_await stream_.write(octets, in(kTimeToWrite)); }

io::Task<void> Session::breathe() {
  if (std::chrono::steady_clock::now() - working_since_ < kWorkAtOnce) co_return;
  co_await io::sleep_until(std::chrono::steady_clock::now());
  working_since_ = std::chrono::steady_clock::now();
}

io::Task<void> Session::look() {
  co_await breathe();
  auto now = std::chrono::steady_clock::now();
  // What lies in the buffer is its next command.
  if (now < next_look_ || !stream_.buffered().empty()) co_return;
  next_look_ = now + services_.limits.look;
  bool heard = co_await stream_.readable(now);
  if (heard && stream_.buffered().empty()) co_await stream_.fill(now);   // the input has ended, and this says how
}

io::Task<Session::Event> Session::wait(bool for_changes, Deadline deadline) {
  if (!stream_.buffered().empty()) co_return Event::input;
  co_await flush();
  if (*services_.draining) co_return Event::drain;
  io::Signal* changed = nullptr;
  if (for_changes && has_selected()) {
    if (selected_->is_gone() || selected_->is_stale()) co_return Event::change;
    changed = &selected_->changed();
  }
  auto heard = co_await stream_.listen(deadline, *services_.drain, changed);
  if (heard == io::Heard::nothing) throw io::TimedOut();
  co_return heard == io::Heard::input ? Event::input : heard == io::Heard::other ? Event::change : Event::drain;
}

std::string flags_line(const store::MailboxView& view) {
  std::string out = "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft";
  for (const auto& keyword : view.keywords()) out += ' ' + keyword;
  return out + ")\r\n";
}

io::Task<void> Session::tell_changes(bool expunge, std::vector<store::Uid> report) {
  if (selected_->is_gone()) {
    services_.recent->forget(selected_->id());
    leave("the selected mailbox was deleted");
    co_return;
  }
  if (report.empty() && !selected_->is_stale()) co_return;
  auto changes = selected_->advance(expunge, report);
  for (auto number : changes.expunged) {
    enqueue("* " + std::to_string(number) + " EXPUNGE\r\n");
    co_await relieve();
  }
  if (changes.grown) {
    enqueue("* " + std::to_string(selected_->exists()) + " EXISTS\r\n* " + std::to_string(selected_->recent()) + " RECENT\r\n");
  }
  if (changes.keywords) enqueue(flags_line(selected_->view()));
  for (auto index : changes.changed) {
    const auto& entry = selected_->view().at(index);
    std::string line = "* " + std::to_string(selected_->sequence_at(index)) + " FETCH (UID " + std::to_string(entry.uid) + " FLAGS ";
    append_flags(line, entry.flags, entry.keywords, selected_->view().keywords(), selected_->is_recent(entry.uid));
    enqueue(line + ")\r\n");
    co_await relieve();
  }
}

Reply no_such_mailbox() { return Reply::no("[NONEXISTENT] there is no such mailbox"); }

}  // namespace postern::imap
