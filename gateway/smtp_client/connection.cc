// A connection's birth, its use by the others, and its end.
#include "gateway/smtp_client/connection.h"

#include <algorithm>

#include "gateway/io/errors.h"
#include "gateway/smtp_client/trouble.h"

namespace postern::smtp_client {
namespace {

io::Task<void> connect_to(const Target& target, std::optional<io::Stream>& stream) {
  auto connected = co_await io::Stream::connect(target.endpoint, in(target.timeouts.connect));
  stream.emplace(std::move(connected));
}

}  // namespace

Result<TlsContexts> contexts_trusting(const std::string& authorities) {
  TlsContexts out;
  if (authorities.empty()) return out;
  auto verifying = io::TlsContext::client_trusting(authorities);
  if (!verifying) return verifying.error();
  out.verifying = std::move(*verifying);
  return out;
}

Connection::Connection(io::Stream stream, const Target& target)
    : stream_(std::move(stream)), dialect_(target.dialect), timeouts_(target.timeouts) {}

io::Task<Connected> Connection::connect(Target target, const TlsContexts& tls) {
  Connected out;
  std::optional<io::Stream> stream;
  const Step connecting = Step::connect;
  auto trouble = co_await trouble_of(connect_to(target, stream), connecting);
  if (!trouble) {
    out.connection.reset(new Connection(std::move(*stream), target));
    trouble = co_await trouble_of(out.connection->open(target, tls), out.connection->step_);
  }
  if (trouble) {
    out.failure = std::move(*trouble);
    out.connection = nullptr;
  }
  co_return std::move(out);
}

bool Connection::usable() const {
  bool spent = extensions_.mail_max != 0 && messages_ >= extensions_.mail_max;
  return alive_ && !spent && stream_.is_idle();
}

io::Task<void> Connection::quit() {
  auto deadline = in(timeouts_.quit);
  try {
    if (alive_) {
      alive_ = false;
      co_await stream_.write("QUIT\r\n", deadline);
      co_await read_reply(stream_, deadline);
    }
  } catch (const io::Closed&) {   // an end is what was wanted
  } catch (const io::TimedOut&) {
  } catch (const ProtocolError&) {
  }
  co_await stream_.shutdown(deadline);
}

Deadline Connection::until(Timeouts::Span wait) const { return std::min(in(wait), message_ends_); }

io::Task<void> Connection::flush(Timeouts::Span wait) {
  co_await stream_.write(out_, until(wait));
  out_.clear();
}

io::Task<Reply> Connection::hear(Timeouts::Span wait) {
  auto reply = co_await read_reply(stream_, until(wait));
  // RFC 5321 3.8: it closes, whatever was asked.  What is not decided by then is deferred.
  if (reply.code == 421) throw Ended{Outcome::said(step_, std::move(reply))};
  co_return reply;
}

io::Task<Reply> Connection::ask(std::string_view command, Timeouts::Span wait) {
  out_ = command;
  co_await flush(wait);
  auto reply = co_await hear(wait);
  co_return reply;
}

}  // namespace postern::smtp_client
