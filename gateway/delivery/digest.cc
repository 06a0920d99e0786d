// What is new in each quarantine, as a mail.
#include "gateway/delivery/digest.h"

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/delivery/deliverer.h"
#include "gateway/delivery/link_release.h"
#include "gateway/delivery/own_mail.h"
#include "gateway/directory/own_hosts.h"
#include "gateway/delivery/schedule.h"
#include "gateway/directory/directory.h"
#include "gateway/io/loop.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/headers.h"

namespace postern::delivery {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBatch = 50;        // a row can have hundreds of KiB
constexpr std::size_t kMostLines = 100;   // of one mail: nobody reads more
constexpr auto kPause = 5ms;              // between two users
constexpr auto kEvery = 5s;
constexpr auto kAfterFailure = 10min;
constexpr unsigned kTries = 6;            // then who cannot be told waits for the next time of day
constexpr const char* kDoneRow = "digest:done";   // the last time of day for which all users were told
constexpr auto kClockJump = 24h;

std::string row_of(store::AccountId account) { return "digest:" + std::to_string(account); }

std::string field_of(const store::MessageRow& row, mail::EnvelopeView::Field field) {
  auto view = mail::EnvelopeView::read(row.envelope);
  auto value = view ? view->get(field) : std::nullopt;
  return value ? mail::readable(*value) : "";
}

DigestLine line_of(const store::MessageRow& row) {
  DigestLine out;
  out.id = row.id;
  out.from = field_of(row, mail::EnvelopeView::from);
  out.subject = field_of(row, mail::EnvelopeView::subject);
  out.sender = row.held->sender;
  out.message_class = row.held->message_class;
  out.reason = row.held->reason;
  out.score = row.held->score;
  out.date = row.internal_date;
  return out;
}

std::optional<Time> time_in(std::string_view text) {
  auto seconds = parse_number(text);
  constexpr std::uint64_t kLatest = 1ULL << 40;
  return seconds && *seconds < kLatest ? std::optional(from_unix(static_cast<std::int64_t>(*seconds))) : std::nullopt;
}

// A mailbox of ours gets mail at its own domain; a server, or hosts of the user's own, behind us would look for such an address among its users.
std::string reply_domain_of(const config::Config& config, const store::Account& account) {
  if (directory::has_own_hosts(account)) return config.hostname;
  const auto& address = account.address;
  auto domain = address.substr(address.rfind('@') + 1);
  for (const auto& each : config.domains) {
    if (each.name == domain && each.relay.hosts.empty()) return domain;
  }
  return config.hostname;
}

}  // namespace

// One digest of a user at a time: two would list the same.
class Digests::Busy {
 public:
  Busy(std::set<store::AccountId>& all, store::AccountId account) : all_(all), account_(account), alone_(all.insert(account).second) {}
  Busy(const Busy&) = delete;
  ~Busy() {
    if (alone_) all_.erase(account_);
  }
  bool alone() const { return alone_; }

 private:
  std::set<store::AccountId>& all_;
  store::AccountId account_;
  bool alone_;
};

// The row of a user: the mailbox, the last uid in it that he was told of, and the time of day that it was for.
struct Digests::Told {
  store::MailboxId mailbox = 0;
  store::Uid seen = 0;
  Time period{};
};

io::Task<Result<Digests::Told>> Digests::told(store::AccountId account) {
  auto row = co_await parts_.store.get(row_of(account));
  if (!row) co_return row.error();
  Told out;
  if (!*row) co_return out;
  auto parts = words(**row);
  auto mailbox = parts.size() == 3 ? parse_number(parts[0]) : std::nullopt;
  auto seen = parts.size() == 3 ? parse_number(parts[1]) : std::nullopt;
  auto period = parts.size() == 3 ? time_in(parts[2]) : std::nullopt;
  if (!mailbox || !seen || *seen > 0xffffffffU || !period) {
    log::error("digest.row", {{"account", std::to_string(account)}, {"what", "damaged: everything that is held counts as new"}});
    co_return out;
  }
  out.mailbox = *mailbox;
  out.seen = static_cast<store::Uid>(*seen);
  out.period = *period;
  co_return out;
}

io::Task<Result<Digests::Prepared>> Digests::prepare(store::Account account) {
  Prepared out;
  auto tokens = parts_.keys.current();
  if (!tokens) co_return Error("there are no keys for links yet");
  auto before = co_await told(account.id);
  if (!before) co_return before.error();
  auto now = parts_.clock.now();
  const auto& config = parts_.config;
  out.mail.id = new_id();
  out.mail.user = account.address;
  out.mail.language = config.language_of(account.address);
  out.mail.hostname = config.hostname;
  out.mail.public_url = config.public_url;
  out.mail.reply_domain = reply_domain_of(config, account);
  out.mail.when = now;
  out.mail.valid_until = now + config.digest.valid;
  out.period = before->period;
  auto quarantine = parts_.store.mailbox(account.id, store::SpecialUse::quarantine);
  if (!quarantine) co_return out;
  out.mailbox = quarantine->id;
  out.seen = before->mailbox == quarantine->id ? before->seen : 0;
  auto added = co_await add_lines(*tokens, account.id, out);
  if (!added) co_return added.error();
  co_return out;
}

