// Originals of class virus, their notices, and the release by an administrator.
#include "gateway/delivery/originals.h"

#include <algorithm>
#include <map>

#include "gateway/base/text.h"

namespace postern::delivery {
namespace {

using store::Change;
using store::Copied;
using store::SpecialUse;
using store::Uid;

constexpr std::size_t kBatch = 50;   // a row can have hundreds of KiB

// Letters that store::mailbox_name() refuses, the delimiter and our own mark.
bool is_plain(char c, bool first) {
  auto octet = static_cast<unsigned char>(c);
  return octet >= 0x20 && octet != 0x7f && std::string_view("/*%=").find(c) == std::string_view::npos && !(first && c == '.');
}

std::string escaped(std::string_view level) {
  std::string out;
  for (char c : level) {
    if (is_plain(c, out.empty())) out += c;
    else out += "=" + ascii_uppered(hex(std::string_view(&c, 1)));
  }
  return out;
}

std::optional<std::string> unescaped(std::string_view level) {
  std::string out;
  for (std::size_t i = 0; i < level.size(); ++i) {
    if (level[i] != '=') {
      out += level[i];
      continue;
    }
    auto octet = from_hex(level.substr(i + 1, 2));
    if (!octet || octet->size() != 1) return std::nullopt;
    out += *octet;
    i += 2;
  }
  return out;
}

// What is to be moved, mailbox by mailbox: a notice stands for its original.
struct Release {
  std::map<store::MailboxId, std::vector<Uid>> from;
  std::vector<MessagePlace> shared;      // originals of a store from before each recipient had his own: others' stay
  std::vector<MessagePlace> originals;   // whose notices go
};

// Adds the original of a notice of `user`, or an original itself.
io::Task<Status> add_original(store::Store& store, MessagePlace place, store::AccountId user, Release& into) {
  auto row = co_await store.message(place.mailbox, place.uid);
  if (!row) co_return row.error();
  if (!*row || !(*row)->held) co_return Error("the original is gone");
  auto recipient = (*row)->held->recipient;
  if (recipient != 0 && recipient != user) co_return Error("the message is another user's");
  if (recipient == 0) into.shared.push_back(place);
  else into.from[place.mailbox].push_back(place.uid);
  into.originals.push_back(place);
  co_return Status();
}

io::Task<Result<Release>> look(store::Store& store, store::MailboxId from, const std::vector<Uid>& uids, store::AccountId user) {
  Release out;
  for (Uid uid : uids) {
    auto row = co_await store.message(from, uid);
    if (!row) co_return row.error();
    if (!*row) continue;
    const auto& held = (*row)->held;
    MessagePlace original{from, uid};
    if (held && held->notice) original = {held->original_mailbox, held->original_uid};
    if (!held || (!held->notice && held->recipient == 0)) {
      out.from[from].push_back(uid);
      continue;
    }
    auto added = co_await add_original(store, original, user, out);
    if (!added) co_return added.error();
  }
  co_return std::move(out);
}

Change broken(std::string text) {
  Change out;
  out.outcome = store::Outcome::broken;
  out.text = std::move(text);
  return out;
}

Copied failed(Change change) {
  Copied out;
  static_cast<Change&>(out) = std::move(change);
  return out;
}

}  // namespace

std::string user_folder(std::string_view address) {
  auto at = address.rfind('@');
  return escaped(address.substr(at + 1)) + "/" + escaped(address.substr(0, at));
}

std::optional<std::string> user_of_folder(std::string_view folder) {
  auto slash = folder.find('/');
  if (slash == std::string_view::npos || folder.find('/', slash + 1) != std::string_view::npos) return std::nullopt;
  auto domain = unescaped(folder.substr(0, slash));
  auto local = unescaped(folder.substr(slash + 1));
  if (!domain || !local) return std::nullopt;
  return *local + "@" + *domain;
}

std::string originals_folder(std::string_view address) { return user_folder(address) + "/Viruses"; }

io::Task<Result<std::vector<MessagePlace>>> notices_of(store::Store& store, std::vector<MessagePlace> originals, store::AccountId account) {
  std::vector<MessagePlace> out;
  auto accounts = store.accounts();
  for (const auto& each : accounts) {
    auto mailbox = account != 0 && each.id != account ? std::nullopt : store.mailbox(each.id, SpecialUse::quarantine);
    Uid next = mailbox && !originals.empty() ? 1 : 0;
    while (next != 0) {
      auto rows = co_await store.messages(mailbox->id, next, 0xffffffffU, kBatch);
      if (!rows) co_return rows.error();
      next = rows->size() == kBatch ? rows->back().uid + 1 : 0;
      for (const auto& row : *rows) {
        if (!row.held || !row.held->notice) continue;
        MessagePlace original{row.held->original_mailbox, row.held->original_uid};
        bool named = std::find(originals.begin(), originals.end(), original) != originals.end();
        if (named) out.push_back({row.mailbox, row.uid});
      }
    }
  }
  co_return out;
}

io::Task<Change> erase_notices(store::Store& store, std::vector<MessagePlace> originals, store::AccountId user) {
  auto notices = co_await notices_of(store, std::move(originals), user);
  if (!notices) co_return broken(notices.error().text);
  Change done;
  for (const auto& notice : *notices) {
    std::vector<Uid> uids{notice.uid};
    done = co_await store.erase(notice.mailbox, std::move(uids));
    if (!done.ok()) break;
  }
  co_return done;
}

io::Task<Copied> release_to_user(store::Store& store, store::MailboxId from, std::vector<Uid> uids, store::AccountId user, bool moving) {
  Copied out;
  auto inbox = store.mailbox(user, SpecialUse::inbox);
  if (!inbox) {
    out.outcome = store::Outcome::no_mailbox;
    out.text = "there is no INBOX";
    co_return out;
  }
  auto release = co_await look(store, from, uids, user);
  if (!release) co_return failed(broken(release.error().text));
  for (auto& [mailbox, theirs] : release->from) {
    auto way = moving ? store.move(mailbox, std::move(theirs), inbox->id) : store.copy(mailbox, std::move(theirs), inbox->id);
    auto copied = co_await way;
    if (!copied.ok()) co_return copied;
    out.uids.insert(out.uids.end(), copied.uids.begin(), copied.uids.end());
  }
  for (const auto& place : release->shared) {
    std::vector<Uid> one{place.uid};
    auto copied = co_await store.copy(place.mailbox, std::move(one), inbox->id);
    if (!copied.ok()) co_return copied;
    out.uids.insert(out.uids.end(), copied.uids.begin(), copied.uids.end());
  }
  out.uidvalidity = inbox->uidvalidity;
  out.elsewhere = true;
  if (release->originals.empty()) co_return out;
  auto erased = co_await erase_notices(store, std::move(release->originals), user);
  if (!erased.ok()) co_return failed(std::move(erased));
  co_return out;
}

}  // namespace postern::delivery
