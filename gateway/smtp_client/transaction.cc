// One mail transaction: RFC 5321 3.3, pipelined by RFC 2920, with LMTP's answers by RFC 2033 4.2.
#include "gateway/smtp_client/transaction.h"

#include <algorithm>

#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/smtp_client/trouble.h"

namespace postern::smtp_client {
namespace {

using Kind = Outcome::Kind;

// So many commands are on their way at most: their answers must fit the buffers of the sockets while the remote, whose
// answers nobody reads yet, still takes commands (RFC 2920 3.1).
constexpr std::size_t kWindow = 100;
constexpr std::size_t kKeepBuffer = 4096;

Outcome refused_here(std::string_view status, std::string text) {
  return Outcome::ours(Kind::permanent, Step::mail, status, std::move(text));
}

// RFC 5321 4.5.3.1.10: 452 says it, 552 is how old servers say it; neither is about this recipient.
bool says_too_many(const Reply& reply) {
  if (reply.code != 452 && reply.code != 552) return false;
  return reply.enhanced == "4.5.3" || reply.enhanced == "5.5.3" || ifind(reply.text, "too many recipients") != std::string::npos;
}

}  // namespace

Connection::Transaction::Transaction(const Envelope& e, std::span<const std::string_view> b, Purpose p)
    : envelope(e), body(b), purpose(p), outcomes(e.recipients.size()) {
  for (auto piece : body) octets += piece.size();
}

void Connection::Transaction::choose(const Extensions& offered) {
  std::optional<Outcome> refused;
  if (offered.max_size != 0 && octets > offered.max_size) {
    refused = refused_here("5.3.4", "the message has " + std::to_string(octets) + " octets, the next host takes " +
                                        std::to_string(offered.max_size));
  } else if (needs_utf8(envelope) && !offered.smtputf8) {
    refused = refused_here("5.6.7", "the message needs SMTPUTF8, which the next host does not offer");
  } else if (!is_speakable(envelope.sender)) {
    refused = refused_here("5.1.7", "the sender's address has a control character: \"" + printable(envelope.sender) + "\"");
  }
  utf8 = needs_utf8(envelope);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const auto& recipient = envelope.recipients[i];
    if (refused) {
      outcomes[i] = *refused;
    } else if (needs_utf8(recipient) && !offered.smtputf8) {
      outcomes[i] = refused_here("5.6.7", "the address needs SMTPUTF8, which the next host does not offer");
    } else if (!is_speakable(recipient.address)) {
      outcomes[i] = refused_here("5.1.3", "the address has a control character: \"" + printable(recipient.address) + "\"");
    } else if (offered.rcpt_max == 0 || named.size() < offered.rcpt_max) {   // RFC 9422 4.2
      named.push_back(i);
      utf8 = utf8 || needs_utf8(recipient);
    }
  }
}

Step Connection::Transaction::step_at(std::size_t position) const {
  if (position == 0) return Step::rset;
  if (position == 1) return Step::mail;
  if (position < 2 + named.size()) return Step::rcpt;
  return purpose == Purpose::probe ? Step::rset : Step::data;
}

bool Connection::Transaction::is_hopeless(std::size_t position) const {
  return mail_refused || (step_at(position) == Step::data && accepted.empty());
}

void Connection::Transaction::settle(const Outcome& outcome) {
  bool is_answer = outcome.accepted() || outcome.permanent() || outcome.kind == Kind::transient;
  for (; finished < accepted.size(); ++finished) {
    auto& mine = outcomes[accepted[finished]];
    mine = outcome;
    mine.maybe_delivered = handed_over && !is_answer;
  }
  for (; answered < named.size(); ++answered) outcomes[named[answered]] = outcome;
}

io::Task<std::vector<Outcome>> Connection::send(const Envelope& envelope, std::span<const std::string_view> body) {
  Transaction transaction(envelope, body, extensions_.chunking ? Transaction::Purpose::bdat : Transaction::Purpose::data);
  co_await carry_out(transaction);
  co_return std::move(transaction.outcomes);
}

io::Task<Outcome> Connection::probe(std::string sender, std::string recipient) {
  Envelope envelope;
  envelope.sender = std::move(sender);
  envelope.recipients.emplace_back().address = std::move(recipient);
  Transaction transaction(envelope, {}, Transaction::Purpose::probe);
  co_await carry_out(transaction);
  co_return std::move(transaction.outcomes.front());
}

