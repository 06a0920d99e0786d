// postern restore DIR --user: from the backup into the store that runs, by way of whoever has it open.
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "gateway/admin/conversation.h"
#include "gateway/admin/output.h"
#include "gateway/admin/restore_session.h"
#include "gateway/admin/restore_user.h"
#include "gateway/backup/opened.h"
#include "gateway/base/text.h"
#include "gateway/mail/envelope.h"
#include "gateway/store/names.h"

namespace postern::admin {
namespace {

using nlohmann::json;

constexpr std::size_t kOffered = 100;             // messages
constexpr std::size_t kMaxSlice = 8 << 20;        // octets, but for a single message
constexpr std::size_t kMaxRows = 2 << 20;

// One message, by our id or by its Message-ID.
bool is_wanted(const store::MessageRow& row, std::string_view wanted) {
  if (wanted.empty() || row.id == wanted) return true;
  auto envelope = mail::EnvelopeView::read(row.envelope);
  auto given = envelope ? envelope->get(mail::EnvelopeView::message_id) : std::nullopt;
  if (!given) return false;
  auto bare = [](std::string_view id) {
    id = trimmed(id);
    if (id.starts_with('<')) id.remove_prefix(1);
    if (id.ends_with('>')) id.remove_suffix(1);
    return id;
  };
  return !bare(wanted).empty() && bare(*given) == bare(wanted);
}

class UserRestore {
 public:
  UserRestore(backup::Opened& from, Conversation& to, const UserChoice& choice, std::string date)
      : from_(from), to_(to), choice_(choice), date_(std::move(date)) {}

  Result<UserRestored> run(const std::vector<store::MailboxInfo>& mailboxes) {
    for (const auto& box : mailboxes) {
      if (auto done = folder(box); !done) return done.error();
    }
    return std::move(out_);
  }

 private:
  Status folder(const store::MailboxInfo& box) {
    into_ = std::string(kRestoredPrefix) + date_ + "/" + box.name;
    // Too deep, or too long, with one more level.
    if (!store::mailbox_name(into_)) into_ = std::string(kRestoredPrefix) + date_ + "/mailbox " + std::to_string(box.id);
    auto before = out_.restored;
    for (store::Uid next = 1;;) {
      auto rows = from_.messages(box.id, next, kOffered);
      if (!rows) return rows.error();
      if (rows->empty()) break;
      next = rows->back().uid + 1;
      std::erase_if(*rows, [this](const auto& row) { return !is_wanted(row, choice_.message); });
      if (auto offered = offer(*rows); !offered) return offered;
      if (isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r%s: %zu restored", box.name.c_str(), out_.restored - before);
    }
    if (isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\n");
    if (out_.restored > before) out_.folders.emplace_back(into_, out_.restored - before);
    return {};
  }

  Status offer(const std::vector<store::MessageRow>& rows) {
    if (rows.empty()) return {};
    out_.found += rows.size();
    json identities = json::array();
    for (const auto& row : rows) identities.push_back(backup::identity(row));
    auto answer = to_.ask({{"command", "restore offer"}, {"folder", into_}, {"identities", std::move(identities)}});
    if (!answer.value("ok", false)) return Error(answer.value("error", ""));
    const auto& want = answer.at("want");
    out_.present += rows.size() - want.size();
    for (const auto& index : want) {
      if (auto added = add(rows.at(index.get<std::size_t>())); !added) return added;
    }
    return send();
  }

  Status add(const store::MessageRow& row) {
    auto record = from_.record(row);
    if (!record) {   // the others are worth having
      out_.damaged.push_back(record.error().text);
      return {};
    }
    auto blob = base64(store::encode(store::stored_part(row)));
    bool full = !slice_.empty() && (octets_.size() + record->size() > kMaxSlice || rows_ + blob.size() > kMaxRows);
    if (full) {
      if (auto sent = send(); !sent) return sent;
    }
    rows_ += blob.size();
    slice_.push_back({{"row", std::move(blob)}, {"flags", row.flags.system}, {"keywords", row.flags.keywords},
                      {"identity", backup::identity(row)}, {"octets", record->size()}});
    octets_ += *record;
    return {};
  }

  Status send() {
    if (slice_.empty()) return {};
    auto answer = to_.ask({{"command", "restore messages"}, {"folder", into_}, {"messages", std::exchange(slice_, json::array())}}, octets_);
    octets_.clear();
    rows_ = 0;
    if (!answer.value("ok", false)) return Error(answer.value("error", ""));
    out_.restored += answer.value("placed", std::size_t{0});
    return {};
  }

  backup::Opened& from_;
  Conversation& to_;
  const UserChoice& choice_;
  std::string date_;
  UserRestored out_;
  std::string into_;
  json slice_ = json::array();
  std::string octets_;
  std::size_t rows_ = 0;   // octets of them in slice_
};

// Of the user, or the one named.
Result<std::vector<store::MailboxInfo>> chosen(const backup::Opened& from, const store::Account& account, const std::string& folder) {
  auto all = from.catalog().mailboxes(account.id);
  if (folder.empty()) return all;
  auto name = store::mailbox_name(folder);
  if (!name) return name.error();
  for (const auto& box : all) {
    if (box.name == *name) return std::vector{box};
  }
  std::vector<std::string> names;
  for (const auto& box : all) names.push_back(box.name);
  return Error(account.address + " had no folder \"" + folder + "\" then, but " + join(names, ", "));
}

}  // namespace

Result<UserRestored> restore_user(const config::Config& config, const backup::Folder& folder, const backup::Generation& generation,
                                  const UserChoice& choice) {
  auto opened = backup::Opened::open(store::Files::system(), folder, generation);
  if (!opened) return opened.error();
  auto account = (*opened)->catalog().account(ascii_lowered(choice.user));
  if (!account) return Error("the backup " + generation.name + " has no user " + choice.user);
  auto mailboxes = chosen(**opened, *account, choice.folder);
  if (!mailboxes) return mailboxes.error();
  auto conversation = Conversation::begin(config);
  if (!conversation) return conversation.error();
  auto begun = conversation->ask({{"command", "restore"}, {"user", account->address}, {"groups", account->groups}, {"all", choice.all},
                                  {"backup", generation.name}});
  if (!begun.value("ok", false)) return Error(begun.value("error", "it did not succeed"));
  auto date = rfc3339(generation.manifest.moment).substr(0, 10);
  auto restored = UserRestore(**opened, *conversation, choice, date).run(*mailboxes);
  if (!restored) return Error(restored.error().text + "; what was restored stays, and the same command goes on with the rest");
  restored->made = begun.value("made", false);
  conversation->ask({{"command", "restore done"}});
  return restored;
}

}  // namespace postern::admin
