#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

namespace postern::directory {

// One who is on a list.
struct ListMember {
  std::string address;         // as it was given
  bool mail = true;            // false: he may write to it and gets nothing from it
  std::string suspended;       // why we send him nothing any more; "": nothing is wrong
  std::uint32_t bounces = 0;   // days on which what was sent to him came back
  std::int64_t last_bounce = 0;   // the last of them, days since 1970

  bool gets_mail() const { return mail && suspended.empty(); }
  bool operator==(const ListMember&) const = default;
};

struct List {
  enum class Post : std::uint8_t { anyone, members, moderators };

  std::string name;                       // for people, "Team"; "": the address
  std::string folder;                     // its mailboxes are "Lists/<folder>/..."
  std::vector<std::string> owners;        // accounts of ours, the first has the archive; never empty
  std::vector<std::string> moderators;    // accounts of ours; none: the owners
  Post post = Post::members;              // who may write without being asked about
  bool open = false;                      // whoever confirms it is subscribed; else the owners are asked
  bool archive = false;
  bool reply_to_list = false;
  std::string prefix;                     // of subjects; "": none
  std::uint32_t bounces = 5;              // so many days of them, and a member gets nothing any more; 0: however many
  std::map<std::string, ListMember, std::less<>> members;   // by address in lower case

  const std::vector<std::string>& deciders() const { return moderators.empty() ? owners : moderators; }
  bool is_run_by(std::string_view account) const;   // an owner or a moderator
  const ListMember* member(std::string_view address) const;
  bool operator==(const List&) const = default;
};

constexpr std::size_t kMostMembers = 2000;   // of one list
std::string_view name(List::Post post);
std::optional<List::Post> post_named(std::string_view name);

// What an address of a list is for: "team" itself, or "team-owner" and so on.
enum class ListRole : std::uint8_t { post, owner, request, subscribe, unsubscribe, bounces };
std::string_view suffix(ListRole role);   // "-owner"; "" of post
// "team@d" -> "team-owner@d".
std::string list_address(std::string_view list, ListRole role);
// Read from the end: "dev-team-owner" is the owner of "dev-team".  Gives the local part of the list, and post for what
// has no suffix.
struct ListLocal {
  std::string_view list;
  ListRole role = ListRole::post;
};
ListLocal split_list_local(std::string_view local);

// Mailing lists: a row "list:<address>" of the store for each, all in memory.  Nothing here knows what an address means;
// Directory does.  Addresses are in canonical form as in Addresses.
class Lists {
 public:
  using Table = std::map<std::string, std::shared_ptr<const List>, std::less<>>;

  Lists();
  // At start; again does no harm.  A damaged row is logged and left out.
  io::Task<Status> load(store::Store& store);
  // Safe from any thread.
  std::shared_ptr<const Table> current() const;
  std::shared_ptr<const List> find(std::string_view address) const;   // nullptr: no such list

  // In force at once, durable when the task ends; a failed write undoes it.  `edit` is given the list as it is, or nothing
  // if there is none, and leaves it as it is to be; its Error refuses, as does that of `good` about all lists as they
  // would be.  Both are asked under the lock.  What changes nothing writes nothing.
  using Edit = std::function<Status(std::optional<List>& list)>;
  using Good = std::function<Status(std::shared_ptr<const Table>)>;
  io::Task<Status> change(store::Store& store, std::string address, Edit edit, Good good);

 private:
  struct Begun {
    std::shared_ptr<const List> before, after;   // nullptr: no list
  };
  Result<Begun> begin(const std::string& address, const Edit& edit, const Good& good);
  void put(const std::string& address, std::shared_ptr<const List> list);
  bool undo(const std::string& address, const Begun& begun);

  mutable std::mutex mutex_;
  std::shared_ptr<const Table> table_;
};

std::string encode(const List& list);
// Nothing: damaged.
std::optional<List> decode_list(std::string_view text);

}  // namespace postern::directory
