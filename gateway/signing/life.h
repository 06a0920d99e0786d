#pragma once

#include <string>
#include <vector>

#include "gateway/config/config.h"
#include "gateway/signing/key.h"

// What becomes of a domain's keys: by what DNS has of them, and by time.  Pure functions; who calls them stores the
// changes and sends the notes.
namespace postern::signing {

// What DNS has where the record of a key is to be.
struct Sight {
  enum class Kind {
    right,       // this key, usable for mail
    absent,      // nothing, for certain
    different,   // something else; `words` say what
    unknown      // DNS gave no answer; `words` say why
  };
  Kind kind = Kind::unknown;
  std::string words;
};

// A message to the postmaster.
struct Note {
  std::string subject;
  std::string text;   // lines with CRLF
};

struct Changes {
  Keys put;
  Keys erase;
  std::vector<Note> notes;
  bool empty() const { return put.empty() && erase.empty(); }
};

// What a look at the record of `key`, one of `all`, changes.  A key that waits becomes active when its record is right,
// and the active one of its algorithm retires.  An active key whose record is lost goes on signing: to receivers its
// signatures are as if there were none, and our view of DNS may not be theirs; but it is told.
Changes after_look(const Keys& all, const Key& key, const Sight& sight, Time now);

// The operator's word instead of a look: it signs from now on, whatever DNS has.
Changes forced(const Keys& all, const Key& key, Time now);

// What time alone changes: a retired key ends after the overlap, one that waits for long is told of again.
Changes after_time(const Keys& all, const config::Dkim& settings, Time now);

// A key that is old enough for a successor and has none waiting.  In order of `all`.
std::vector<Key> due_for_rotation(const Keys& all, const config::Dkim& settings, Time now);

// That these new keys wait for their records, with the records.
Note announcement(const std::string& domain, const Keys& made);

// "20261130-rsa", or with a letter behind the date where that is taken; `base` instead of the date if it is not empty.
std::string free_selector(const Keys& all, std::string_view domain, std::string_view base, Algorithm algorithm, Time now);

}  // namespace postern::signing
