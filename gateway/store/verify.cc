// `check --store`: everything that one row says of another is counted again.
#include "gateway/store/verify.h"

#include <functional>
#include <unordered_map>

#include "gateway/store/rows.h"

namespace postern::store {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kMostMistakes = 1000;

class Verifier {
 public:
  Verifier(const KvReader& rows, BodyStore& bodies) : rows_(rows), bodies_(bodies) {}

  std::vector<std::string> run() {
    each('w', [this](const KvRow& row) {
      if (!decode_sender(row.value)) say("a row of the senders of account " + std::to_string(first_number(row.key)) + " is damaged");
    });
    each('x', [this](const KvRow& row) { mailbox(row); });
    each('i', [this](const KvRow& row) { index(row); });
    each('m', [this](const KvRow& row) { message(row); });
    compare_mailboxes();
    auto counter = rows_.get(std::vector<std::string>{std::string(kQueueCounterKey)}, KvReader::Reach::disk);
    auto next = counter.ok() && counter.value[0] ? decode_queue_counter(*counter.value[0]) : std::nullopt;
    each('q', [this, next](const KvRow& row) { entry(row, next ? next->next : 1); });
    each('b', [this](const KvRow& row) { body(row); });
    for (const auto& [id, count] : references_) say("body " + std::to_string(id) + " is named by messages and has no row");
    each('s', [this](const KvRow& row) { segment(row); });
    return std::move(mistakes_);
  }

 private:
  void say(std::string mistake) {
    if (mistakes_.size() < kMostMistakes) mistakes_.push_back(std::move(mistake));
  }

  void each(char letter, const std::function<void(const KvRow&)>& take) {
    std::string from(1, letter);
    const std::string to(1, static_cast<char>(letter + 1));
    for (;;) {
      auto page = rows_.scan(from, to, kPage, KvReader::Reach::disk);
      if (!page.ok()) return say(page.error);
      for (const auto& row : page.value) take(row);
      if (page.value.size() < kPage) return;
      from = page.value.back().key + '\0';
    }
  }

  static std::string name_of(const KvRow& row) {
    return "mailbox " + std::to_string(first_number(row.key)) + ", uid " + std::to_string(second_number(row.key, 4));
  }

  void mailbox(const KvRow& row) {
    auto state = decode_mailbox(row.value);
    if (!state) return say("the row of mailbox " + std::to_string(first_number(row.key)) + " is damaged");
    mailboxes_[state->info.id] = {state->info, {}};
  }

  void index(const KvRow& row) {
    auto uid = static_cast<Uid>(second_number(row.key, 4));
    auto decoded = decode_index(uid, row.value);
    if (!decoded) return say(name_of(row) + ": the index row is damaged");
    ++references_[decoded->body];
    ++indexes_;
    auto found = mailboxes_.find(first_number(row.key));
    if (found == mailboxes_.end()) return;   // being swept
    auto& counted = found->second.counted;
    ++counted.messages;
    if ((decoded->entry.flags & flag::seen) == 0) ++counted.unseen;
    counted.octets += decoded->entry.size;
    if (uid >= found->second.info.uidnext) say(name_of(row) + ": not below uidnext");
    if (decoded->entry.modseq > found->second.info.highestmodseq) say(name_of(row) + ": above highestmodseq");
  }

  void message(const KvRow& row) {
    if (!decode_message(row.value)) say(name_of(row) + ": the message row is damaged");
    auto key = row.key;
    key[0] = 'i';
    auto twin = rows_.get(std::vector<std::string>{key}, KvReader::Reach::disk);
    if (twin.ok() && !twin.value[0]) say(name_of(row) + ": a message row without an index row");
    --indexes_;
  }

  void entry(const KvRow& row, QueueId next) {
    auto id = first_number(row.key);
    auto name = "queue entry " + std::to_string(id);
    auto decoded = decode_queue(id, row.value);
    if (!decoded) return say(name + ": the row is damaged");
    if (id >= next) say(name + ": its id would be given again");
    auto value = rows_.get(std::vector<std::string>{body_key(decoded->body)}, KvReader::Reach::disk);
    if (!value.ok()) return say(value.error);
    if (!value.value[0]) return say(name + ": its body " + std::to_string(decoded->body) + " has no row");
    ++references_[decoded->body];
    auto body = decode_body(*value.value[0]);
    if (body && body->place.length != decoded->record_octets) {
      say(name + ": its body has " + std::to_string(body->place.length) + " octets and not " + std::to_string(decoded->record_octets));
    }
  }

  void compare_mailboxes() {
    if (indexes_ != 0) say("there are " + std::to_string(indexes_) + " more index rows than message rows");
    for (const auto& [id, mailbox] : mailboxes_) {
      const auto& info = mailbox.info;
      const auto& counted = mailbox.counted;
      if (info.messages == counted.messages && info.unseen == counted.unseen && info.octets == counted.octets) continue;
      say("mailbox " + std::to_string(id) + " counts " + std::to_string(info.messages) + " messages, " + std::to_string(info.unseen) +
          " unseen, " + std::to_string(info.octets) + " octets; there are " + std::to_string(counted.messages) + ", " +
          std::to_string(counted.unseen) + ", " + std::to_string(counted.octets));
    }
  }

  void body(const KvRow& row) {
    auto id = first_number(row.key);
    auto decoded = decode_body(row.value);
    if (!decoded) return say("the row of body " + std::to_string(id) + " is damaged");
    auto found = references_.find(id);
    std::uint64_t named = found == references_.end() ? 0 : found->second;
    if (named != decoded->references) {
      say("body " + std::to_string(id) + " counts " + std::to_string(decoded->references) + " references, there are " + std::to_string(named));
    }
    if (found != references_.end()) references_.erase(found);
    auto& segment = segments_[decoded->place.segment];
    segment.live += record_size(decoded->place);
    segment.end = std::max(segment.end, decoded->place.offset + record_size(decoded->place));
    auto read = bodies_.read(id, decoded->place, 0, decoded->place.length, Wait::disk);
    if (read.state != BodyStore::Read::State::ok) say(read.problem);
  }

  void segment(const KvRow& row) {
    auto number = first_number(row.key);
    auto decoded = decode_segment(row.value);
    if (!decoded) return say("the row of segment " + std::to_string(number) + " is damaged");
    const auto& counted = segments_[number];
    if (decoded->live != counted.live || decoded->end < counted.end) {
      say("segment " + std::to_string(number) + " counts " + std::to_string(decoded->live) + " live octets up to " +
          std::to_string(decoded->end) + ", there are " + std::to_string(counted.live) + " up to " + std::to_string(counted.end));
    }
  }

  struct Mailbox {
    MailboxInfo info;
    MailboxInfo counted;
  };
  const KvReader& rows_;
  BodyStore& bodies_;
  std::unordered_map<MailboxId, Mailbox> mailboxes_;
  std::unordered_map<BodyId, std::uint64_t> references_;
  std::unordered_map<std::uint64_t, SegmentRow> segments_;
  std::int64_t indexes_ = 0;
  std::vector<std::string> mistakes_;
};

}  // namespace

std::vector<std::string> verify_store(const Kv& rows, BodyStore& bodies) {
  auto moment = rows.snapshot();   // commits go on meanwhile
  return Verifier(*moment, bodies).run();
}

}  // namespace postern::store
