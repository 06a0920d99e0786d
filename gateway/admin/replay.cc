// Kept mail on its way to `postern replay`: the store's side.
#include "gateway/admin/replay.h"

#include <nlohmann/json.hpp>
#include <set>

#include "gateway/admin/conversation.h"
#include "gateway/base/id.h"
#include "gateway/base/text.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/headers.h"
#include "gateway/store/store.h"
#include "gateway/store/trace.h"

namespace postern::admin {
namespace {

using nlohmann::json;

constexpr std::size_t kRows = 200;                    // of a mailbox that are read at once
constexpr std::uint64_t kPageOctets = 2 << 20;        // of messages, about; it becomes text in memory
constexpr std::uint64_t kLargest = 8 << 20;           // of one message

std::string subject_of(const store::MessageRow& row) {
  auto envelope = mail::EnvelopeView::read(row.envelope);
  auto raw = envelope ? envelope->get(mail::EnvelopeView::subject) : std::nullopt;
  return raw ? mail::readable(*raw) : "";
}

// Walks through all mailboxes, message by message.
class Walk {
 public:
  Walk(store::Store& store, Time since) : store_(store), first_(first_id_at(since)) {
    for (const auto& account : store.accounts()) {
      for (const auto& mailbox : store.mailboxes(account.id)) mailboxes_.push_back(mailbox.id);
    }
  }

  io::Task<json> page() {
    json rows = json::array();
    std::uint64_t octets = 0;
    while (octets < kPageOctets) {
      if (at_ == rows_.size() && !co_await more()) break;
      const auto& row = rows_[at_++];
      auto number = id_number(row.id);
      // A notice bears the id of what it stands for and is another message.
      bool notice = row.held && row.held->notice;
      if (!number || *number < first_ || notice || !seen_.insert(row.id).second) continue;
      auto shown = co_await told(row);
      if (!shown.is_object()) continue;
      octets += row.record_octets;
      rows.push_back(std::move(shown));
    }
    json out{{"ok", true}, {"rows", std::move(rows)}, {"done", at_ == rows_.size() && next_ == mailboxes_.size()}};
    out["skipped"] = {{"large", large_}, {"untold", untold_}, {"damaged", damaged_}};
    co_return out;
  }

 private:
  // False: that was the last one.
  io::Task<bool> more() {
    for (;;) {
      if (mailbox_ == 0) {
        if (next_ == mailboxes_.size()) co_return false;
        mailbox_ = mailboxes_[next_++];
        uid_ = 1;
      }
      auto read = co_await store_.messages(mailbox_, uid_, 0xffffffff, kRows);
      if (!read) ++damaged_;
      rows_ = read ? std::move(*read) : std::vector<store::MessageRow>();
      at_ = 0;
      bool last = rows_.size() < kRows || rows_.back().uid == 0xffffffff;
      if (last) mailbox_ = 0;
      else uid_ = rows_.back().uid + 1;
      if (!rows_.empty()) co_return true;
    }
  }

  // Not an object: it is skipped.
  io::Task<json> told(const store::MessageRow& row) {
    if (row.record_octets > kLargest) {
      ++large_;
      co_return json();
    }
    auto judged = co_await store_.get(store::trace_key(row.id));
    if (!judged || !*judged) {
      ++(judged ? untold_ : damaged_);
      co_return json();
    }
    auto octets = co_await store_.read(row, row.header_prefix.size(), row.record_octets);
    if (!octets) {
      ++damaged_;
      co_return json();
    }
    co_return json{{"id", row.id}, {"subject", subject_of(row)}, {"judged", **judged}, {"octets", base64(*octets)}};
  }

  store::Store& store_;
  std::uint64_t first_;
  std::vector<store::MailboxId> mailboxes_;
  std::size_t next_ = 0;
  store::MailboxId mailbox_ = 0;     // whose rows are read; 0: the next one's
  store::Uid uid_ = 1;
  std::vector<store::MessageRow> rows_;
  std::size_t at_ = 0;
  std::set<std::string> seen_;
  std::uint64_t large_ = 0, untold_ = 0, damaged_ = 0;
};

}  // namespace

io::Task<json> serve_replay(io::Stream& stream, Context& context, json request) {
  Walk walk(*context.store, Time(std::chrono::milliseconds(request.value("since", std::int64_t{0}))));
  for (;;) {
    auto page = co_await walk.page();
    if (page.value("done", true)) co_return page;
    co_await answer_with(stream, std::move(page));
    auto next = co_await next_request(stream);
    if (!next.is_object() || next.value("command", "") != "replay next") co_return failure("the conversation is about replay");
  }
}

}  // namespace postern::admin
