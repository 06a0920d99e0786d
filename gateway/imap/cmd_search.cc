// SEARCH and UID SEARCH.  RFC 3501 6.4.4.
//
// What the index decides costs no row; rows come in batches; header and body are read only for messages that still
// hang on them, and decoded on the worker pool.
#include <algorithm>

#include "gateway/imap/search_match.h"
#include "gateway/imap/session.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/decode.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/mime.h"

namespace postern::imap {
namespace {

constexpr std::size_t kRowsAtOnce = 128;
constexpr std::uint64_t kMaxHeader = 1024 * 1024;          // searched of one header
constexpr std::uint64_t kMaxPart = 4 * 1024 * 1024;        // of one text part, as encoded
constexpr std::uint64_t kMaxTexts = 16 * 1024 * 1024;      // of all of a message

// A text part as it was read, to be decoded by a worker.
struct RawText {
  std::string octets;
  mail::TransferEncoding encoding = mail::TransferEncoding::identity;
  std::string charset;
  bool header = false;   // the header of an embedded message
};

std::string folded_header(std::string_view header) {
  std::string out;
  mail::HeaderReader reader(header);
  mail::HeaderField field;
  while (reader.next(field)) {
    out += field.name;
    out += ": " + mail::readable(field.raw) + '\n';
  }
  return mail::search_form(out);
}

std::string folded_text(const RawText& raw) {
  if (raw.header) return folded_header(raw.octets);
  return mail::search_form(mail::to_utf8(mail::decode_body(raw.octets, raw.encoding, kMaxPart), raw.charset));
}

class Search {
 public:
  Search(Session& session, std::shared_ptr<const SearchKey> key, bool uid)
      : session_(session), key_(std::move(key)), uid_(uid), until_(in(session.services().limits.search)) {
    const auto& view = session_.selected().view();
    SearchContext context;
    context.exists = session_.selected().exists();
    context.last_uid = view.size() == 0 ? 0 : view.at(view.size() - 1).uid;
    context.keywords = view.keywords();
    matcher_ = std::make_shared<const Matcher>(*key_, context);
  }

  io::Task<void> run();
  bool damaged() const { return damaged_; }
  bool took_too_long() const { return std::chrono::steady_clock::now() > until_; }

 private:
  // A message in doubt, or a found one that waits for those before it: answers ascend.
  struct Pending {
    Candidate candidate;
    bool decided = false;
  };
  io::Task<void> settle(std::vector<Pending> pending);
  io::Task<bool> matches(Candidate candidate, store::MessageRow row);
  io::Task<std::string> read(const store::MessageRow& row, std::uint64_t begin, std::uint64_t length);
  io::Task<std::vector<RawText>> read_texts(const store::MessageRow& row, const mail::PartTable& table);
  Candidate candidate_at(std::uint32_t index) const;
  void found(const Candidate& candidate);