io::Task<Status> Digests::add_lines(const directory::LinkTokens& tokens, store::AccountId account, Prepared& out) {
  auto classes = parts_.config.digest.classes;
  auto wanted = [&](const store::MessageRow& row) {
    return may_offer(row) && std::find(classes.begin(), classes.end(), row.held->message_class) != classes.end();
  };
  auto& lines = out.mail.lines;
  auto info = parts_.store.mailbox(out.mailbox);
  store::Uid next = info && info->messages > 0 && info->uidnext > out.seen + 1 ? out.seen + 1 : 0;
  while (next != 0) {
    auto rows = co_await parts_.store.messages(out.mailbox, next, 0xffffffffU, kBatch);
    if (!rows) co_return rows.error();
    next = rows->size() == kBatch ? rows->back().uid + 1 : 0;
    for (const auto& row : *rows) {
      out.seen = row.uid;
      if (!wanted(row)) continue;
      lines.push_back(line_of(row));
      lines.back().token = release_token(tokens, account, row, out.mail.valid_until);
    }
    if (lines.size() <= kMostLines) continue;
    auto too_many = lines.size() - kMostLines;   // the newest stay
    out.mail.more += too_many;
    lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(too_many));
  }
  co_return Status();
}

// Without `due` it is out of turn, and what the next time of day brings is not touched.
io::Task<Result<std::size_t>> Digests::send(store::Account account, std::optional<Time> due) {
  auto before = co_await told(account.id);
  if (!before) co_return before.error();
  if (due && before->period >= *due) co_return std::size_t{0};   // before a crash
  auto prepared = co_await prepare(account);
  if (!prepared) co_return prepared.error();
  auto count = prepared->mail.lines.size() + prepared->mail.more;
  auto period = due.value_or(prepared->period);
  store::Delivery delivery;
  delivery.rows.push_back({row_of(account.id), std::to_string(prepared->mailbox) + " " + std::to_string(prepared->seen) + " " + std::to_string(to_unix(period))});
  if (count == 0) {
    // What is of no class that he is told of is not read each time again.
    if (prepared->mailbox == 0 || (prepared->mailbox == before->mailbox && prepared->seen == before->seen)) co_return std::size_t{0};
    auto written = co_await parts_.store.write(std::move(delivery.rows));
    if (!written.ok()) co_return Error(account.address + ": " + written.text);
    co_return std::size_t{0};
  }
  auto message = digest_message(prepared->mail);
  delivery.items.push_back(own_item(parts_.directory, prepared->mail.id, Octets(std::move(message)), prepared->mail.when, account.address, !is_ascii(account.address)));
  if (delivery.items.front().targets.empty() && delivery.items.front().onward.empty()) co_return Error(account.address + ": nobody takes this mail now");
  auto sent = co_await parts_.deliverer->send_own(std::move(delivery));
  if (!sent.ok()) co_return Error(account.address + ": " + sent.text);
  log::info("digest.sent", {{"user", account.address}, {"message", prepared->mail.id}, {"lists", std::to_string(count)}});
  co_return count;
}

io::Task<Result<std::size_t>> Digests::send_now(store::Account account) {
  Busy busy(busy_, account.id);
  if (!busy.alone()) co_return Error(account.address + ": a digest is being sent just now");
  auto sent = co_await send(account, std::nullopt);
  co_return sent;
}

io::Task<Result<std::size_t>> Digests::send_to_all(Time due) {
  std::size_t mails = 0;
  Status wrong;
  if (round_.due != due) round_ = {due, {}, 0};
  bool last = ++round_.tries >= kTries;
  auto accounts = parts_.store.accounts();
  for (const auto& account : accounts) {
    auto quarantine = parts_.store.mailbox(account.id, store::SpecialUse::quarantine);
    auto at = account.address.find('@');
    // Of a domain that is not ours any more the mail would go to whoever has it now, and the tokens with it.
    bool user = at != std::string::npos && parts_.directory.is_ours(account.address.substr(at + 1));
    if (!user || !quarantine || quarantine->messages == 0 || round_.done.contains(account.id)) continue;
    Busy busy(busy_, account.id);
    if (!busy.alone()) continue;   // the administrator sends it this very moment
    auto sent = co_await send(account, due);
    if (!sent) {
      wrong = sent.error();
      log::warning("digest.not_sent", {{"what", sent.error().text}, {"next", last ? "at the next time of day" : "in ten minutes"}});
    } else {
      round_.done.insert(account.id);
      mails += *sent > 0 ? 1 : 0;
    }
    co_await io::sleep_until(in(kPause));
  }
  if (!wrong && !last) co_return wrong.error();
  co_return mails;
}

io::Task<Result<std::size_t>> Digests::send_due() {
  auto now = parts_.clock.now();
  auto due = last_due(parts_.config.digest.at, now);
  if (!due) co_return std::size_t{0};
  auto row = co_await parts_.store.get(kDoneRow);
  if (!row) co_return row.error();
  auto done = *row ? time_in(**row) : std::nullopt;
  // The first time that anybody is told is the next one; and what a clock has said that was wrong is forgotten.
  bool first = !done || *done > now + kClockJump;
  if (!first && *done >= *due) co_return std::size_t{0};
  std::size_t mails = 0;
  if (!first) {
    auto sent = co_await send_to_all(*due);
    if (!sent) co_return sent.error();
    mails = *sent;
    log::info("digest.done", {{"mails", std::to_string(mails)}});
  }
  std::vector<store::Row> rows;
  rows.push_back({kDoneRow, std::to_string(to_unix(*due))});
  auto written = co_await parts_.store.write(std::move(rows));
  if (!written.ok()) co_return Error("the time of the digest cannot be written: " + written.text);
  co_return mails;
}

io::Task<void> Digests::run() {
  for (;;) {
    auto sent = co_await send_due();
    if (!sent) log::warning("digest", {{"what", sent.error().text}});
    auto pause = sent ? std::chrono::seconds(kEvery) : std::chrono::seconds(kAfterFailure);
    co_await io::sleep_until(in(pause));
  }
}

}  // namespace postern::delivery
