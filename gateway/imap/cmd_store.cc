// STORE and UID STORE.  RFC 3501 6.4.6.
#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/imap/session.h"

namespace postern::imap {
namespace {

struct StoreRequest {
  SequenceSet set;
  store::FlagOperation operation = store::FlagOperation::replace;
  bool silent = false;
  store::Flags flags;
};

std::optional<StoreRequest> parse_store(Parser& args) {
  StoreRequest request;
  auto set = args.sequence_set();
  if (!set || !args.sp()) return std::nullopt;
  request.set = *std::move(set);
  if (args.accept('+')) {
    request.operation = store::FlagOperation::add;
  } else if (args.accept('-')) {
    request.operation = store::FlagOperation::remove;
  }
  auto name = args.dotted_name();
  request.silent = iequals(name, "FLAGS.SILENT");
  if ((!request.silent && !iequals(name, "FLAGS")) || !args.sp()) return std::nullopt;
  auto flags = args.store_flags();
  if (!flags || !args.at_end()) return std::nullopt;
  request.flags = *std::move(flags);
  return request;
}

std::uint64_t keyword_bits(const std::vector<std::string>& wanted, const std::vector<std::string>& known) {
  std::uint64_t bits = 0;
  for (const auto& keyword : wanted) {
    for (std::size_t i = 0; i < known.size() && i < 64; ++i) {
      if (iequals(known[i], keyword)) bits |= std::uint64_t{1} << i;
    }
  }
  return bits;
}

// With .SILENT the client works out by itself what the flags are now; it is told only where it would be wrong.
void expect_result(Selected& selected, const Selected::Messages& messages, const StoreRequest& request,
                   const std::vector<std::string>& keywords) {
  std::uint64_t bits = keyword_bits(request.flags.keywords, keywords);
  for (auto range : messages.ranges) {
    for (auto i = range.begin; i < range.end; ++i) {
      const auto& entry = selected.view().at(i);
      auto flags = request.flags.system;
      auto with = bits;
      if (request.operation == store::FlagOperation::add) {
        flags |= entry.flags;
        with |= entry.keywords;
      } else if (request.operation == store::FlagOperation::remove) {
        flags = static_cast<std::uint8_t>(entry.flags & ~flags);
        with = entry.keywords & ~bits;
      }
      selected.believes(entry.uid, flags, with);
    }
  }
}

}  // namespace

io::Task<Reply> cmd_store(Session& session, Call& call) {
  auto request = parse_store(call.args);
  if (!request) co_return Reply::bad("STORE: wants a set, FLAGS and flags");
  auto& selected = session.selected();
  auto messages = selected.find(request->set, call.uid);
  if (!messages) co_return Reply::bad("STORE: " + messages.error().text);
  if (selected.read_only()) co_return Reply::no("[READ-ONLY] the mailbox was opened with EXAMINE");
  auto uids = selected.uids(*messages);
  if (!uids.empty()) {
    auto changed = co_await session.store().change_flags(selected.id(), uids, request->operation, request->flags, std::nullopt);
    if (!changed.ok()) co_return Reply::refused(changed);
    if (request->silent) {
      auto latest = selected.latest_keywords();
      expect_result(selected, *messages, *request, latest);
    } else {
      co_await session.tell_changes(call.uid, std::move(uids));
    }
  }
  if (messages->some_are_gone) co_return Reply::ok("[EXPUNGEISSUED] some of the messages are expunged");
  co_return Reply::ok("STORE completed");
}

}  // namespace postern::imap
