// Reading the rows of chosen messages.
#include "gateway/imap/session.h"

namespace postern::imap {

io::Task<Result<std::vector<store::MessageRow>>> rows_of(Session& session, std::vector<store::Uid> uids) {
  std::vector<store::MessageRow> out;
  if (uids.empty()) co_return out;
  out.reserve(uids.size());
  auto mailbox = session.selected().id();
  // One scan where few other rows lie between; look-ups otherwise.
  bool dense = uids.back() - uids.front() < 2 * uids.size();
  if (dense) {
    auto rows = co_await session.store().messages(mailbox, uids.front(), uids.back(), 2 * uids.size());
    if (!rows) co_return rows.error();
    std::size_t wanted = 0;
    for (auto& row : *rows) {
      while (wanted < uids.size() && uids[wanted] < row.uid) ++wanted;
      if (wanted < uids.size() && uids[wanted] == row.uid) out.push_back(std::move(row));
    }
    co_return out;
  }
  for (auto uid : uids) {
    auto row = co_await session.store().message(mailbox, uid);
    if (!row) co_return row.error();
    if (*row) out.push_back(**std::move(row));
  }
  co_return out;
}

}  // namespace postern::imap
