// APPEND with APPENDUID; the message is received with bounded memory.  RFC 3501 6.3.11, RFC 4315 3, RFC 7889 (TOOBIG).
#include "gateway/imap/session.h"
#include "gateway/io/draft.h"
#include "gateway/io/errors.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/mime.h"
#include "gateway/store/names.h"

namespace postern::imap {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMaxSkipped = 64ULL << 20;
constexpr std::size_t kParseHere = 64 * 1024;       // larger messages are parsed on the worker pool
constexpr auto kTimeForPiece = 5min;

struct AppendRequest {
  std::optional<std::string> mailbox;
  store::Flags flags;
  Time date{};
};

std::optional<AppendRequest> parse_append(Parser& args) {
  AppendRequest request;
  auto mailbox = args.mailbox();
  if (!mailbox || !args.sp()) return std::nullopt;
  request.mailbox = *std::move(mailbox);
  if (args.next_is('(')) {
    auto flags = args.flag_list();
    if (!flags || !args.sp()) return std::nullopt;
    request.flags = *std::move(flags);
  }
  if (args.next_is('"')) {
    auto date = args.date_time();
    if (!date || !args.sp()) return std::nullopt;
    request.date = *date;
  }
  return request;
}

// The end of the command behind the message; what a client must not send there is a syntax error.  Where octets
// follow that are no command, or may, the session is over, as in read_command().
io::Task<bool> command_ends(Session& session, Deadline whole) {
  auto line = co_await session.stream().read_line(100, std::min(in(kTimeForPiece), whole));
  auto announced = announced_literal(line.text);
  if (line.too_long || (announced && !announced->waits)) session.leave("APPEND: takes one message");
  co_return !line.too_long && line.text.empty();
}

// Takes a message that will not be stored off the wire, where it comes unasked.
io::Task<Reply> refuse(Session& session, const Call& call, Reply reply, Deadline whole) {
  const auto& announced = call.command.message;
  if (announced.waits) co_return reply;
  if (announced.octets > kMaxSkipped) {
    session.leave("[TOOBIG] the message is too large to skip");
    co_return reply;
  }
  co_await skip(session.stream(), announced.octets, whole);
  bool ends = co_await command_ends(session, whole);
  if (!ends) co_return Reply::bad("APPEND: takes one message");
  co_return reply;
}

// False: the disk did not take it; the octets were read all the same.
io::Task<bool> receive(Session& session, std::uint64_t octets, io::Draft& draft, Deadline whole) {
  bool kept = true;
  auto& stream = session.stream();
  while (octets > 0) {
    if (std::chrono::steady_clock::now() > whole) throw io::TimedOut();   // what lies in the buffer waits for nothing
    if (stream.buffered().empty()) co_await stream.fill(std::min(in(kTimeForPiece), whole));
    auto have = stream.buffered().substr(0, octets);
    octets -= have.size();
    if (kept) kept = draft.append(have).has_value();
    stream.consume(have.size());
  }
  co_return kept;
}

struct Described {
  std::string parts;
  std::string envelope;
};

Described describe(const Octets& message) {
  auto table = mail::parse(message.view());
  Described out;
  out.parts = mail::serialize(table);
  out.envelope = mail::envelope_of(mail::header_of(message.view(), table.root()));
  return out;
}

io::Task<Reply> deliver(Session& session, AppendRequest request, Octets message) {
  Described described;
  if (message.size() <= kParseHere) {
    described = describe(message);
  } else {
    auto job = [message] { return describe(message); };
    described = co_await session.services().workers->run(std::move(job));
  }
  store::Target target;
  target.account = session.account().id;
  target.mailbox = *std::move(request.mailbox);
  target.flags = std::move(request.flags);
  store::Item item;
  item.pieces.push_back(std::move(message));
  item.parts = std::move(described.parts);
  item.envelope = std::move(described.envelope);
  item.internal_date = request.date;
  item.targets.push_back(std::move(target));
  store::Delivery delivery;
  delivery.items.push_back(std::move(item));
  auto delivered = co_await session.store().deliver(std::move(delivery));
  if (!delivered.ok()) co_return Reply::refused(delivered, true);
  const auto& placed = delivered.placed.at(0).at(0);
  co_return Reply::ok("[APPENDUID " + std::to_string(placed.uidvalidity) + ' ' + std::to_string(placed.uid) + "] APPEND completed");
}

}  // namespace

io::Task<Reply> cmd_append(Session& session, Call& call) {
  if (call.command.end != CommandText::End::message_follows) co_return Reply::bad("APPEND: wants a mailbox and a message as a literal");
  auto whole = in(session.services().limits.append);
  auto request = parse_append(call.args);
  std::optional<Reply> refusal;
  if (!request) {
    refusal = Reply::bad("APPEND: cannot read the arguments");
  } else if (!request->mailbox || !session.store().mailbox(session.account().id, *request->mailbox)) {
    refusal = Reply::no("[TRYCREATE] there is no such mailbox");
  } else if (store::is_sender_folder(*request->mailbox)) {
    // A message from elsewhere was not sent to this user: nobody would know what he wants to hear from whom.
    refusal = Reply::no("[CANNOT] move a message of this account there");
  } else if (call.command.message.octets > session.services().limits.max_message_octets) {
    refusal = Reply::no("[TOOBIG] a message may have " + std::to_string(session.services().limits.max_message_octets) + " octets");
  } else if (call.command.message.octets == 0) {
    refusal = Reply::no("[CANNOT] the message is empty");
  }
  if (refusal) {
    auto reply = co_await refuse(session, call, *std::move(refusal), whole);
    co_return reply;
  }
  if (call.command.message.waits) {
    session.enqueue("+ go ahead\r\n");
    co_await session.flush();
  }
  io::Draft draft(session.services().spool);
  bool kept = co_await receive(session, call.command.message.octets, draft, whole);
  bool ends = co_await command_ends(session, whole);
  if (!ends) co_return Reply::bad("APPEND: takes one message");
  if (!kept) co_return Reply::no("[UNAVAILABLE] the disk did not take the message");
  auto message = draft.finish();
  if (!message) co_return Reply::no("[UNAVAILABLE] the disk did not take the message");
  auto reply = co_await deliver(session, *std::move(request), *std::move(message));
  co_return reply;
}

}  // namespace postern::imap
