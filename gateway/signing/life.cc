// From waiting to ended, and the rotation of keys.
#include "gateway/signing/life.h"

#include <algorithm>

#include "gateway/signing/key_ring.h"

namespace postern::signing {
namespace {

using namespace std::chrono_literals;

constexpr auto kWriteSeen = 24h;      // the time of the last good look need not be written more often
constexpr auto kTellAgain = 24h * 7;

std::string day(Time time) { return rfc3339(time).substr(0, 10); }

std::string records_of(const Keys& keys) {
  std::string out;
  for (const auto& key : keys) out += "  " + zone_line(key.record_name(), key.record_text()) + "\r\n\r\n";
  return out;
}

Note note_of_switch(const Key& now, const Keys& retired) {
  Note out;
  out.subject = "DKIM: " + now.domain + " is signed with the new key " + now.selector;
  out.text = "The record of the DKIM key " + now.selector + " of " + now.domain + " is in DNS: mail is\r\nsigned with it from now on.\r\n";
  for (const auto& key : retired) {
    out.text += "\r\nKeep the record of the old key for now:\r\n\r\n  " + key.record_name() +
                "\r\n\r\nMail that is still on its way is verified with it.  You will be told when it can go.\r\n";
  }
  return out;
}

Note note_of_loss(const Key& key) {
  Note out;
  out.subject = "DKIM: the record of " + key.selector + " of " + key.domain + " is not right in DNS";
  out.text = "Mail of " + key.domain + " is signed with the DKIM key " + key.selector + ", but receivers\r\ncannot verify it: " + key.problem +
             ".\r\n\r\nThe record should be:\r\n\r\n" + records_of({key}) +
             "Once it is back nothing else is to be done; `postern dkim check " + key.domain + "`\r\nlooks at once.\r\n";
  return out;
}

Note note_of_end(const Key& key) {
  Note out;
  out.subject = "DKIM: the record of the old key " + key.selector + " of " + key.domain + " can go";
  out.text = "The DKIM key " + key.selector + " of " + key.domain + " has signed nothing for long enough.\r\nRemove its record from DNS:\r\n\r\n  " +
             key.record_name() + "\r\n\r\nThe key itself has been destroyed.\r\n";
  return out;
}

// `key` signs from now on.
Changes activated(const Keys& all, Key key, Time now) {
  Changes out;
  key.state = State::active;
  key.since = now;
  for (const auto& other : all) {
    bool rival = other.domain == key.domain && other.algorithm == key.algorithm && other.state == State::active;
    if (!rival || other.selector == key.selector) continue;
    Key retired = other;
    retired.state = State::retired;
    retired.since = now;
    retired.forced = false;
    out.put.push_back(std::move(retired));
  }
  if (!out.put.empty()) out.notes.push_back(note_of_switch(key, out.put));
  out.put.push_back(std::move(key));
  return out;
}

}  // namespace

Changes after_look(const Keys& all, const Key& key, const Sight& sight, Time now) {
  Key next = key;
  switch (sight.kind) {
    case Sight::Kind::right:
      next.problem.clear();
      if (key.state == State::waiting || now - key.seen > kWriteSeen) next.seen = now;
      break;
    case Sight::Kind::absent:
      next.problem = "there is no record at " + key.record_name();
      break;
    case Sight::Kind::different:
      next.problem = sight.words;
      break;
    case Sight::Kind::unknown:
      // Of a record that was right this says nothing.
      if (key.state == State::waiting) next.problem = sight.words;
      break;
  }
  Changes out;
  if (key.state == State::ended) {
    next.problem.clear();
    if (sight.kind == Sight::Kind::absent) out.erase.push_back(key);
    return out;
  }
  if (key.state == State::waiting && sight.kind == Sight::Kind::right) return activated(all, std::move(next), now);
  bool lost = key.state == State::active && !key.forced && !next.problem.empty() && now - key.told > kTellAgain;
  if (lost) {
    next.told = now;
    out.notes.push_back(note_of_loss(next));
  }
  if (lost || next.problem != key.problem || next.seen != key.seen) out.put.push_back(std::move(next));
  return out;
}

Changes forced(const Keys& all, const Key& key, Time now) {
  Key next = key;
  next.forced = true;
  auto out = activated(all, std::move(next), now);
  if (key.state == State::active) out.put.back().since = key.since;
  out.notes.clear();
  return out;
}

Changes after_time(const Keys& all, const config::Dkim& settings, Time now) {
  Changes out;
  for (const auto& key : all) {
    if (key.state == State::retired && now - key.since >= settings.overlap) {
      Key ended = key;
      ended.state = State::ended;
      ended.since = ended.told = now;
      ended.problem.clear();
      ended.secret.reset();
      out.notes.push_back(note_of_end(ended));
      out.put.push_back(std::move(ended));
    }
    bool forgotten = key.state == State::waiting && now - std::max(key.created, key.told) > kTellAgain;
    if (forgotten) {
      Key told = key;
      told.told = now;
      auto note = announcement(key.domain, {key});
      note.subject = "DKIM: the key " + key.selector + " of " + key.domain + " still waits for its record";
      out.notes.push_back(std::move(note));
      out.put.push_back(std::move(told));
    }
  }
  return out;
}

std::vector<Key> due_for_rotation(const Keys& all, const config::Dkim& settings, Time now) {
  std::vector<Key> out;
  if (settings.rotate.count() == 0) return out;
  for (const auto& key : all) {
    if (key.state != State::active || now - key.since < settings.rotate) continue;
    bool has_successor = std::any_of(all.begin(), all.end(), [&](const Key& other) {
      return other.domain == key.domain && other.algorithm == key.algorithm && other.state == State::waiting;
    });
    if (!has_successor) out.push_back(key);
  }
  return out;
}

Note announcement(const std::string& domain, const Keys& made) {
  Note out;
  out.subject = "DKIM: put the records of the new keys of " + domain + " into DNS";
  out.text = "New DKIM keys for " + domain + " wait for their records.  Put into DNS:\r\n\r\n" + records_of(made) +
             "As soon as they are seen there mail is signed with the new keys; until then\r\nnothing changes.  Keep the old records: you will be "
             "told when they can go.\r\n`postern dkim check " + domain + "` looks at once, `postern dkim show " + domain + "` prints\r\nthe records again.\r\n";
  return out;
}

std::string free_selector(const Keys& all, std::string_view domain, std::string_view base, Algorithm algorithm, Time now) {
  std::string stem(base);
  if (stem.empty()) {
    stem = day(now);
    std::erase(stem, '-');
  }
  auto ending = "-" + std::string(name(algorithm));
  auto out = stem + ending;
  for (char letter = 'b'; find(all, domain, out) != nullptr && letter <= 'z'; ++letter) out = stem + letter + ending;
  return out;
}

}  // namespace postern::signing
