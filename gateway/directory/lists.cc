// The rows of mailing lists, and their table in memory.
#include "gateway/directory/lists.h"

#include <algorithm>
#include <array>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/mail/blob.h"

namespace postern::directory {
namespace {

constexpr std::string_view kPrefix = "list:";
constexpr std::uint64_t kVersion = 1;
constexpr std::uint64_t kOpen = 1, kArchive = 2, kReplyToList = 4;
constexpr std::size_t kPage = 200;

constexpr std::array<std::pair<ListRole, std::string_view>, 5> kSuffixes = {
    std::pair{ListRole::owner, std::string_view("-owner")}, {ListRole::request, "-request"}, {ListRole::subscribe, "-subscribe"},
    {ListRole::unsubscribe, "-unsubscribe"}, {ListRole::bounces, "-bounces"}};

void put_all(std::string& out, const std::vector<std::string>& texts) {
  mail::put_number(out, texts.size());
  for (const auto& text : texts) mail::put_text(out, text);
}

std::vector<std::string> take_all(mail::BlobReader& in, std::size_t most) {
  std::vector<std::string> out;
  auto count = in.number(most);
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) out.emplace_back(in.text());
  return out;
}

}  // namespace

bool List::is_run_by(std::string_view account) const {
  auto among = [&](const std::vector<std::string>& all) { return std::find(all.begin(), all.end(), account) != all.end(); };
  return among(owners) || among(moderators);
}

const ListMember* List::member(std::string_view address) const {
  auto found = members.find(ascii_lowered(address));
  return found == members.end() ? nullptr : &found->second;
}

std::string_view name(List::Post post) {
  switch (post) {
    case List::Post::anyone: return "anyone";
    case List::Post::members: return "members";
    case List::Post::moderators: return "moderators";
  }
  return "";
}

std::optional<List::Post> post_named(std::string_view text) {
  for (auto post : {List::Post::anyone, List::Post::members, List::Post::moderators}) {
    if (name(post) == text) return post;
  }
  return std::nullopt;
}

std::string_view suffix(ListRole role) {
  for (const auto& [each, text] : kSuffixes) {
    if (each == role) return text;
  }
  return "";
}

std::string list_address(std::string_view list, ListRole role) {
  auto at = list.rfind('@');
  return std::string(list.substr(0, at)) + std::string(suffix(role)) + std::string(list.substr(at));
}

ListLocal split_list_local(std::string_view local) {
  for (const auto& [role, text] : kSuffixes) {
    if (local.size() > text.size() && local.ends_with(text)) return {local.substr(0, local.size() - text.size()), role};
  }
  return {local, ListRole::post};
}

std::string encode(const List& list) {
  std::string out;
  mail::put_number(out, kVersion);
  mail::put_number(out, (list.open ? kOpen : 0) | (list.archive ? kArchive : 0) | (list.reply_to_list ? kReplyToList : 0));
  mail::put_number(out, static_cast<std::uint64_t>(list.post));
  mail::put_number(out, list.bounces);
  for (const auto& text : {list.name, list.folder, list.prefix}) mail::put_text(out, text);
  put_all(out, list.owners);
  put_all(out, list.moderators);
  mail::put_number(out, list.members.size());
  for (const auto& [key, member] : list.members) {
    mail::put_text(out, member.address);
    mail::put_number(out, member.mail ? 1 : 0);
    mail::put_text(out, member.suspended);
    mail::put_number(out, member.bounces);
    mail::put_number(out, static_cast<std::uint64_t>(member.last_bounce));
  }
  return out;
}

