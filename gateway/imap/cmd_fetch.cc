// FETCH and UID FETCH.  RFC 3501 6.4.5 and 7.4.2.
//
// Messages go out one after the other, rows come in batches, large sections in portions: whatever is asked for, the
// session holds one batch and one portion, and a slow client slows only itself.
#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/imap/fetch_items.h"
#include "gateway/imap/message_octets.h"
#include "gateway/imap/session.h"
#include "gateway/imap/structure.h"
#include "gateway/io/errors.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/mime.h"

namespace postern::imap {
namespace {

constexpr std::size_t kRowsAtOnce = 128;
constexpr std::uint64_t kPortion = 256 * 1024;
constexpr std::uint64_t kMaxFilteredHeader = 1024 * 1024;   // HEADER.FIELDS looks no further

class Fetch {
 public:
  Fetch(Session& session, FetchItems items, bool uid) : session_(session), items_(std::move(items)), uid_(uid) {}

  io::Task<void> from_index(Selected::Messages messages);
  io::Task<void> with_rows(Selected::Messages messages);
  bool some_are_gone() const { return gone_; }
  const std::string& damage() const { return damage_; }

 private:
  io::Task<void> batch(std::vector<std::uint32_t> indices);
  io::Task<void> mark_seen(std::vector<std::uint32_t> indices);
  io::Task<void> message(store::MessageRow row, std::uint32_t index);
  io::Task<bool> section(const store::MessageRow& row, const Section& section);
  io::Task<bool> filtered(const store::MessageRow& row, Extent extent, const Section& section);
  io::Task<void> send_portion();
  io::Task<std::optional<std::string>> read(const store::MessageRow& row, Extent extent);
  const mail::PartTable* parts(const store::MessageRow& row);
  bool structure(const store::MessageRow& row);
  std::string simple_items(std::uint32_t index);
  void damaged(const store::MessageRow& row, std::string_view what);
  bool just_seen(store::Uid uid) const { return std::binary_search(seen_now_.begin(), seen_now_.end(), uid); }

