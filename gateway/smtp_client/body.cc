// The message itself: DATA with dots stuffed (RFC 5321 4.5.2), or one BDAT chunk (RFC 3030).
#include <algorithm>
#include <exception>

#include "gateway/io/errors.h"
#include "gateway/smtp_client/dot_stuffer.h"
#include "gateway/smtp_client/transaction.h"

namespace postern::smtp_client {
namespace {

// What is written at once, under one deadline.  Less is put together, so that a small message is one system call;
// more goes out from where it lies.
constexpr std::size_t kBlock = 64 * 1024;

}  // namespace

io::Task<void> Connection::say_body(Transaction& transaction) {
  step_ = Step::body;
  std::exception_ptr failure;
  try {
    co_await write_body(transaction);
  } catch (const io::Closed&) {
    failure = std::current_exception();
  } catch (const io::TimedOut&) {
    failure = std::current_exception();
  }
  transaction.handed_over = !failure;
  if (!failure) co_return;
  // Who refuses a message in its middle often answers, closes, and reads no more.
  auto reply = co_await last_words();
  if (reply && (reply->transient() || reply->permanent())) throw Ended{Outcome::said(step_, std::move(*reply))};
  std::rethrow_exception(failure);
}

io::Task<void> Connection::write_body(Transaction& transaction) {
  out_.reserve(std::min<std::uint64_t>(transaction.octets + 128, kBlock));
  if (transaction.purpose == Transaction::Purpose::bdat) {
    out_ += "BDAT " + std::to_string(transaction.octets) + " LAST\r\n";
    for (auto piece : transaction.body) {
      bool fits = out_.size() + piece.size() <= kBlock;
      if (fits) out_ += piece;
      if (!fits) co_await write_run(piece);
    }
  } else {
    DotStuffer stuffer;
    for (auto piece : transaction.body) {
      while (!piece.empty()) {
        bool dot = false;
        auto run = stuffer.next(piece, dot);
        if (dot) out_ += '.';
        bool fits = out_.size() + run.size() <= kBlock;
        if (fits) out_ += run;
        if (!fits) co_await write_run(run);
      }
    }
    out_ += stuffer.ending();
  }
  co_await flush(timeouts_.block);
}

io::Task<void> Connection::write_run(std::string_view run) {
  co_await flush(timeouts_.block);
  while (!run.empty()) {
    auto block = run.substr(0, kBlock);
    co_await stream_.write(block, until(timeouts_.block));
    run.remove_prefix(block.size());
  }
}

// What was answered already; never waits.
io::Task<std::optional<Reply>> Connection::last_words() {
  std::optional<Reply> out;
  try {
    auto reply = co_await read_reply(stream_, in(Timeouts::Span(0)));
    out = std::move(reply);
  } catch (const io::Closed&) {   // why the body could not be written is known better
  } catch (const io::TimedOut&) {
  } catch (const ProtocolError&) {
  }
  co_return out;
}

}  // namespace postern::smtp_client
