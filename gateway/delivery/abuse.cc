// Bounces and complaints: what they prove, whom they concern, and when somebody must be told.
#include "gateway/delivery/abuse.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/delivery/notice.h"
#include "gateway/delivery/report.h"
#include "gateway/io/loop.h"
#include "gateway/mail/received.h"
#include "gateway/mail/xtext.h"

namespace postern::delivery {
namespace {

constexpr std::int64_t kHour = 3600, kDay = 24 * kHour;
constexpr std::size_t kWords = 200;

std::string_view domain_of(std::string_view address) { return address.substr(std::min(address.rfind('@') + 1, address.size())); }

// What the rules did not let pass as good mail.
bool is_bad(const smtp::MessageVerdict& verdict) {
  if (verdict.verdict == "quarantine" || verdict.verdict == "reject" || verdict.verdict == "junk") return true;
  return std::any_of(verdict.recipients.begin(), verdict.recipients.end(), [](const smtp::RecipientVerdict& copy) {
    return copy.action == smtp::Action::quarantine || copy.action == smtp::Action::reject || copy.folder == "Junk";
  });
}

// RFC 5965 7.3.  Of what else there is, "not-spam" is praise, and "auth-failure" (RFC 6591) is about forgers.
bool is_complaint(const mail::Feedback& feedback) {
  return feedback.kind == mail::Feedback::Kind::complaint && (feedback.type == "abuse" || feedback.type == "fraud" || feedback.type == "virus");
}

bool is_dead_end(const mail::ReportedRecipient& recipient) { return recipient.action == "failed" && AbuseDesk::is_dead(recipient.status); }

// The one of our recipients that the report means; "": none.
std::string match(const mail::ReportedRecipient& recipient, const std::set<std::string>& ours) {
  for (const auto& address : {recipient.original, mail::xtext_decoded(recipient.original), recipient.final_one}) {
    auto lower = ascii_lowered(address);
    if (ours.contains(lower)) return lower;
  }
  return "";
}

std::string times(std::size_t count, std::string_view one, std::string_view several) {
  return std::to_string(count) + " " + std::string(count == 1 ? one : several);
}

}  // namespace

bool AbuseDesk::is_dead(std::string_view status) {
  // Not 5.1.7 and 5.1.8, which are about the sender.
  for (std::string_view dead : {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"}) {
    if (status == dead) return true;
  }
  return false;
}

bool AbuseDesk::is_dead(const smtp_client::Outcome& outcome) {
  bool of_recipient = outcome.reply.code == 0 || outcome.step >= smtp_client::Step::rcpt;
  return outcome.permanent() && of_recipient && is_dead(outcome.status());
}

// Nothing: there is no such message of ours.  An Error: nobody can tell now.
io::Task<Result<std::optional<AbuseDesk::Proof>>> AbuseDesk::prove(std::string id, std::string message_id) {
  using nlohmann::json;
  std::optional<Proof> out;
  auto row = co_await parts_.store.get("trace:" + id);
  if (!row) co_return row.error();
  if (!*row) co_return out;
  auto trace = json::parse(**row, nullptr, false);
  bool sound = trace.is_object() && trace.contains("recipients") && trace["recipients"].is_object();
  if (!sound) co_return out;
  auto text = [&](const char* key) { return trace.contains(key) && trace[key].is_string() ? trace[key].get<std::string>() : std::string(); };
  auto login = text("login");
  bool ours = !login.empty() || (trace.contains("trusted") && trace["trusted"] == true);
  bool same = message_id.empty() || text("message_id").empty() || text("message_id") == message_id;
  if (!ours || !same) co_return out;
  out.emplace();
  out->id = std::move(id);
  if (auto account = login.empty() ? std::nullopt : parts_.store.account(login)) out->account = account->id;
  for (const auto& [address, fate] : trace["recipients"].items()) out->recipients.insert(ascii_lowered(address));
  co_return out;
}

io::Task<AbuseDesk::Noted> AbuseDesk::look_at(std::shared_ptr<const Judged> message) {
  Noted noted;
  if (!message->client.outgoing()) {
    if (mail::is_report(message->received.view())) noted = co_await reported(std::move(message));
    co_return noted;
  }
  auto account = message->let_go || !is_bad(message->verdict) ? std::nullopt : parts_.store.account(message->client.login);
  if (!account) co_return noted;
  ++figures_.held;
  std::vector<Raised> raised;
  {
    std::lock_guard lock(mutex_);
    noted.held_.emplace_back(account->id, to_unix(clock_.now()));
    touch(account->id, Trouble::held, message->id, noted, raised);
  }
  tell(raised, noted);
  co_return noted;
}

io::Task<AbuseDesk::Noted> AbuseDesk::reported(std::shared_ptr<const Judged> message) {
  Noted noted;
  auto feedback = mail::parse_feedback(message->received.view());
  if (!feedback) co_return noted;
  bool complaint = is_complaint(*feedback);
  bool bounces = std::any_of(feedback->recipients.begin(), feedback->recipients.end(), is_dead_end);
  if (!complaint && !bounces) co_return noted;
  std::optional<Proof> proof;
  std::string why = "it brings back no message that passed here";
  auto message_id = mail::message_id_of(feedback->header);
  if (message_id.empty()) message_id = "(none)";   // a message of ours has one
  auto ids = mail::ids_given_by(feedback->header, parts_.hostname);
  for (const auto& id : ids) {
    auto found = co_await prove(id, message_id);
    if (!found) why = "what was sent cannot be read now: " + found.error().text;
    else if (*found) proof = std::move(*found);
    else why = "it brings back a message that was not sent by a user or a server of ours";
    if (proof) break;
  }
  if (proof && complaint) take_complaint(*feedback, *proof, *message, noted);
  if (proof && !complaint) why = take_bounces(*feedback, *proof, noted);
  if (!proof || (!complaint && !why.empty())) {
    ++figures_.unproved;
    log::info("abuse.unproved", {{"message", message->id}, {"report", complaint ? feedback->type : "bounce"}, {"why", why}});
  }
  co_return noted;
}

// Many who pass complaints on hide the reader's address: of a message with one recipient it is known all the same.
// Who got the same message could complain in the name of the others: then their own domain has to say so.
void AbuseDesk::take_complaint(const mail::Feedback& feedback, const Proof& proof, const Judged& report, Noted& noted) {
  auto speaks_for = [&](const std::string& address) {
    return proof.recipients.size() == 1 || (report.verdict.sender_proved && iequals(domain_of(address), domain_of(report.sender.address)));
  };
  std::set<std::string> readers;
  for (const auto& address : feedback.rcpt_to) {
    if (proof.recipients.contains(ascii_lowered(address))) readers.insert(ascii_lowered(address));
  }
  if (readers.empty() && proof.recipients.size() == 1) readers = proof.recipients;
  auto account = proof.account == 0 ? std::nullopt : parts_.store.account(proof.account);
  log::info("abuse.complaint", {{"message", proof.id}, {"user", account ? account->address : ""}, {"type", feedback.type},
                                {"to", readers.empty() ? "" : *readers.begin()}});
  std::vector<Raised> raised;
  if (account) {
    std::lock_guard lock(mutex_);
    auto& known = records_[account->id].complained;
    bool again = std::find(known.begin(), known.end(), proof.id) != known.end();
    if (!again) ++figures_.complaints;
    for (const auto& address : readers) {
      if (parts_.directory.is_ours(domain_of(address)) || !speaks_for(address)) continue;
      suppressions_.complained(account->id, address, proof.id, "he reported a message as " + printable(feedback.type, 40), clock_.now(), noted.rows);
    }
    touch(account->id, again ? std::nullopt : std::optional(Trouble::complaint), proof.id, noted, raised);
  } else {
    ++figures_.complaints;
  }
  tell(raised, noted);
}

// Why the report proves nothing; "": it does.
std::string AbuseDesk::take_bounces(const mail::Feedback& feedback, const Proof& proof, Noted& noted) {
  std::vector<Raised> raised;
  bool any = false;
  {
    std::lock_guard lock(mutex_);
    for (const auto& recipient : feedback.recipients) {
      auto address = is_dead_end(recipient) ? match(recipient, proof.recipients) : "";
      if (address.empty()) continue;
      any = true;
      auto words = recipient.diagnostic.empty() ? recipient.status : recipient.diagnostic;
      if (!recipient.remote.empty()) words += " (" + recipient.remote + ")";
      bounced({address, proof.id, printable(words, kWords), true, proof.account}, proof, noted, raised);
    }
  }
  tell(raised, noted);
  return any ? "" : "it names nobody to whom the message went";
}

// Under the lock.
void AbuseDesk::bounced(const Suppressions::Bounce& bounce, const Proof& proof, Noted& noted, std::vector<Raised>& raised) {
  if (parts_.directory.is_ours(domain_of(bounce.address))) return;
  bool counted = suppressions_.bounced(bounce, clock_.now(), noted.rows);
  if (counted) ++figures_.bounces;
  log::info("abuse.bounce", {{"message", bounce.message}, {"to", bounce.address}, {"reply", bounce.words}, {"late", bounce.late ? "yes" : "no"},
                             {"suppressed", suppressions_.find(proof.account, bounce.address, clock_.now()) ? "yes" : "no"}});
  if (proof.account != 0) touch(proof.account, counted ? std::optional(Trouble::bounce) : std::nullopt, bounce.message, noted, raised);
}

io::Task<AbuseDesk::Noted> AbuseDesk::refused(std::string message_id, std::vector<Refusal> refusals) {
  Noted noted;
  auto proof = co_await prove(message_id, "");
  if (!proof) log::warning("abuse.bounce", {{"message", message_id}, {"what", proof.error().text}, {"action", "not counted"}});
  if (!proof || !*proof) co_return noted;   // what strangers send through an address of ours says nothing of our users
  std::vector<Raised> raised;
  {
    std::lock_guard lock(mutex_);
    // Members of a list, targets of forwards: the author has not chosen them.
    Proof of_nobody = **proof;
    of_nobody.account = 0;
    for (const auto& each : refusals) {
      const auto& whose = (*proof)->recipients.contains(ascii_lowered(each.address)) ? **proof : of_nobody;
      bounced({each.address, message_id, printable(each.words, kWords), false, whose.account}, whose, noted, raised);
    }
  }
  tell(raised, noted);
  co_return noted;
}

std::vector<store::Row> AbuseDesk::accepted(const std::vector<std::string>& addresses) {
  std::vector<store::Row> rows;
  std::lock_guard lock(mutex_);
  for (const auto& address : addresses) suppressions_.accepted(address, clock_.now(), rows);
  return rows;
}

void AbuseDesk::prune(Record& record, std::int64_t now) {
  for (auto& of_kind : record.times) {
    bool complaints = &of_kind == &record.times[static_cast<std::size_t>(Trouble::complaint)];
    while (!of_kind.empty() && (of_kind.front() + kDay <= now || of_kind.size() > kMost)) {
      of_kind.pop_front();
      if (complaints && !record.complained.empty()) record.complained.pop_front();
    }
  }
}

// What is above its limit within an hour; "": nothing.
std::string AbuseDesk::too_much(const Record& record, std::int64_t now) const {
  auto within = [&](Trouble trouble) {
    const auto& all = record.times[static_cast<std::size_t>(trouble)];
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](std::int64_t time) { return time + kHour > now; }));
  };
  auto passed = [](std::size_t count, std::uint64_t limit) { return limit != 0 && count >= limit; };
  auto complaints = within(Trouble::complaint), held = within(Trouble::held), bounces = within(Trouble::bounce);
  if (passed(complaints, settings_.alarm_complaints)) return times(complaints, "complaint", "complaints") + " within an hour";
  if (passed(held, settings_.alarm_held)) return times(held, "message", "messages") + " held, refused or called spam within an hour";
  if (passed(bounces, settings_.alarm_bounces)) return times(bounces, "dead address", "dead addresses") + " written to within an hour";
  return "";
}