  Session& session_;
  FetchItems items_;
  bool uid_;
  bool gone_ = false;
  std::string damage_;                     // of the first damaged record
  std::vector<store::Uid> seen_now_;       // of this batch: \Seen was set by us
  std::optional<mail::PartTable> parts_;   // of the present message
  std::string header_;                     // the one that was read last of it, for the next section that chooses from it
  Extent header_extent_;
  std::string out_;                        // of the present message, not sent yet
  bool sending_ = false;                   // a piece of it is on the wire already
};

// "* 5 FETCH (UID 7 FLAGS (...) ...", without the closing parenthesis.
std::string Fetch::simple_items(std::uint32_t index) {
  auto& selected = session_.selected();
  const auto& entry = selected.view().at(index);
  std::string out = "* " + std::to_string(selected.sequence_at(index)) + " FETCH (";
  auto space = [&out] {
    if (out.back() != '(') out += ' ';
  };
  if (items_.uid || uid_) out += "UID " + std::to_string(entry.uid);
  bool seen = just_seen(entry.uid);
  if (items_.flags || seen) {
    space();
    out += "FLAGS ";
    auto flags = static_cast<std::uint8_t>(entry.flags | (seen ? store::flag::seen : 0));
    append_flags(out, flags, entry.keywords, selected.view().keywords(), selected.is_recent(entry.uid));
  }
  if (items_.internal_date) {
    space();
    out += "INTERNALDATE \"" + imap_date_time(from_unix(entry.internal_date)) + '"';
  }
  if (items_.size) {
    space();
    out += "RFC822.SIZE " + std::to_string(entry.size);
  }
  return out;
}

io::Task<void> Fetch::from_index(Selected::Messages messages) {
  for (auto range : messages.ranges) {
    for (auto index = range.begin; index < range.end; ++index) {
      session_.enqueue(simple_items(index) + ")\r\n");
      co_await session_.relieve();
      if (index % 64 == 0) co_await session_.breathe();
    }
  }
}

io::Task<void> Fetch::with_rows(Selected::Messages messages) {
  std::vector<std::uint32_t> indices;
  for (auto range : messages.ranges) {
    for (auto index = range.begin; index < range.end; ++index) {
      indices.push_back(index);
      if (indices.size() < kRowsAtOnce) continue;
      co_await batch(std::exchange(indices, {}));
    }
  }
  co_await batch(std::move(indices));
}

io::Task<void> Fetch::mark_seen(std::vector<std::uint32_t> indices) {
  auto& selected = session_.selected();
  seen_now_.clear();
  std::vector<store::Uid> unseen;
  for (auto index : indices) {
    const auto& entry = selected.view().at(index);
    if ((entry.flags & store::flag::seen) == 0) unseen.push_back(entry.uid);
  }
  if (unseen.empty()) co_return;
  store::Flags seen;
  seen.system = store::flag::seen;
  auto changed = co_await session_.store().change_flags(selected.id(), unseen, store::FlagOperation::add, seen, std::nullopt);
  if (!changed.ok()) co_return;  // reading goes on with a full disk
  seen_now_ = std::move(unseen);
  for (auto index : indices) {
    const auto& entry = selected.view().at(index);
    if (just_seen(entry.uid)) {
      selected.believes(entry.uid, static_cast<std::uint8_t>(entry.flags | store::flag::seen), entry.keywords);
    }
  }
}

io::Task<void> Fetch::batch(std::vector<std::uint32_t> indices) {
  auto& selected = session_.selected();
  if (items_.sets_seen() && !selected.read_only()) co_await mark_seen(indices);
  std::vector<store::Uid> uids;
  uids.reserve(indices.size());
  for (auto index : indices) uids.push_back(selected.view().at(index).uid);
  auto found = co_await rows_of(session_, std::move(uids));
  if (!found) {   // unknown is not gone: the client would drop its copies
    if (damage_.empty()) damage_ = "some messages cannot be read";
    co_return;
  }
  auto& rows = *found;
  if (rows.size() < indices.size()) gone_ = true;
  std::size_t at = 0;
  for (auto& row : rows) {
    while (selected.view().at(indices[at]).uid < row.uid) ++at;
    co_await message(std::move(row), indices[at]);
    co_await session_.relieve();
    co_await session_.breathe();
  }
}

io::Task<void> Fetch::message(store::MessageRow row, std::uint32_t index) {
  parts_.reset();
  header_extent_ = Extent();
  sending_ = false;
  out_ = simple_items(index);
  if (!structure(row)) co_return;
  for (const auto& wanted : items_.sections) {
    bool sent = co_await section(row, wanted);
    if (!sent && sending_) throw io::Closed("a damaged record inside an answer");   // it cannot be taken back
    if (!sent) co_return;
    if (out_.size() >= kPortion) co_await send_portion();
    co_await session_.breathe();
  }
  session_.enqueue(out_ + ")\r\n");
}

bool Fetch::structure(const store::MessageRow& row) {
  auto begin_item = [this](std::string_view name) {
    if (out_.back() != '(') out_ += ' ';
    out_ += name;
  };
  if (items_.envelope) {
    auto envelope = mail::EnvelopeView::read(row.envelope);
    if (!envelope) return damaged(row, "envelope"), false;
    begin_item("ENVELOPE ");
    append_envelope(out_, *envelope);
  }
  for (bool extended : {false, true}) {
    if (!(extended ? items_.body_structure : items_.body)) continue;
    const auto* table = parts(row);
    if (table == nullptr) return false;
    begin_item(extended ? "BODYSTRUCTURE " : "BODY ");
    append_body_structure(out_, *table, extended);
  }
  return true;
}

const mail::PartTable* Fetch::parts(const store::MessageRow& row) {
  if (!parts_) {
    auto table = mail::deserialize(row.parts);
    if (!table) {
      damaged(row, table.error().text);
      return nullptr;
    }
    parts_ = *std::move(table);
  }
  return &*parts_;
}

// Adds one section to the answer.  False: the record is damaged, nothing of this message is sent.
io::Task<bool> Fetch::section(const store::MessageRow& row, const Section& section) {
  bool whole = section.part.empty() && section.what == Section::What::all;
  std::optional<Extent> extent = Extent{0, row.size()};
  if (!whole) {
    const auto* table = parts(row);
    if (table == nullptr) co_return false;
    extent = extent_of(row, *table, section);
  }
  if (out_.empty() || out_.back() != '(') out_ += ' ';
  out_ += section.label + ' ';
  if (!extent) {
    out_ += "NIL";
    co_return true;
  }
  if (section.what == Section::What::fields || section.what == Section::What::fields_not) {
    bool chosen = co_await filtered(row, *extent, section);
    co_return chosen;
  }
  auto left = cut(*extent, section);
  out_ += '{' + std::to_string(left.size()) + "}\r\n";
  while (left.size() > 0) {
    Extent portion{left.begin, std::min(left.end, left.begin + kPortion)};
    auto octets = co_await read(row, portion);
    if (!octets) co_return false;
    left.begin = portion.end;
    if (left.size() == 0 && out_.size() + octets->size() <= kPortion / 4) {
      out_ += *octets;
    } else {
      session_.enqueue(std::exchange(out_, {}));
      sending_ = true;
      co_await session_.write(*std::move(octets));
    }
  }
  co_return true;
}

// The fields that a section chooses from the header there.
io::Task<bool> Fetch::filtered(const store::MessageRow& row, Extent extent, const Section& section) {
  extent.end = std::min(extent.end, extent.begin + kMaxFilteredHeader);
  if (header_extent_.begin != extent.begin || header_extent_.end != extent.end) {
    auto header = co_await read(row, extent);
    if (!header) co_return false;
    header_ = *std::move(header);
    header_extent_ = extent;
  }
  auto text = chosen_fields(header_, section);
  Extent all{0, text.size()};
  auto piece = cut(all, section);
  out_ += '{' + std::to_string(piece.size()) + "}\r\n" + text.substr(piece.begin, piece.size());
  co_return true;
}

// What has gathered goes out, so that a client who asks for much at once is no load.
io::Task<void> Fetch::send_portion() {
  session_.enqueue(std::exchange(out_, {}));
  sending_ = true;
  co_await session_.relieve();
}

io::Task<std::optional<std::string>> Fetch::read(const store::MessageRow& row, Extent extent) {
  std::optional<std::string> out;
  auto octets = co_await session_.store().read(row, extent.begin, extent.size());
  if (!octets || octets->size() != extent.size()) {
    damaged(row, octets ? "record is too short" : octets.error().text);
    co_return out;
  }
  out = *std::move(octets);
  hide_nuls(*out);
  co_return out;
}

void Fetch::damaged(const store::MessageRow& row, std::string_view what) {
  log::error("imap.damaged", {{"session", session_.id()}, {"mailbox", std::to_string(row.mailbox)}, {"uid", std::to_string(row.uid)},
                              {"what", std::string(what)}});
  if (damage_.empty()) damage_ = "the message with uid " + std::to_string(row.uid) + " is damaged";
}

}  // namespace

io::Task<Reply> cmd_fetch(Session& session, Call& call) {
  auto set = call.args.sequence_set();
  if (!set || !call.args.sp()) co_return Reply::bad("FETCH: wants a set and items");
  auto items = parse_fetch_items(call.args);
  if (!items) co_return Reply::bad(items.error().text);
  auto messages = session.selected().find(*set, call.uid);
  if (!messages) co_return Reply::bad("FETCH: " + messages.error().text);
  bool some_are_gone = messages->some_are_gone;
  bool index_only = items->index_only();
  Fetch fetch(session, *std::move(items), call.uid);
  if (index_only) {
    co_await fetch.from_index(*std::move(messages));
  } else {
    co_await fetch.with_rows(*std::move(messages));
  }
  if (!fetch.damage().empty()) co_return Reply::no("[SERVERBUG] " + fetch.damage());
  if (some_are_gone || fetch.some_are_gone()) co_return Reply::ok("[EXPUNGEISSUED] some of the messages are expunged");
  co_return Reply::ok("FETCH completed");
}

}  // namespace postern::imap
