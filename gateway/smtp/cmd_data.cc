// DATA (RFC 5321 4.1.1.4) and BDAT (RFC 3030): the body, its judgement, its delivery, and the 250.
#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/delivery/deliverer.h"
#include "gateway/delivery/hand_on.h"
#include "gateway/delivery/list_post.h"
#include "gateway/directory/directory.h"
#include "gateway/io/errors.h"
#include "gateway/mail/received.h"
#include "gateway/smtp/session.h"

namespace postern::smtp {
namespace {

// RFC 5321 2.3.8; the connection must not go on: what follows could be a smuggled message.
Reply bare_newline() { return Reply(521, "5.5.2", "Bare CR or LF in the message, closing").then_close(); }

void count(Counters& counters, const MessageVerdict& verdict) {
  if (verdict.verdict == "ham") ++counters.ham;
  if (verdict.verdict == "junk") ++counters.junk;
  if (verdict.verdict == "quarantine") ++counters.quarantine;
  if (verdict.verdict == "reject") ++counters.rejected;
  if (verdict.verdict == "defer") ++counters.deferred;
}

void log_verdict(const delivery::Judged& message, const Reply& answer) {
  std::string rules;
  std::string_view last;
  for (const auto& hit : message.verdict.hits) {
    if (hit.rule != last) rules += (rules.empty() ? "" : ",") + hit.rule;
    last = hit.rule;
  }
  log::info("smtp.message", {{"session", message.client.session}, {"message", message.id}, {"ip", message.client.ip.to_string()},
                             {"from", message.sender.address}, {"recipients", std::to_string(message.recipients.size())},
                             {"size", std::to_string(message.received.size())}, {"verdict", message.verdict.verdict},
                             {"score", std::to_string(message.verdict.score)}, {"rules", rules},
                             {"reply", std::to_string(answer.code()) + " " + answer.text()}});
}

Reply store_trouble(const store::Change& change) {
  if (change.outcome == store::Outcome::no_space || change.outcome == store::Outcome::broken) return reply::no_space();
  if (change.outcome == store::Outcome::over_quota) return {452, "4.2.2", "Mailbox full, try again later"};
  return {451, "4.3.0", change.text.empty() ? "Not stored, try again later" : change.text};
}

// What a host behind, or the way to it, said, as an answer to our client.
Reply passed_back(const smtp_client::Outcome& outcome) {
  const auto& said = outcome.reply;
  bool permanent = outcome.permanent();
  // 421 would be a word on this connection, and our own verdict has no code.
  int code = said.code == 0 || said.code == 421 ? (permanent ? 554 : 451) : said.code;
  bool fits = !said.enhanced.empty() && said.enhanced.front() == (permanent ? '5' : '4');
  return Reply(code, fits ? said.enhanced : permanent ? "5.0.0" : "4.4.1", said.text.empty() ? "Refused by the server of this domain" : said.text);
}

}  // namespace

io::Task<Reply> Session::cmd_data(std::string argument) {
  if (!argument.empty()) co_return reply::syntax("DATA takes no argument");
  if (!transaction_) co_return reply::bad_sequence("MAIL first");
  if (transaction_->draft) co_return reply::bad_sequence("BDAT was begun; finish it or RSET");
  if (!has_recipients()) co_return reply::bad_sequence("RCPT first");
  stream_.enqueue(Reply(354, "", "End with a line that holds a single dot").wire());
  co_await stream_.flush(reply_deadline());
  io::Draft draft(settings_->draft_directory);
  auto end = co_await read_body(stream_, draft, body_limits());
  auto accepted = std::move(transaction_->accepted);
  auto answer = co_await finish_body(end, draft);
  co_return for_each_recipient(std::move(answer), accepted);
}

// RFC 2033 4.2: a reply for each RCPT that had 250, in their order, also when the connection ends with it.  All but
// the last are enqueued.
Reply Session::for_each_recipient(Reply answer, const std::vector<std::string>& accepted) {
  if (!is_lmtp()) return answer;
  auto to = [&](const std::string& address) { return answer.with_text("<" + printable(address, 256) + "> " + answer.text()); };
  for (std::size_t i = 0; i + 1 < accepted.size(); ++i) stream_.enqueue(to(accepted[i]).wire());
  return to(accepted.back());
}

io::Task<Reply> Session::cmd_bdat(std::string argument) {
  // Not offered by LMTP; the octets that follow are not to be read as commands.
  if (is_lmtp()) co_return Reply(502, "5.5.1", "BDAT is not offered by LMTP").then_close();
  auto parts = words(argument);
  auto octets = parts.empty() ? std::nullopt : parse_number(parts[0]);
  bool last = parts.size() == 2 && iequals(parts[1], "LAST");
  if (!octets || parts.size() > 2 || (parts.size() == 2 && !last)) {
    // How many octets follow is unknown: the dialogue is out of step.
    co_return Reply(501, "5.5.4", "Syntax: BDAT size [LAST]").then_close();
  }
  io::Draft nowhere(settings_->draft_directory);
  bool wanted = transaction_ && has_recipients();
  auto limits = body_limits();
  if (wanted && !transaction_->draft) {
    transaction_->draft = std::make_unique<io::Draft>(settings_->draft_directory);
    transaction_->body_ends = limits.whole;
  } else if (wanted) {
    limits.whole = transaction_->body_ends;
    // Small chunks may be in the buffer already and wait for nothing.
    if (std::chrono::steady_clock::now() > limits.whole) throw io::TimedOut();
  }
  // The client may wait for what was said to MAIL and RCPT before it sends the chunk, RFC 2920 3.2.
  if (stream_.buffered().size() < *octets) co_await stream_.flush(reply_deadline());
  char scrap = 0;
  if (!wanted) limits.max_octets = 0;   // RFC 3030 2: an unwanted chunk is read and thrown away
  auto end = co_await read_chunk(stream_, wanted ? *transaction_->draft : nowhere, *octets,
                                 wanted ? transaction_->last_octet : scrap, limits);
  if (!wanted) co_return reply::bad_sequence("MAIL and RCPT first");
  if (transaction_->body == BodyEnd::complete) transaction_->body = end;
  // The chunk that is too much is refused at once: the chunks behind it find no transaction.
  bool hopeless = transaction_->body == BodyEnd::too_big || transaction_->body == BodyEnd::no_space;
  if (!last && !hopeless) co_return Reply(250, "2.0.0", std::to_string(*octets) + " octets received");
  end = transaction_->body;
  if (end == BodyEnd::complete && transaction_->last_octet != '\n' && transaction_->draft->size() > 0) {
    // The store's records end with a line end, as DATA's always do.
    if (!transaction_->draft->append(transaction_->last_octet == '\r' ? "\n" : "\r\n")) end = BodyEnd::no_space;
  }
  auto draft = std::move(transaction_->draft);
  if (end == BodyEnd::bare_newline) {
    ++services_.counters->bare_newlines;
    log::warning("smtp.bare_newline", {{"session", client_.session}, {"ip", client_.ip.to_string()}});
    auto refused = with_id(Reply(554, "5.6.0", "Bare CR or LF in the message"));
    trace_refused("data", refused);
    forget_transaction();
    co_return refused;
  }
  auto answer = co_await finish_body(end, *draft);
  co_return answer;
}

// An alias that has a foreign target has sent it out, and nobody but that alias is to get it now.
bool Session::has_come_back(std::string_view message) const {
  const auto& all = transaction_->recipients;
  if (all.empty()) return false;   // it only releases something
  bool aliases = std::all_of(all.begin(), all.end(), [](const Recipient& recipient) { return !recipient.given.empty(); });
  if (!aliases) return false;
  auto been = mail::delivered_to(message);
  return std::all_of(all.begin(), all.end(), [&](const Recipient& recipient) {
    return been.contains(ascii_lowered(recipient.given)) || (!recipient.sent_by.empty() && been.contains(recipient.sent_by));
  });
}

// What goes to mailing lists alone and can be a message of none of them.  Where others get it too, their copies are good.
std::optional<Reply> Session::refuse_for_lists(std::string_view message) const {
  std::string why;
  for (const auto& recipient : transaction_->recipients) {
    auto to = services_.directory->resolve(recipient.address);
    if (to.kind != directory::Resolution::Kind::list) return std::nullopt;
    auto unfit = delivery::unfit_for_list(message, to.account_address, to.list_role);
    if (unfit.empty()) return std::nullopt;
    why = "<" + printable(recipient.address, 100) + ">: " + unfit;
  }
  return Reply(554, why.find(": a loop") != std::string::npos ? "5.4.6" : "5.7.1", why);
}

io::Task<Reply> Session::finish_body(BodyEnd end, io::Draft& draft) {
  if (end == BodyEnd::bare_newline) {
    ++services_.counters->bare_newlines;
    log::warning("smtp.bare_newline", {{"session", client_.session}, {"ip", client_.ip.to_string()}});
    auto answer = with_id(bare_newline());
    trace_refused("data", answer);
    co_return answer;
  }
  std::optional<Reply> trouble;
  Octets received;
  if (end == BodyEnd::too_big) {
    trouble = reply::too_big();
  } else if (end == BodyEnd::no_space) {
    trouble = reply::no_space();
  } else {
    auto finished = draft.finish();
    if (!finished) {
      log::error("smtp.draft", {{"session", client_.session}, {"what", finished.error().text}});
      trouble = reply::no_space();
    } else {
      received = std::move(*finished);
    }
  }
  if (!trouble && mail::count_received(received.view()) > settings_->received_limit) {
    trouble = Reply(554, "5.4.6", "Too many Received fields: this message goes round in circles");
  }
  if (!trouble && account_) trouble = complete_submitted(received);
  if (!trouble && has_come_back(received.view())) trouble = Reply(554, "5.4.6", "This message was sent on from here before: it goes round in circles");
  if (!trouble && !transaction_->releases.empty()) trouble = co_await release_held();
  if (!trouble && !is_lmtp()) trouble = refuse_for_lists(received.view());   // by LMTP it is held
  if (trouble && trouble->is_error()) {   // before it was judged
    trouble = with_id(*trouble);
    trace_refused("data", *trouble);
  }
  if (!trouble) trouble = co_await judge_and_deliver(std::move(received));
  forget_transaction();
  idle_commands_ = 0;
  co_return *trouble;
}

io::Task<Reply> Session::judge_and_deliver(Octets received) {
  auto judged = std::make_shared<delivery::Judged>();
  auto& message = *judged;
  message.id = transaction_->id;
  message.client = origin();
  if (forwarded_) message.relay = client_;
  message.sender = transaction_->sender;
  message.recipients = transaction_->recipients;
  message.received = std::move(received);
  message.when = std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  message.verdict = co_await examination_->on_message(message.client, message.id, message.received, message.recipients);
  ++services_.counters->messages;
  services_.counters->octets += message.received.size();
  const auto& verdict = message.verdict;
  if (verdict.verdict == "reject" || verdict.verdict == "defer") {
    count(*services_.counters, verdict);
    Reply answer = verdict.verdict == "reject" ? Reply(550, "5.7.1", verdict.reply)
                                               : Reply(451, verdict.error ? "4.7.0" : "4.7.1", verdict.reply);
    log_verdict(message, answer);
    co_await services_.deliverer->record(judged, answer.text());
    co_return answer;
  }
  Reply answer(250, "2.0.0", "Accepted as " + message.id);
  auto handed = co_await hand_through(judged, answer);
  if (handed) co_return *handed;
  auto stored = co_await services_.deliverer->deliver(judged, answer.text());
  if (stored.ok()) {
    count(*services_.counters, verdict);
  } else {
    ++services_.counters->deferred;
    answer = store_trouble(stored);
    trace_refused("store", answer);   // the commit that failed had its trace
    log::error("smtp.not_stored", {{"session", client_.session}, {"message", message.id}, {"what", stored.text}});
  }
  log_verdict(message, answer);
  co_return answer;
}

// What is to be said of a message that the host behind was given at once; nothing: it is to be delivered as usual.
io::Task<std::optional<Reply>> Session::hand_through(std::shared_ptr<delivery::Judged> judged, Reply answer) {
  // What our users send is counted and may be held, which only a commit of ours can do.
  if (services_.through == nullptr || judged->client.outgoing()) co_return std::nullopt;
  auto handed = co_await delivery::hand_on(*services_.deliverer, *services_.through, judged, answer.text());
  if (handed.end == delivery::HandedOn::End::not_meant) co_return std::nullopt;
  if (handed.end == delivery::HandedOn::End::taken) {
    count(*services_.counters, judged->verdict);
  } else {
    answer = passed_back(handed.outcome);
    if (answer.code() >= 500) ++services_.counters->rejected;
    else ++services_.counters->deferred;
    co_await services_.deliverer->record(judged, answer.text());
  }
  log_verdict(*judged, answer);
  co_return answer;
}

}  // namespace postern::smtp