std::optional<List> decode_list(std::string_view text) {
  mail::BlobReader in(text);
  if (in.number() != kVersion) return std::nullopt;
  List out;
  auto marks = in.number(kOpen | kArchive | kReplyToList);
  out.open = (marks & kOpen) != 0;
  out.archive = (marks & kArchive) != 0;
  out.reply_to_list = (marks & kReplyToList) != 0;
  out.post = static_cast<List::Post>(in.number(static_cast<std::uint64_t>(List::Post::moderators)));
  out.bounces = static_cast<std::uint32_t>(in.number(UINT32_MAX));
  for (auto* into : {&out.name, &out.folder, &out.prefix}) *into = in.text();
  out.owners = take_all(in, text.size());
  out.moderators = take_all(in, text.size());
  auto members = in.number(text.size());   // each takes some octets
  for (std::uint64_t i = 0; i < members && in.ok(); ++i) {
    ListMember member;
    member.address = in.text();
    member.mail = in.number(1) != 0;
    member.suspended = in.text();
    member.bounces = static_cast<std::uint32_t>(in.number(UINT32_MAX));
    member.last_bounce = static_cast<std::int64_t>(in.number(INT64_MAX));
    auto key = ascii_lowered(member.address);
    out.members.insert_or_assign(std::move(key), std::move(member));
  }
  if (!in.ok() || !in.at_end() || out.owners.empty() || out.folder.empty()) return std::nullopt;
  return out;
}

Lists::Lists() : table_(std::make_shared<const Table>()) {}

std::shared_ptr<const Lists::Table> Lists::current() const {
  std::lock_guard lock(mutex_);
  return table_;
}

std::shared_ptr<const List> Lists::find(std::string_view address) const {
  auto table = current();
  auto found = table->find(address);
  return found == table->end() ? nullptr : found->second;
}

Result<Lists::Begun> Lists::begin(const std::string& address, const Edit& edit, const Good& good) {
  std::lock_guard lock(mutex_);
  Begun out;
  auto there = table_->find(address);
  if (there != table_->end()) out.before = there->second;
  auto list = out.before ? std::optional(*out.before) : std::nullopt;
  auto edited = edit(list);
  if (!edited) return edited.error();
  if (list) out.after = out.before && *list == *out.before ? out.before : std::make_shared<const List>(std::move(*list));
  if (out.after == out.before) return out;
  auto next = std::make_shared<Table>(*table_);
  next->erase(address);
  if (out.after) next->emplace(address, out.after);
  auto fine = good(next);
  if (!fine) return fine.error();
  table_ = std::move(next);
  return out;
}

// Under the lock.
void Lists::put(const std::string& address, std::shared_ptr<const List> list) {
  auto next = std::make_shared<Table>(*table_);
  next->erase(address);
  if (list) next->emplace(address, std::move(list));
  table_ = std::move(next);
}

// False: another change came on top of it, which stays.
bool Lists::undo(const std::string& address, const Begun& begun) {
  std::lock_guard lock(mutex_);
  auto there = table_->find(address);
  bool mine = (there == table_->end() ? nullptr : there->second) == begun.after;
  if (mine) put(address, begun.before);
  return mine;
}

// Two changes of one list may reach the store in either order: whoever ends sees to it that what counts now was written last.
io::Task<Status> Lists::change(store::Store& store, std::string address, Edit edit, Good good) {
  auto begun = begin(address, edit, good);
  if (!begun) co_return Status(begun.error());
  if (begun->before == begun->after) co_return Status();
  for (auto written = begun->after;;) {
    std::vector<store::Row> rows(1);
    rows[0].key = std::string(kPrefix) + address;
    if (written) rows[0].value = encode(*written);
    auto done = co_await store.write(std::move(rows));
    if (!done.ok()) {
      undo(address, *begun);
      co_return Status(Error(address + ": " + done.text));
    }
    auto now = find(address);
    if (now == written) co_return Status();
    written = std::move(now);
  }
}

io::Task<Status> Lists::load(store::Store& store) {
  auto table = std::make_shared<Table>();
  std::string from(kPrefix);
  for (;;) {
    auto rows = co_await store.scan(std::string(kPrefix), from, kPage);
    if (!rows) co_return Status(Error("mailing lists cannot be read: " + rows.error().text));
    for (const auto& row : *rows) {
      auto list = decode_list(*row.value);
      if (list) table->emplace(row.key.substr(kPrefix.size()), std::make_shared<const List>(std::move(*list)));
      else log::error("lists.damaged", {{"row", printable(row.key)}, {"what", "it is left out; make it anew"}});
    }
    if (rows->size() < kPage) break;
    from = rows->back().key + '\0';
  }
  std::lock_guard lock(mutex_);
  table_ = std::move(table);
  co_return Status();
}

}  // namespace postern::directory
