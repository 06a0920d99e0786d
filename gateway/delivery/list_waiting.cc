// Posts that wait for a moderator, and what is written to people in a list's name.
#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/delivery/list_post.h"
#include "gateway/delivery/own_mail.h"
#include "gateway/delivery/queue_state.h"
#include "gateway/delivery/route.h"
#include "gateway/mail/blob.h"
#include "gateway/mail/foreign.h"
#include "gateway/mail/headers.h"

namespace postern::delivery {
namespace {

using directory::List;
using directory::ListRole;

constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kMaxShown = 200;

std::string shown(const mail::HeaderBlock& header, std::string_view name) {
  const auto* field = header.find(name);
  return field == nullptr ? "(none)" : mail::one_line(mail::readable(field->raw), kMaxShown);
}

io::Task<void> make_mailbox(store::Store& store, store::AccountId account, std::string name) {
  if (store.mailbox(account, name)) co_return;
  auto made = co_await store.create_mailbox(account, name, store::SpecialUse::none);
  store::Change done = made;
  if (made.ok()) done = co_await store.subscribe(account, name, true);
  bool failed = !done.ok() && done.outcome != store::Outcome::exists;
  if (failed) log::warning("list.folder", {{"account", std::to_string(account)}, {"folder", name}, {"what", done.text}});
}

}  // namespace

std::string list_mailbox(const List& list, std::string_view child) {
  auto out = "Lists/" + list.folder;
  return child.empty() ? out : out + "/" + std::string(child);
}

io::Task<void> make_list_mailboxes(store::Store& store, std::shared_ptr<const List> list) {
  for (const auto& who : list->deciders()) {
    auto account = store.account(who);
    if (!account) continue;
    co_await make_mailbox(store, account->id, list_mailbox(*list, "Pending"));
    co_await make_mailbox(store, account->id, list_mailbox(*list, "Approve"));
  }
}

std::string encode(const Waiting& waiting) {
  std::string out;
  mail::put_number(out, kVersion);
  mail::put_text(out, waiting.header_prefix);
  mail::put_text(out, waiting.state);
  return out;
}

std::optional<Waiting> decode_waiting(std::string_view text) {
  mail::BlobReader in(text);
  if (in.number() != kVersion) return std::nullopt;
  Waiting out;
  out.header_prefix = in.text();
  out.state = in.text();
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return out;
}

std::optional<store::Onward> approved(std::string_view text, const std::string& account) {
  auto waiting = decode_waiting(text);
  auto state = waiting ? decode_state(waiting->state) : std::nullopt;
  auto post = state ? decode_post(state->post) : std::nullopt;
  if (!post) return std::nullopt;
  post->approved_by = account;
  state->post = encode(*post);
  store::Onward out;
  out.destination = std::string(kListLane) + post->list;
  out.header_prefix = waiting->header_prefix;
  out.state = encode(*state);
  return out;
}

std::vector<store::Target> moderators_copies(const store::Store& store, const List& list, const Waiting& waiting, const std::string& before,
                                             const std::string& sender, const std::string& why) {
  std::vector<store::Target> out;
  for (const auto& who : list.deciders()) {
    auto account = store.account(who);
    if (!account) continue;
    auto& target = out.emplace_back();
    target.account = account->id;
    target.mailbox = list_mailbox(list, "Pending");
    target.header_prefix = before;
    auto& held = target.held.emplace();
    held.message_class = kModeration;
    held.reason = why;
    held.sender = sender;
    held.outgoing = encode(waiting);
  }
  return out;
}

std::vector<store::Item> moderators_notes(const store::Store& store, const directory::Directory& directory, const std::string& address, const List& list,
                                          std::string_view message, const std::string& why) {
  std::vector<store::Item> out;
  mail::HeaderBlock header(message);
  auto folder = list_mailbox(list, "Pending");
  std::string text = "A message to " + address + " waits for you in your folder\r\n\r\n  " + folder + "\r\n\r\n";
  text += "  From:    " + shown(header, "From") + "\r\n  Subject: " + shown(header, "Subject") + "\r\n  Why:     " + printable(why, 400) + "\r\n\r\n";
  text += "Move it to " + list_mailbox(list, "Approve") + " and its members get it; move it to Trash and they\r\ndo not.  ";
  text += "What comes while something waits there is not told of again.\r\n";
  for (const auto& who : list.deciders()) {
    auto account = store.account(who);
    auto there = account ? store.mailbox(account->id, folder) : std::nullopt;
    if (!account || (there && there->messages != 0)) continue;
    out.push_back(list_note(directory, address, who, "A message to " + address + " waits for you", text));
  }
  return out;
}

store::Item list_note(const directory::Directory& directory, const std::string& list, const std::string& to, const std::string& subject,
                      const std::string& text, const std::string& reply_to) {
  auto id = new_id();
  auto now = Clock::system().now();
  auto author = reply_to.empty() ? directory::list_address(list, ListRole::request) : reply_to;
  std::string out = "From: " + mail::phrase("Mailing list " + list) + " <" + author + ">\r\nTo: <" + to + ">\r\n";
  out += "Date: " + rfc5322_date(now) + "\r\nMessage-ID: <" + id + "@" + list.substr(list.rfind('@') + 1) + ">\r\n";
  out += "Subject: " + printable(subject) + "\r\nAuto-Submitted: auto-generated\r\nPrecedence: list\r\nMIME-Version: 1.0\r\n";
  out += "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + text;
  return own_item(directory, id, Octets(std::move(out)), now, to, !is_ascii(to));
}

}  // namespace postern::delivery