// Under the lock.  Without `trouble`: it is counted already, and only its rows and its alarm may be missing in the store.
void AbuseDesk::touch(store::AccountId id, std::optional<Trouble> trouble, const std::string& message, Noted& noted, std::vector<Raised>& raised) {
  auto account = parts_.store.account(id);
  if (!account) return;
  auto& record = records_[id];
  auto now = to_unix(clock_.now());
  if (trouble) record.times[static_cast<std::size_t>(*trouble)].push_back(now);
  if (trouble == Trouble::complaint) record.complained.push_back(message);
  prune(record, now);
  auto what = too_much(record, now);
  bool is_stopped = parts_.ledger != nullptr && parts_.ledger->stopped(id).has_value();
  bool stops = !what.empty() && settings_.alarm_stops && parts_.ledger != nullptr && !is_stopped;
  bool fresh = record.alarmed == Time{} || clock_.now() >= record.alarmed + std::chrono::hours(24) || clock_.now() < record.alarmed;
  if (!what.empty() && (fresh || stops)) {
    Noted::Alarm alarm{id, record.alarmed, std::nullopt};
    if (stops) alarm.stop = parts_.ledger->stop_with(id, what);
    if (alarm.stop) noted.rows.insert(noted.rows.end(), alarm.stop->rows.begin(), alarm.stop->rows.end());
    noted.alarms_.push_back(std::move(alarm));
    record.alarmed = clock_.now();
    record.what = what;
    ++figures_.alarms;
    raised.push_back({*account, what, message, stops, is_stopped});
  }
  noted.rows.push_back({"abuse:" + std::to_string(id), encode(record)});
}

