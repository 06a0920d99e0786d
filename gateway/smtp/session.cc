// The SMTP session: coming in, the command loop, and what belongs to no single command.
#include "gateway/smtp/session.h"

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/io/errors.h"
#include "gateway/io/signal.h"
#include "gateway/smtp/sentences.h"

namespace postern::smtp {
namespace {

// RFC 5321 4.5.3.1.4 says 512; SMTPUTF8, long ESMTP parameters and XCLIENT want more (RFC 6531 3.4).
constexpr std::size_t kMaxCommandLine = 4096;
constexpr std::uint64_t kMaxIdleCommands = 100;
constexpr std::chrono::milliseconds kPatienceWithRefused{30'000};
constexpr const char* kQuit = "quit";

// Of a sender or recipient; mistakes in the dialogue are none, nor is one recipient too many in this message.
bool is_refusal(const Reply& answer) {
  int code = answer.code();
  return code == 550 || code == 553 || code == 554 || code == 450 || code == 451;
}

}  // namespace

Session::Session(io::Stream stream, const Services& services, bool implicit_tls, Dialect dialect)
    : stream_(std::move(stream)), services_(services), settings_(services.settings()), implicit_tls_(implicit_tls), dialect_(dialect) {
  auto peer = stream_.peer();
  connected_from_ = peer.address;
  client_.session = new_id();
  client_.ip = peer.address;
  client_.port = peer.port;
  client_.lmtp = is_lmtp();
  client_.submission = is_submission();
  client_.known = !is_lmtp();   // a relay's address says nothing of the sender
  ++services_.counters->connections;
  ++services_.counters->open;
}

Session::~Session() { --services_.counters->open; }

io::Task<void> Session::run() {
  bool timed_out = false;
  try {
    co_await converse();
  } catch (const io::TimedOut&) {
    timed_out = true;
    finish("timed out");
  } catch (const io::Closed& closed) {
    finish(closed.what());
  }
  if (timed_out) {
    stream_.enqueue(reply::timed_out(settings_->hostname).wire());
    co_await stream_.shutdown(in(std::chrono::seconds(1)));
  }
  // One line for the session beside those for its messages: a line is a system call.
  log::info("smtp.end", {{"session", client_.session}, {"ip", client_.ip.to_string()}, {"tls", client_.tls.version},
                         {"cipher", client_.tls.cipher}, {"why", ending_}});
}

io::Task<void> Session::converse() {
  co_await come_in();
  while (ending_.empty()) {
    auto line = co_await read_command();
    if (!line) continue;
    auto command = parse_command(*line);
    // RFC 2920 3.2: only these may wait for the replies to what was sent with them.
    bool grouped = command.verb == Verb::mail || command.verb == Verb::rcpt || command.verb == Verb::rset;
    auto answer = co_await handle(std::move(command));
    if (!answer) continue;
    co_await say(*answer, grouped);
    if (answer->closes()) finish(answer->text());
    // Only 5xx are the client's mistakes: whoever hears 452 for the thousand-and-first recipient must be
    // able to send to the thousand that were taken (RFC 5321 4.5.3.1.10).
    if (answer->code() < 500 || !ending_.empty()) continue;
    count_error();
    if (!ending_.empty()) co_await say(reply::too_many_errors());
  }
  // Who said QUIT says no more (RFC 5321 4.1.1.10), so closing at once destroys no reply; over TLS the close_notify
  // is still to come.
  if (ending_ == kQuit && !stream_.is_tls() && stream_.is_quiet()) co_return;
  co_await stream_.shutdown(reply_deadline());
}

io::Task<void> Session::come_in() {
  if (!is_lmtp() && any_contains(settings_->proxy, connected_from_)) {
    auto problem = co_await read_proxy_header();
    if (!problem.empty()) {
      log::warning("smtp.proxy", {{"session", client_.session}, {"ip", connected_from_.to_string()}, {"what", problem}});
      finish("no PROXY header");
      co_return;
    }
    connected_from_ = client_.ip;
    behind_proxy_ = true;
  }
  // Who submits says who he is with AUTH; an address alone gives no right there.
  client_.trusted = dialect_ == Dialect::smtp && any_contains(settings_->trusted, client_.ip);
  int code = 421;
  std::string enhanced = "4.3.2";
  std::string refusal = services_.overload();
  if (refusal.empty() && *services_.draining) refusal = settings_->hostname + " is shutting down, try again later";
  if (refusal.empty() && is_lmtp()) {
    code = 554;
    enhanced = "5.7.1";
    refusal = refuse_stranger();
  } else if (refusal.empty()) {
    place_ = services_.limits->enter(client_.ip, refusal);
    enhanced = "4.7.0";
  }
  if (!refusal.empty()) {
    log::info("smtp.refused", {{"session", client_.session}, {"ip", client_.ip.to_string()}, {"why", refusal}});
    ++services_.counters->refused_connections;
    finish(refusal);
    auto answer = Reply(code, enhanced, refusal).then_close();
    trace_refused("connect", answer);
    co_await say(answer);
    co_return;
  }
  if (implicit_tls_) {
    co_await stream_.start_tls(services_.tls(), in(settings_->tls_timeout));
    client_.tls = stream_.tls_info();
  }
  bool waited = co_await waited_for_greeting();
  if (!waited) {
    ++services_.counters->early_talkers;
    log::info("smtp.early_talker", {{"session", client_.session}, {"ip", client_.ip.to_string()}});
    finish("early talker");
    auto answer = with_id(Reply(554, "5.5.1", settings_->hostname + " You spoke before the greeting, closing").then_close());
    trace_refused("connect", answer);
    co_await say(answer);
    co_return;
  }
  if (is_lmtp()) {   // the relay is not judged: whom it names with XFORWARD is, at MAIL
    co_await say(greeting());
    co_return;
  }
  auto door = co_await examine_anew();
  if (!door.refuses()) {
    co_await say(greeting());
    co_return;
  }
  note_refusal(Stage::connect, door);
  finish("refused by " + door.rule);
  auto answer = at_the_door(door);
  trace_refused("connect", answer);
  co_await say(answer);
  if (door.action == Action::reject) co_await wait_for_quit();
}

// LMTP hands over what was taken already, and nothing of it is refused: only a server of ours may.
std::string Session::refuse_stranger() const {
  bool ours = client_.ip.is_loopback() || any_contains(settings_->trusted, client_.ip) || any_contains(settings_->xclient, client_.ip);
  return ours ? "" : "LMTP is for servers of ours; [smtp] trusted does not name " + client_.ip.to_string();
}

io::Task<Decision> Session::examine_anew() {
  if (forwarded_ && forwarded_->known && any_contains(settings_->trusted, forwarded_->ip)) forwarded_->trusted = true;
  examination_ = services_.judge->examine();
  auto door = co_await examination_->on_connect(origin());
  co_return door;
}

// A stranger is made to wait once; who has shown patience within a day is not.
io::Task<bool> Session::waited_for_greeting() {
  // Behind a proxy the first octets came with its header.
  // Bots speak early to port 25; who submits must log in.
  bool known = dialect_ != Dialect::smtp || implicit_tls_ || behind_proxy_ || client_.trusted || may_xclient() || settings_->greet_delay.count() == 0 ||
               services_.limits->is_patient(client_.ip);
  if (known) co_return true;
  bool spoke = co_await stream_.readable(in(settings_->greet_delay));
  if (!spoke) services_.limits->remember_patient(client_.ip);
  if (spoke && stream_.buffered().empty()) co_await stream_.fill(reply_deadline());   // who hung up did not speak
  co_return !spoke;
}

Reply Session::greeting() const { return {220, "", settings_->hostname + (is_lmtp() ? " LMTP Postern" : " ESMTP Postern")}; }

Reply Session::at_the_door(const Decision& decision) const {
  if (decision.action == Action::reject) return with_id({554, "5.7.1", decision.reply});
  return with_id(Reply(421, decision.error ? "4.7.0" : "4.7.1", decision.reply).then_close());
}

// At the stages mail and rcpt.
Reply Session::refused_by_rule(Stage stage, const Decision& decision, std::string_view recipient) {
  note_refusal(stage, decision);
  if (decision.action == Action::reject) return {550, "5.7.1", decision.reply};
  if (!decision.error) return {451, "4.7.1", decision.reply};
  return {451, "4.7.0", sentence(Sentence::cannot_judge, language_for(recipient), may_say_utf8())};
}

// There is no message yet to carry the reason: the log and the session's trace are where it can be found.
void Session::note_refusal(Stage stage, const Decision& decision) {
  refusal_ = decision;
  if (stage == Stage::connect) ++services_.counters->refused_at_connect;
  if (stage == Stage::mail) ++services_.counters->refused_at_mail;
  log::info("smtp.refused", {{"session", client_.session}, {"ip", client_.ip.to_string()}, {"stage", std::string(name(stage))},
                             {"action", std::string(name(decision.action))}, {"rule", decision.rule}, {"at", decision.at}, {"why", decision.why}});
}

io::Task<void> Session::wait_for_quit() {
  auto ends = in(std::min(settings_->command_timeout, kPatienceWithRefused));
  for (int i = 0; i < 20 && !*services_.draining; ++i) {
    if (stream_.buffered().empty()) {
      auto heard = co_await stream_.listen(ends, *services_.drain);
      if (heard != io::Heard::input) co_return;
    }
    auto line = co_await stream_.read_line(kMaxCommandLine, ends);
    if (parse_command(line.text).verb == Verb::quit) {
      co_await say(Reply(221, "2.0.0", settings_->hostname + " closing"));
      co_return;
    }
    co_await say(reply::bad_sequence("Refused; only QUIT is taken"));
  }
}

// Nothing when the line was bad and its reply was said, or when the program ends.
io::Task<std::optional<std::string>> Session::read_command() {
  if (stream_.buffered().empty()) {
    auto heard = io::Heard::signal;
    if (!*services_.draining) heard = co_await stream_.listen(in(settings_->command_timeout), *services_.drain);
    if (heard == io::Heard::nothing) throw io::TimedOut();
    if (heard == io::Heard::signal) {
      finish("the server is shutting down");
      co_await say(reply::shutting_down(settings_->hostname));
      co_return std::nullopt;
    }
  }
  auto line = co_await stream_.read_line(kMaxCommandLine, in(settings_->command_timeout));
  std::optional<Reply> problem;
  if (line.too_long) {
    problem = reply::line_too_long();
  } else if (!line.crlf || line.text.find('\r') != std::string::npos) {
    // RFC 5321 2.3.8: a bare CR or LF is no line end, and must not be obeyed as one.
    problem = Reply(500, "5.5.2", "Lines end with CRLF");
  } else if (line.text.find('\0') != std::string::npos) {
    problem = Reply(500, "5.5.2", "NUL is not allowed");
  }
  if (!problem) co_return std::move(line.text);
  count_error();
  if (!ending_.empty()) problem = reply::too_many_errors();
  co_await say(*problem);
  co_return std::nullopt;
}

io::Task<std::optional<Reply>> Session::handle(Command command) {
  if (*services_.draining) co_return reply::shutting_down(settings_->hostname);
  bool works = command.verb == Verb::mail || command.verb == Verb::rcpt || command.verb == Verb::data || command.verb == Verb::bdat;
  if (!works && too_many(idle_commands_++, kMaxIdleCommands)) co_return reply::too_many_commands();
  if (command.verb == Verb::mail) {
    auto answer = co_await cmd_mail(std::move(command.argument));
    if (is_refusal(answer)) {
      answer = with_id(answer);
      trace_refused("mail", answer);
    }
    co_return answer;
  }
  if (command.verb == Verb::rcpt) {
    auto answer = co_await cmd_rcpt(std::move(command.argument));
    if (is_refusal(answer)) {
      answer = with_id(answer);
      trace_refused("rcpt", answer, asked_for_);
    }
    co_return answer;
  }
  if (command.verb == Verb::data) {
    auto answer = co_await cmd_data(std::move(command.argument));
    co_return answer;
  }
  if (command.verb == Verb::bdat) {
    auto answer = co_await cmd_bdat(std::move(command.argument));
    co_return answer;
  }
  if (command.verb == Verb::starttls) {
    auto answer = co_await cmd_starttls(std::move(command.argument));
    co_return answer;
  }
  // Not on port 25: nobody logs in to hand over mail for us, so a password said there is a mistake or a guess, and a
  // thief's one would turn the door for strangers into a relay.
  if (command.verb == Verb::auth && is_submission()) {
    auto answer = co_await cmd_auth(std::move(command.argument));
    co_return answer;
  }
  if (command.verb == Verb::xclient && may_xclient()) {
    auto answer = co_await cmd_xclient(std::move(command.argument));
    co_return answer;
  }
  switch (command.verb) {
    case Verb::helo:
    case Verb::ehlo:
    case Verb::lhlo: co_return cmd_helo(command);
    case Verb::xforward:
      if (may_xforward()) co_return cmd_xforward(command.argument);
      co_return reply::unknown_command();
    case Verb::rset: co_return cmd_rset();
    case Verb::noop: co_return reply::ok();
    case Verb::vrfy: co_return cmd_vrfy(command.argument);
    case Verb::expn: co_return Reply(502, "5.5.1", "EXPN is not offered");
    case Verb::help: co_return Reply(214, "2.0.0", "See RFC 5321");
    case Verb::auth: co_return Reply(502, "5.5.1", "AUTH is not offered on this port");
    case Verb::quit: finish(kQuit); co_return Reply(221, "2.0.0", settings_->hostname + " closing");
    default: co_return reply::unknown_command();
  }
}

// RFC 5321 3.5.3: we do not say who is here, RCPT tells a real sender soon enough.
Reply Session::cmd_vrfy(const std::string& argument) const {
  if (argument.empty()) return reply::syntax("Syntax: VRFY address");
  return {252, "2.1.5", "Not verified here; send the message and see"};
}

Reply Session::cmd_rset() {
  forget_transaction();
  return reply::ok();
}

void Session::forget_transaction() {
  transaction_.reset();
  if (examination_) examination_->on_reset();
  if (!forwarded_) return;
  forwarded_.reset();
  examination_.reset();
}

// A proxy in front of submission says PROXY; whom XCLIENT LOGIN names there would be logged in without a password.
bool Session::may_xclient() const { return dialect_ == Dialect::smtp && any_contains(settings_->xclient, connected_from_); }
bool Session::may_xforward() const { return is_lmtp() || may_xclient(); }

// A server of ours that hands over a long queue is not to be stopped by what some of its recipients earn it.
bool Session::too_many(std::uint64_t count, std::uint64_t limit) const {
  return !is_lmtp() && limit != 0 && count >= limit;
}

bool Session::is_counted() const { return !is_lmtp() && !client_.trusted && !client_.ip.is_loopback(); }

void Session::count_error() {
  if (too_many(++errors_, settings_->errors_per_session)) finish("too many errors");
  if (is_counted() && !services_.limits->error(client_.ip)) finish("too many errors lately by its address or network");
}

// The first reason is the true one.
void Session::finish(std::string why) {
  if (ending_.empty()) ending_ = std::move(why);
}

BodyLimits Session::body_limits() const {
  return {settings_->max_size, settings_->data_timeout, in(settings_->body_timeout)};
}

// Replies to pipelined commands go out together, RFC 2920 3.2: flushed when nothing more is to be answered.
io::Task<void> Session::say(const Reply& answer, bool grouped) {
  if (answer.is_error()) {
    log::info("smtp.reply", {{"session", client_.session}, {"code", std::to_string(answer.code())}, {"text", answer.text()}});
  }
  stream_.enqueue(answer.wire());
  constexpr std::size_t kFlushAt = 16 * 1024;
  if (grouped && stream_.has_line() && !answer.closes() && stream_.enqueued() < kFlushAt) co_return;
  co_await stream_.flush(reply_deadline());
}

}  // namespace postern::smtp
