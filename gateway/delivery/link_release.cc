// A token releases one message, and by the way that a move in the mail client goes.
#include "gateway/delivery/link_release.h"
#include "gateway/delivery/trace.h"

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/directory/passwords.h"
#include "gateway/store/names.h"

namespace postern::delivery {
namespace {

using directory::LinkPurpose;
using directory::LinkTokens;

constexpr std::string_view kPrefix = "release-";
constexpr std::size_t kMaxLocalPart = 64;   // RFC 5321 4.5.3.1.1
constexpr std::size_t kMark = 4;

std::string mark_of(const std::string& id) { return directory::sha256(id).substr(0, kMark); }

}  // namespace

bool may_offer(const store::MessageRow& row) {
  return row.held && !row.held->released && !row.held->notice && row.held->outgoing.empty() && row.held->message_class != "virus";
}

std::string release_token(const LinkTokens& tokens, store::AccountId account, const store::MessageRow& row, Time expires) {
  std::string body = mark_of(row.id);
  for (std::uint64_t number : {std::uint64_t{account}, std::uint64_t{row.mailbox}, std::uint64_t{row.uid}}) directory::add_number(body, number);
  return tokens.make(LinkPurpose::release, body, expires);
}

std::string release_local_part(std::string_view token) {
  auto out = std::string(kPrefix) + std::string(token);
  return out.size() <= kMaxLocalPart ? out : "";
}

std::optional<std::string_view> token_in_local_part(std::string_view local) {
  if (!istarts_with(local, kPrefix)) return std::nullopt;
  auto token = local.substr(kPrefix.size());
  // Somebody may be called "release-notes".
  bool shaped = token.size() >= LinkTokens::kLeastText && std::all_of(token.begin(), token.end(), [](char c) { return is_alpha(c) || (c >= '2' && c <= '7'); });
  return shaped ? std::optional(token) : std::nullopt;
}

LinkReleases::Read LinkReleases::read(std::string_view token) const {
  Read out;
  auto tokens = keys_.current();
  if (!tokens) return out;
  auto read = tokens->read(LinkPurpose::release, token, clock_.now());
  out.kind = read.kind;
  if (!read.ok()) return out;
  auto what = in_body(read.body);
  if (what) out.what = std::move(*what);
  else out.kind = LinkTokens::Read::Kind::forged;
  return out;
}

std::optional<Releasable> LinkReleases::in_body(std::string_view body) const {
  if (body.size() <= kMark) return std::nullopt;
  Releasable out;
  out.mark = body.substr(0, kMark);
  body.remove_prefix(kMark);
  std::uint64_t numbers[3] = {};
  for (auto& number : numbers) {
    if (!directory::take_number(body, number)) return std::nullopt;
  }
  if (!body.empty()) return std::nullopt;
  out.account = numbers[0];
  out.mailbox = numbers[1];
  out.uid = static_cast<store::Uid>(numbers[2]);
  return out;
}

io::Task<LinkReleases::Found> LinkReleases::find(Releasable what) const {
  Found out;
  auto account = store_.account(what.account);
  auto mailbox = store_.mailbox(what.mailbox);
  if (!account || !mailbox || mailbox->account != account->id) co_return out;
  out.user = account->address;
  auto row = co_await store_.message(what.mailbox, what.uid);
  if (!row) {
    log::error("quarantine.link", {{"user", out.user}, {"what", row.error().text}});
    out.kind = Found::Kind::unreadable;
    co_return out;
  }
  bool there = *row && mark_of((*row)->id) == what.mark && may_offer(**row);
  if (!there) co_return out;
  out.row = std::move(**row);
  out.kind = Found::Kind::held;
  co_return out;
}

io::Task<LinkReleases::Done> LinkReleases::release(Releasable what, std::string by, std::string from) const {
  auto found = co_await find(what);
  Done out;
  out.user = found.user;
  std::string message = found.row.id;
  std::string message_class = found.row.held ? found.row.held->message_class : "";
  auto inbox = store_.mailbox(what.account, store::SpecialUse::inbox);
  if (found.kind == Found::Kind::unreadable) {
    out.text = "the message cannot be read now";
  } else if (found.kind == Found::Kind::gone || !inbox) {
    out.kind = Done::Kind::gone;
  } else {
    std::vector<store::Uid> uids(1, what.uid);
    auto moved = co_await store_.move(what.mailbox, std::move(uids), inbox->id);
    out.kind = !moved.ok() ? Done::Kind::failed : moved.uids.empty() ? Done::Kind::gone : Done::Kind::released;
    out.text = moved.text;
  }
  log::info("quarantine.link", {{"action", "release"}, {"by", by}, {"ip", from}, {"user", out.user}, {"message", message}, {"class", message_class},
                                {"outcome", out.kind == Done::Kind::released ? "released" : out.kind == Done::Kind::gone ? "nothing to do" : out.text}});
  store::TraceEvent event;
  event.kind = "release asked";
  event.fields = {{"account", out.user}, {"by", by}, {"ip", from},
                  {"outcome", out.kind == Done::Kind::released ? "released" : out.kind == Done::Kind::gone ? "nothing to do" : out.text}};
  std::vector<store::Row> rows;
  add_event(rows, message, event);
  auto written = store::Change();
  if (!rows.empty()) written = co_await store_.write(std::move(rows));
  if (!written.ok()) log::warning("trace.lost", {{"message", message}, {"what", written.text}});
  co_return out;
}

}  // namespace postern::delivery
