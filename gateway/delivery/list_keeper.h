#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/delivery/list_post.h"
#include "gateway/delivery/queue_state.h"
#include "gateway/delivery/report.h"
#include "gateway/directory/directory.h"
#include "gateway/io/signal.h"
#include "gateway/io/task.h"
#include "gateway/mail/list_header.h"
#include "gateway/signing/signer.h"
#include "gateway/store/store.h"

namespace postern::delivery {

// By which this member leaves the list with one click, RFC 8058; "", or no function: there are no such links.
using UnsubscribeLink = std::function<std::string(const std::string& list, const std::string& member)>;

// Does what the queue's entries for mailing lists ask for: passes a post on to the members, answers requests, counts what
// came back.  Each ends in one commit together with its entry, so that it happens once whatever comes between.  One loop's,
// one entry at a time: two moderators who let the same post through send it once.
class ListKeeper {
 public:
  struct Parts {
    store::Store& store;
    directory::Directory& directory;
    signing::Signer* signer = nullptr;                        // nullptr signs nothing
    std::function<void(const store::Delivered&)> queued;      // new entries of the queue
    std::string hostname;
    const Clock& clock = Clock::system();
    UnsubscribeLink unsubscribe_link = {};
  };
  explicit ListKeeper(Parts parts) : parts_(std::move(parts)), reports_(parts_.directory, parts_.hostname) {}

  // What became of the entry.
  struct Done {
    std::optional<Time> due;   // it stays, and is tried again then
    std::string failed;        // it stays, and is to be given up, for this reason; "": not so
  };
  io::Task<Done> take(const store::QueueEntry& entry, QueueState state);

 private:
  using Entry = store::QueueEntry;
  using ListPtr = std::shared_ptr<const directory::List>;
  struct Work;
  struct Reach;
  struct Made;

  io::Task<Done> begin(Work work);
  // posts
  io::Task<Done> pass_on(Work work);
  Reach reach(const Work& work) const;
  void reach_member(const Work& work, const directory::ListMember& member, Reach& out) const;
  io::Task<Made> made_of(const Work& work) const;
  std::string link_of(const Work& work, const std::string& member) const;
  io::Task<std::string> sign(const Work& work, const Made& made, std::string before) const;
  io::Task<void> add_links(const Work& work, Reach& members, const Made& made) const;
  store::Item item_of(const Work& work, const Reach& reach, const Made& made) const;
  store::Target copy_for(const Work& work, const std::string& address, store::AccountId account, const std::string& fields) const;
  store::Onward nested(const Work& work, const std::string& list, const Made& made) const;
  void tell_of_expansion(const Work& work, store::Delivery& delivery) const;
  io::Task<Done> ask_moderators(Work work, std::string why);
  io::Task<void> forget_waiting(ListPtr list, std::string message_id);
  io::Task<void> forget_old_marks();
  // requests
  io::Task<Done> answer(Work work);
  io::Task<Done> subscribe(Work work, std::string who);
  io::Task<Done> unsubscribe(Work work, std::string who);
  io::Task<Done> reply(Work work, std::string to, std::string subject, std::string text, std::string reply_to = {});
  io::Task<Done> ask_for_token(Work work, directory::ListRole role);
  io::Task<Done> ask_owners(Work work);
  bool may_answer(const Work& work, const std::string& to);
  // bounces
  io::Task<Done> count_bounce(Work work);

  // One commit with the end of the entry.
  io::Task<Done> commit(const Work& work, store::Delivery delivery);

  struct Answers {
    unsigned count = 0;
    Deadline until{};
  };
  Parts parts_;
  Reports reports_;
  bool busy_ = false;
  io::Signal free_;
  std::map<std::string, Answers, std::less<>> answered_;   // by list and address, and by list for all whom nothing shows
  std::string marks_from_;                                 // where forget_old_marks() goes on; "": at the beginning
};

// What is being worked on.
struct ListKeeper::Work {
  const Entry* entry = nullptr;
  QueueState state;
  ListPost post;
  ListPtr list;
  Octets record;
};

// Whom a post reaches.
struct ListKeeper::Reach {
  struct Here {
    std::string address, member;
    store::AccountId account = 0;
    std::string fields;     // before his copy
  };
  struct Outside {
    std::string address, domain, account, member;
    std::string fields;     // before his copy, with our signatures
  };
  std::vector<Here> here;
  std::vector<Outside> outside;
  std::vector<std::string> lists;
  std::set<std::string, std::less<>> seen;
  bool cut = false;
  std::size_t size() const { return here.size() + outside.size() + lists.size(); }
};

// What the members get.
struct ListKeeper::Made {
  Octets octets;
  std::string signatures;
  bool rewritten = false;
  bool by_author = false;     // signed in the name of his domain
  bool has_links = false;     // each copy has a List-Unsubscribe of its own, which is signed with it (RFC 8058 4)
};

}  // namespace postern::delivery