  Session& session_;
  std::shared_ptr<const SearchKey> key_;
  std::shared_ptr<const Matcher> matcher_;
  bool uid_;
  Deadline until_;
  bool damaged_ = false;
};

Candidate Search::candidate_at(std::uint32_t index) const {
  Candidate out;
  const auto& selected = session_.selected();
  out.entry = selected.view().at(index);
  out.sequence = selected.sequence_at(index);
  out.recent = selected.is_recent(out.entry.uid);
  return out;
}

void Search::found(const Candidate& candidate) {
  session_.enqueue(' ' + std::to_string(uid_ ? candidate.entry.uid : candidate.sequence));
}

io::Task<void> Search::run() {
  std::vector<Pending> pending;
  auto size = static_cast<std::uint32_t>(session_.selected().view().size());
  for (std::uint32_t index = 0; index < size && !took_too_long(); ++index) {
    auto candidate = candidate_at(index);
    auto verdict = matcher_->judge(candidate);
    if (verdict == Truth::yes && pending.empty()) {
      found(candidate);
    } else if (verdict != Truth::no) {
      auto& one = pending.emplace_back();
      one.candidate = std::move(candidate);
      one.decided = verdict == Truth::yes;
      if (pending.size() == kRowsAtOnce) co_await settle(std::exchange(pending, {}));
    }
    if (index % 256 == 0) {
      co_await session_.relieve();
      co_await session_.look();
    }
  }
  co_await settle(std::move(pending));
}

io::Task<void> Search::settle(std::vector<Pending> pending) {
  std::vector<store::Uid> uids;
  for (const auto& one : pending) {
    if (!one.decided) uids.push_back(one.candidate.entry.uid);
  }
  auto read = co_await rows_of(session_, std::move(uids));
  if (!read) damaged_ = true;
  auto rows = read ? *std::move(read) : std::vector<store::MessageRow>();
  std::size_t next = 0;
  for (auto& one : pending) {
    if (took_too_long()) co_return;
    bool is_match = one.decided;
    auto uid = one.candidate.entry.uid;
    while (!is_match && next < rows.size() && rows[next].uid < uid) ++next;
    if (!is_match && next < rows.size() && rows[next].uid == uid) {
      is_match = co_await matches(one.candidate, std::move(rows[next]));
    }
    if (is_match) found(one.candidate);
    co_await session_.look();
  }
}

io::Task<std::string> Search::read(const store::MessageRow& row, std::uint64_t begin, std::uint64_t length) {
  auto octets = co_await session_.store().read(row, begin, length);
  if (!octets) {
    damaged_ = true;
    co_return std::string();
  }
  co_return *std::move(octets);
}

io::Task<bool> Search::matches(Candidate candidate, store::MessageRow row) {
  candidate.loaded = 1;
  candidate.envelope = row.envelope;
  auto verdict = matcher_->judge(candidate);
  if (verdict != Truth::unknown) co_return verdict == Truth::yes;

  auto table = mail::deserialize(row.parts);
  if (!table) {
    damaged_ = true;
    co_return false;
  }
  auto header = row.header_prefix.size() + table->root().body;
  candidate.header = co_await read(row, 0, std::min<std::uint64_t>(header, kMaxHeader));
  candidate.loaded = 2;
  verdict = matcher_->judge(candidate);
  if (verdict != Truth::unknown) co_return verdict == Truth::yes;

  std::vector<RawText> texts = co_await read_texts(row, *table);
  // The key outlives the job: the matcher points into it.
  auto job = [candidate = std::move(candidate), texts = std::move(texts), matcher = matcher_, key = key_]() mutable {
    candidate.folded_header = folded_header(candidate.header);
    for (const auto& text : texts) candidate.texts.push_back(folded_text(text));
    candidate.loaded = 3;
    return matcher->judge(candidate) == Truth::yes;
  };
  bool is_match = co_await session_.services().workers->run(std::move(job));
  co_return is_match;
}

io::Task<std::vector<RawText>> Search::read_texts(const store::MessageRow& row, const mail::PartTable& table) {
  std::vector<RawText> out;
  std::uint64_t sum = 0;
  for (std::size_t index = 0; index < table.parts.size() && sum < kMaxTexts; ++index) {
    const auto& part = table.parts[index];
    bool is_text = part.kind == mail::Part::Kind::leaf && part.type.type == "text";
    bool is_embedded = part.is_message && index != 0;
    for (bool header : {true, false}) {
      if (!(header ? is_embedded : is_text)) continue;
      RawText text;
      text.header = header;
      text.encoding = part.encoding;
      text.charset = part.charset();
      std::uint64_t begin = row.header_prefix.size() + (header ? part.header : part.body);
      std::uint64_t length = header ? part.header_size() : part.body_size();
      text.octets = co_await read(row, begin, std::min(length, kMaxPart));
      sum += text.octets.size();
      out.push_back(std::move(text));
    }
  }
  co_return out;
}

}  // namespace

io::Task<Reply> cmd_search(Session& session, Call& call) {
  auto program = parse_search(call.args);
  if (!program) co_return Reply::bad(program.error().text);
  if (program->bad_charset) co_return Reply::no("[BADCHARSET (US-ASCII UTF-8)] the charset is not known here");
  Search search(session, std::make_shared<const SearchKey>(std::move(program->key)), call.uid);
  session.enqueue("* SEARCH");
  co_await search.run();
  session.enqueue("\r\n");
  if (search.took_too_long()) co_return Reply::no("[LIMIT] the search took too long, the answer is not complete");
  if (search.damaged()) co_return Reply::no("[SERVERBUG] a message is damaged, the answer is not complete");
  co_return Reply::ok("SEARCH completed");
}

}  // namespace postern::imap