io::Task<void> Connection::carry_out(Transaction& transaction) {
  CHECK(alive_);
  transaction.choose(extensions_);
  if (transaction.named.empty()) co_return;
  ++messages_;
  message_ends_ = in(timeouts_.message);
  auto trouble = co_await trouble_of(run(transaction), step_);
  message_ends_ = Deadline::max();
  if (out_.capacity() > kKeepBuffer) out_ = std::string();
  if (!trouble) co_return;
  alive_ = false;
  transaction.settle(*trouble);
}

io::Task<void> Connection::run(Transaction& transaction) {
  co_await say_envelope(transaction);
  if (transaction.finished < transaction.accepted.size()) {
    co_await say_body(transaction);
    co_await hear_end(transaction);
  } else if (transaction.go_ahead) {
    // RFC 2920 3.1: DATA went out with the RCPTs and was taken for nobody; an empty message goes to nobody.
    step_ = Step::end;
    co_await ask(".\r\n", timeouts_.end);
  }
}

io::Task<void> Connection::say_envelope(Transaction& transaction) {
  const std::size_t window = extensions_.pipelining ? kWindow : 1;
  std::size_t heard = needs_reset_ ? 0 : 1;
  while (heard < transaction.commands() && !transaction.is_hopeless(heard)) {
    std::size_t said = heard;
    while (said < transaction.commands() && said - heard < window) append_command(transaction, said++);
    step_ = transaction.step_at(heard);
    co_await flush(timeouts_.command);
    for (; heard < said; ++heard) {
      step_ = transaction.step_at(heard);
      auto wait = step_ == Step::data ? timeouts_.data : timeouts_.command;
      auto reply = co_await hear(wait);
      take_reply(transaction, heard, std::move(reply));
    }
    // Asking on would only earn errors, which servers count.
    if (transaction.full) transaction.named.resize(transaction.answered);
  }
  if (!transaction.accepted.empty()) co_return;
  // With nobody accepted there is no next transaction in which there would be more room.
  for (auto index : transaction.named) {
    auto& outcome = transaction.outcomes[index];
    if (outcome.kind == Kind::not_tried) outcome.kind = Kind::transient;
  }
}

void Connection::append_command(Transaction& transaction, std::size_t position) {
  auto step = transaction.step_at(position);
  if (step == Step::rset) out_ += "RSET\r\n";
  if (step == Step::mail) append_mail(out_, transaction.envelope, transaction.octets, transaction.utf8, extensions_);
  if (step == Step::rcpt) append_rcpt(out_, transaction.envelope.recipients[transaction.named[position - 2]], extensions_);
  if (step == Step::data) out_ += "DATA\r\n";
}

void Connection::take_reply(Transaction& transaction, std::size_t position, Reply reply) {
  auto step = transaction.step_at(position);
  if (step == Step::rset) {
    if (!reply.positive()) throw ProtocolError("refused: " + reply.sentence());
    needs_reset_ = false;
    return;
  }
  if (transaction.mail_refused) {   // what went out behind MAIL says no more, but for a DATA that is taken
    transaction.go_ahead = step == Step::data && reply.intermediate();
    return;
  }
  if (step == Step::data) {
    if (reply.positive()) throw ProtocolError("answer is \"" + reply.sentence() + "\"");
    transaction.go_ahead = reply.intermediate();
    if (!transaction.go_ahead) transaction.settle(Outcome::said(step, std::move(reply)));
    return;
  }
  bool too_many = step == Step::rcpt && says_too_many(reply);
  auto outcome = Outcome::said(step, std::move(reply));
  if (step == Step::mail) {
    needs_reset_ = outcome.accepted();
    transaction.mail_refused = !outcome.accepted();
    if (transaction.mail_refused) transaction.settle(outcome);
    return;
  }
  auto index = transaction.named[transaction.answered++];
  if (outcome.accepted() && transaction.purpose != Transaction::Purpose::probe) transaction.accepted.push_back(index);
  if (too_many) {
    outcome.kind = Kind::not_tried;
    transaction.full = true;
  }
  transaction.outcomes[index] = std::move(outcome);
}

io::Task<void> Connection::hear_end(Transaction& transaction) {
  step_ = Step::end;
  bool taken = true;
  while (transaction.finished < transaction.accepted.size()) {
    auto reply = co_await hear(timeouts_.end);
    auto outcome = Outcome::said(step_, std::move(reply));
    taken = taken && outcome.accepted();
    if (dialect_ == Dialect::smtp) {
      transaction.settle(outcome);
    } else {
      transaction.outcomes[transaction.accepted[transaction.finished++]] = std::move(outcome);
    }
  }
  // RFC 3030 2: behind a refused BDAT the state is unknown; behind a refused dot a RSET does no harm.
  needs_reset_ = !taken;
}

}  // namespace postern::smtp_client
