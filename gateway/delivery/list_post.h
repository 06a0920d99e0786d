#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/delivery/plan.h"
#include "gateway/directory/directory.h"
#include "gateway/mail/list_header.h"

// What comes to a mailing list of ours: who wrote it, and whether it may be one of its messages.
namespace postern::delivery {

// What the list has to know of a message beside its octets, from the moment when it was judged.
struct ListPost {
  directory::ListRole role = directory::ListRole::post;
  std::string list;          // its address
  std::string member;        // whom the address that it came to names; "": nobody
  std::string author;        // of From, in lower case; "": none, or several
  bool known = false;        // a login, SPF or DKIM shows that it is he: never From alone
  bool ours = false;         // a user or a server of ours sent it
  bool strict = false;       // the author's domain asks by DMARC that what does not pass is refused, or nobody could ask it
  std::vector<mail::Seal> seals;   // signatures that passed and that DMARC counts for the author
  std::string approved_by;   // the account that let it through; "": nobody has looked at it
};

std::string encode(const ListPost& post);
// Nothing: damaged.
std::optional<ListPost> decode_post(std::string_view text);

// `to` is of kind list.
ListPost list_post_of(const Judged& message, const directory::Resolution& to);

// Why no message of the list may be made of it, whoever wrote it: it was on the list before, or a machine answers; "": it
// may be one.  Delivered-To, List-Id (RFC 2919), Auto-Submitted (RFC 3834).  Of bounces: "".
std::string unfit_for_list(std::string_view message, const std::string& list, directory::ListRole role);

// Why a moderator is asked first; "": he is not.
std::string needs_approval(const directory::Directory& directory, const directory::List& list, const ListPost& post);

// --- what waits for a moderator, in "Lists/<folder>/Pending" of each who decides

inline constexpr std::string_view kModeration = "moderation";   // store::Held::message_class
std::string list_mailbox(const directory::List& list, std::string_view child);   // "Lists/team/Pending"; child "": "Lists/team"
// Makes the mailboxes Pending and Approve of each who decides, subscribed, where they are not there.  A failure is logged.
io::Task<void> make_list_mailboxes(store::Store& store, std::shared_ptr<const directory::List> list);

// A post as it waits: how it is to stand in the queue when it is let through.
struct Waiting {
  std::string header_prefix;
  std::string state;         // encode(QueueState) with its `post`
};
std::string encode(const Waiting& waiting);
std::optional<Waiting> decode_waiting(std::string_view text);
// The entry of the queue for it, let through by this account.  Nothing: damaged.
std::optional<store::Onward> approved(std::string_view waiting, const std::string& account);

// The copies for those who decide; `shown`: the fields before each.
std::vector<store::Target> moderators_copies(const store::Store& store, const directory::List& list, const Waiting& waiting, const std::string& shown,
                                             const std::string& sender, const std::string& why);
// A word to those of them in whose Pending nothing lay before: one for all that waits.
std::vector<store::Item> moderators_notes(const store::Store& store, const directory::Directory& directory, const std::string& address,
                                          const directory::List& list, std::string_view message, const std::string& why);

// A message of the list's own to one address, from its "-request" or with `reply_to` as author.
store::Item list_note(const directory::Directory& directory, const std::string& list, const std::string& to, const std::string& subject,
                      const std::string& text, const std::string& reply_to = {});

}  // namespace postern::delivery