void AbuseDesk::tell(const std::vector<Raised>& raised, Noted& noted) const {
  for (const auto& each : raised) {
    const auto& user = each.account.address;
    log::warning("abuse.alarm", {{"user", user}, {"message", each.message}, {"what", each.what}, {"stopped", each.stops ? "yes" : each.is_stopped ? "before" : "no"}});
    std::string text = "Mail that " + user + " sends makes trouble:\r\n\r\n  " + each.what + "\r\n\r\n";
    text += "The last of these messages is " + each.message + ".  ";
    if (each.stops) text += "He may send no more (alarm_stops = true).\r\n\r\n";
    else text += each.is_stopped ? "He may send no more since an earlier time.\r\n\r\n" : "He may still send.\r\n\r\n";
    text += "What of his mail waits, and to whom he may not write any more:\r\n\r\n";
    text += "  postern queue list --from " + user + "\r\n  postern suppression list --user " + user + "\r\n\r\n";
    text += "What the rules held lies in his mailbox Held.  To stop him, and where somebody else\r\nhas his password:\r\n\r\n";
    text += "  postern user stop " + user + "\r\n  postern user password " + user + "\r\n\r\nAfterwards, if he may send what is held, or not:\r\n\r\n";
    text += "  postern user resume " + user + " --send\r\n  postern user resume " + user + " --discard\r\n\r\n";
    text += "The limits are in [abuse] of the configuration.  There is one such mail a day for\r\neach user; what comes after it is in the log (event=abuse.bounce, abuse.complaint)\r\nand in \"postern status\".\r\n";
    auto note = note_to_postmaster(parts_.directory, parts_.hostname, "Alarm: mail by " + user, text);
    for (auto& item : note.items) noted.mail.push_back(std::move(item));
  }
}

// Bounces and complaints stay counted: their reports, or the next attempt, come again, and are not counted twice.
void AbuseDesk::not_committed(const Noted& noted) {
  std::lock_guard lock(mutex_);
  for (const auto& [account, time] : noted.held_) {
    auto& held = records_[account].times[static_cast<std::size_t>(Trouble::held)];
    auto found = std::find(held.begin(), held.end(), time);
    if (found != held.end()) held.erase(found);
  }
  for (const auto& alarm : noted.alarms_) {
    records_[alarm.account].alarmed = alarm.before;
    if (alarm.stop && parts_.ledger != nullptr) parts_.ledger->not_committed(alarm.account, *alarm.stop);
  }
}

}  // namespace postern::delivery
