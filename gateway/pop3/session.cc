// The POP3 session: greeting, the command loop, and what belongs to no single command.
#include "gateway/pop3/session.h"

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/io/errors.h"
#include "gateway/io/signal.h"

namespace postern::pop3 {
namespace {

constexpr std::uint64_t kMaxErrors = 20;
constexpr std::size_t kMaxEnqueued = 64 * 1024;

}  // namespace

io::Task<void> serve(io::Stream stream, const Services& services, bool implicit_tls) {
  Session session(std::move(stream), services, implicit_tls);
  co_await session.run();
}

Session::Session(io::Stream stream, const Services& services, bool implicit_tls)
    : stream_(std::move(stream)), services_(services), implicit_tls_(implicit_tls), id_(new_id()),
      client_(stream_.peer().address), login_until_(in(services.timeouts.login)) {}

io::Task<void> Session::run() {
  log::info("pop3.accept", {{"session", id_}, {"ip", client_.to_string()}});
  try {
    co_await converse();
  } catch (const io::TimedOut&) {
    why_ = "timed out";   // RFC 1939 3: no reply, and no UPDATE
  } catch (const io::Closed& closed) {
    why_ = closed.what();
  }
  log::info("pop3.end", {{"session", id_}, {"ip", client_.to_string()}, {"account", account_}, {"retrieved", std::to_string(retrieved_)},
                         {"erased", std::to_string(erased_)}, {"why", why_}});
}

io::Task<void> Session::converse() {
  if (implicit_tls_) {
    auto context = services_.tls();
    if (context == nullptr) throw io::Closed("there is no certificate");
    co_await stream_.start_tls(std::move(context), in(services_.timeouts.login_line));
  }
  if (*services_.draining) {
    stream_.enqueue("-ERR [SYS/TEMP] " + services_.hostname + " is shutting down, try again later\r\n");
    end("the program ends");
  } else {
    co_await say(Reply::ok(services_.hostname + " POP3 server ready"));
  }
  while (state_ != State::over) {
    auto line = co_await read_command();
    if (line) co_await obey(parse_command(*line));
    if (errors_ >= kMaxErrors && state_ != State::over) {
      stream_.enqueue("-ERR Too many errors\r\n");
      end("too many errors");
    }
  }
  co_await stream_.shutdown(in(std::chrono::seconds(10)));
}

Deadline Session::read_deadline() const {
  if (state_ == State::authorization) return std::min(in(services_.timeouts.login_line), login_until_);
  return in(services_.timeouts.command);
}

io::Task<io::Line> Session::next_line() {
  auto deadline = read_deadline();
  while (!stream_.has_line() && stream_.buffered().size() <= kMaxLine) {
    auto heard = io::Heard::signal;
    if (!*services_.draining) heard = co_await stream_.listen(deadline, *services_.drain);
    if (heard == io::Heard::nothing) throw io::TimedOut();
    if (heard == io::Heard::signal) {
      stream_.enqueue("-ERR [SYS/TEMP] " + services_.hostname + " is shutting down, try again later\r\n");
      co_await stream_.shutdown(in(std::chrono::seconds(2)));
      throw io::Closed("the program ends");
    }
  }
  auto line = co_await stream_.read_line(kMaxLine, deadline);
  co_return line;
}

io::Task<std::optional<std::string>> Session::read_command() {
  auto line = co_await next_line();
  std::string_view problem;
  if (line.too_long) problem = "The line is too long";
  else if (line.text.find('\0') != std::string::npos || line.text.find('\r') != std::string::npos) problem = "NUL and CR are not allowed in a line";
  if (problem.empty()) co_return std::move(line.text);
  co_await say(Reply::err(problem));
  co_return std::nullopt;
}

std::optional<Reply> Session::out_of_place(Verb verb) const {
  switch (verb) {
    case Verb::unknown: return Reply::err("Unknown command");
    case Verb::capa:
    case Verb::quit: return std::nullopt;
    case Verb::user:
    case Verb::pass:
    case Verb::auth:
    case Verb::stls:
      if (state_ == State::authorization) return std::nullopt;
      return Reply::err("Already logged in");
    default:
      if (state_ == State::transaction) return std::nullopt;
      return Reply::err("Log in first");
  }
}

io::Task<void> Session::obey(Command command) {
  if (auto wrong = out_of_place(command.verb)) {
    co_await say(std::move(*wrong));
    co_return;
  }
  switch (command.verb) {
    case Verb::pass: {
      auto reply = co_await cmd_pass(std::move(command.argument));
      co_await say(std::move(reply));
      break;
    }
    case Verb::auth: {
      auto reply = co_await cmd_auth(std::move(command.argument));
      co_await say(std::move(reply));
      break;
    }
    case Verb::stls: co_await cmd_stls(); break;
    case Verb::capa: co_await say_lines("+OK Capabilities follow", capabilities()); break;
    case Verb::list: co_await cmd_list(std::move(command.argument), false); break;
    case Verb::uidl: co_await cmd_list(std::move(command.argument), true); break;
    case Verb::retr: co_await cmd_retr(std::move(command.argument)); break;
    case Verb::top: co_await cmd_top(std::move(command.argument)); break;
    case Verb::quit: co_await cmd_quit(); break;
    default: {
      auto reply = here_and_now(command);
      co_await say(std::move(reply));
    }
  }
}

Reply Session::here_and_now(const Command& command) {
  switch (command.verb) {
    case Verb::user: return cmd_user(command.argument);
    case Verb::stat: return cmd_stat();
    case Verb::dele: return cmd_dele(command.argument);
    case Verb::rset: return cmd_rset();
    default: return Reply::ok("Nothing done");   // NOOP
  }
}

io::Task<void> Session::say(Reply reply) {
  if (reply.is_error()) ++errors_;
  stream_.enqueue(reply.line + "\r\n");
  // RFC 2449 6.6: the answers to pipelined commands go out together.
  bool more = stream_.has_line() && stream_.enqueued() < kMaxEnqueued;
  if (!more) co_await stream_.flush(write_deadline());
}

io::Task<void> Session::say_lines(std::string first, std::string lines) {
  stream_.enqueue(first + "\r\n");
  stream_.enqueue(lines);
  stream_.enqueue(".\r\n");
  if (!stream_.has_line() || stream_.enqueued() >= kMaxEnqueued) co_await stream_.flush(write_deadline());
}

std::optional<std::size_t> Session::find(std::optional<std::uint32_t> number) const {
  if (!number || *number > view_->size()) return std::nullopt;
  std::size_t index = *number - 1;
  if (marked_[index]) return std::nullopt;
  return index;
}

}  // namespace postern::pop3
