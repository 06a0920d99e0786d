#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/base/clock.h"
#include "gateway/directory/link_keys.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

// Releasing one held message with a token: by a link's page, or by a message to an address that bears it.
namespace postern::delivery {

// What a token names.
struct Releasable {
  store::AccountId account = 0;
  store::MailboxId mailbox = 0;
  store::Uid uid = 0;
  std::string mark;   // of the message's id: an older store that was restored gives uids again
};

// May its user be offered to release it?  Never of class virus, whatever the configuration says; nor what an administrator
// decides on, nor what is released already.
bool may_offer(const store::MessageRow& row);
// Of a message that may_offer() allows.
std::string release_token(const directory::LinkTokens& tokens, store::AccountId account, const store::MessageRow& row, Time expires);

// "release-TOKEN@domain".  A local part of that form; "" when the token would make it longer than RFC 5321 4.5.3.1.1 allows.
std::string release_local_part(std::string_view token);
// The token in such a local part; nothing: it is an address like any other.
std::optional<std::string_view> token_in_local_part(std::string_view local);
// What logs may say of it.
inline constexpr std::string_view kMaskedLocalPart = "release-...";

// Safe from any thread; on the loop of the caller.
class LinkReleases {
 public:
  // All must outlive it.
  LinkReleases(store::Store& store, const directory::LinkKeys& keys, const Clock& clock = Clock::system())
      : store_(store), keys_(keys), clock_(clock) {}

  struct Read {
    directory::LinkTokens::Read::Kind kind = directory::LinkTokens::Read::Kind::forged;
    Releasable what;   // when good
    bool ok() const { return kind == directory::LinkTokens::Read::Kind::good; }
  };
  Read read(std::string_view token) const;
  // What the body of a good token names; nothing: it was not made by release_token().
  std::optional<Releasable> in_body(std::string_view body) const;

  struct Found {
    enum class Kind {
      held,
      gone,        // released before, thrown away, too old: there is nothing to do
      unreadable   // the store cannot say now
    };
    Kind kind = Kind::gone;
    std::string user;          // his address; "": the account is gone
    store::MessageRow row;     // when held
  };
  io::Task<Found> find(Releasable what) const;

  struct Done {
    enum class Kind { released, gone, failed };
    Kind kind = Kind::failed;
    std::string text;   // when failed
    std::string user;
  };
  // Moves it to its user's INBOX, as he could himself: so twice is as good as once.  Leaves a line in the log, whatever
  // came of it: event=quarantine.link.  `by`: "link" or "mail"; `from`: who did it, by his network address.
  io::Task<Done> release(Releasable what, std::string by, std::string from) const;

 private:
  store::Store& store_;
  const directory::LinkKeys& keys_;
  const Clock& clock_;
};

}  // namespace postern::delivery
