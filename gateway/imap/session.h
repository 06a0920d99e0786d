#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/imap/others.h"
#include "gateway/imap/parser.h"
#include "gateway/imap/reader.h"
#include "gateway/imap/response.h"
#include "gateway/imap/selected.h"
#include "gateway/imap/services.h"
#include "gateway/io/stream.h"

namespace postern::imap {

// One IMAP connection from greeting to LOGOUT, RFC 3501: one coroutine on one loop.  The commands are free functions
// in cmd_*.cc, one file each; this class is what they share.
class Session {
 public:
  // `services` must outlive the session.
  Session(io::Stream stream, const Services& services, bool implicit_tls);
  Session(const Session&) = delete;

  // Ends when the connection is over.
  io::Task<void> run();

  // --- what the commands work with
  const Services& services() const { return services_; }
  store::Store& store() const { return *services_.store; }
  io::Stream& stream() { return stream_; }
  const std::string& id() const { return id_; }
  IpAddress client() const { return client_; }

  bool is_logged_in() const { return account_.has_value(); }
  const store::Account& account() const { return *account_; }
  bool may_send_password() const { return stream_.is_tls() || services_.allow_plaintext_login; }
  // The list behind "CAPABILITY", as of now.
  std::string capabilities() const;
  // Asks the authenticator and takes the account.
  io::Task<Reply> log_in(std::string address, std::string password);

  bool has_selected() const { return selected_.has_value(); }
  Selected& selected() { return *selected_; }
  // Whose mailbox is selected, where it is another's.
  const std::optional<Others>& others() const { return others_; }
  void select(std::unique_ptr<store::MailboxWatch> watch, std::shared_ptr<const store::MailboxView> view, bool read_only, std::optional<Others> others);
  void unselect() {
    selected_.reset();
    others_.reset();
  }

  // Keeps octets for the next write; flushes when much has gathered (back-pressure).
  void enqueue(std::string_view octets) { stream_.enqueue(octets); }
  io::Task<void> relieve();
  io::Task<void> flush();
  io::Task<void> write(std::string octets);
  // Lets the loop's other sessions run when this one has worked for some milliseconds.
  io::Task<void> breathe();
  // The same for a command that may work long and says nothing: throws Closed when the client has gone meanwhile.
  io::Task<void> look();
  // Untagged EXPUNGE (where `expunge` allows it), EXISTS, RECENT and FETCH FLAGS for what changed; flags of `report`
  // even if they did not.  RFC 3501 7.
  io::Task<void> tell_changes(bool expunge, std::vector<store::Uid> report);
  // Waits for input, or for a change of the selected mailbox, or the end of the program.
  enum class Event : std::uint8_t { input, change, drain };
  io::Task<Event> wait(bool for_changes, Deadline deadline);
  // The session ends after this command with BYE and that text; `why` for the log, if it is another.
  void leave(std::string_view text, std::string_view why = "");
  Deadline command_deadline() const;

 private:
  io::Task<void> converse();
  io::Task<void> greet();
  io::Task<void> obey(CommandText command);
  ReadLimits read_limits() const;
  void count_error();

  io::Stream stream_;
  const Services& services_;
  bool implicit_tls_;
  std::string id_;
  IpAddress client_;
  Deadline started_;
  Deadline working_since_;
  Deadline next_look_;
  std::optional<store::Account> account_;
  std::optional<Selected> selected_;
  std::optional<Others> others_;
  std::uint64_t errors_ = 0;
  bool finished_ = false;
  std::string why_;               // it ended, for the log
};

// A command being obeyed.
struct Call {
  Call(std::string t, CommandText c) : tag(std::move(t)), command(std::move(c)), args(command.text) {}
  Call(const Call&) = delete;
  std::string tag;
  bool uid = false;               // the UID variant
  CommandText command;
  Parser args;                    // behind the command's name
};

// Where a command may be given, RFC 3501 3.
enum class Phase : std::uint8_t { any, before_login, after_login, selected };

struct CommandEntry {
  std::string_view name;          // "FETCH", "UID FETCH"
  Phase phase;
  bool arguments;                 // false: nothing may follow the name
  bool expunge;                   // may EXPUNGE be sent at its end, RFC 3501 7.4.1
  io::Task<Reply> (*run)(Session& session, Call& call);   // both outlive the task
};
const CommandEntry* find_command(std::string_view upper_case_name);

// cmd_*.cc
io::Task<Reply> cmd_capability(Session& session, Call& call);
io::Task<Reply> cmd_noop(Session& session, Call& call);
io::Task<Reply> cmd_logout(Session& session, Call& call);
io::Task<Reply> cmd_id(Session& session, Call& call);
io::Task<Reply> cmd_enable(Session& session, Call& call);
io::Task<Reply> cmd_starttls(Session& session, Call& call);
io::Task<Reply> cmd_login(Session& session, Call& call);
io::Task<Reply> cmd_authenticate(Session& session, Call& call);
io::Task<Reply> cmd_select(Session& session, Call& call);
io::Task<Reply> cmd_examine(Session& session, Call& call);
io::Task<Reply> cmd_create(Session& session, Call& call);
io::Task<Reply> cmd_delete(Session& session, Call& call);
io::Task<Reply> cmd_rename(Session& session, Call& call);
io::Task<Reply> cmd_subscribe(Session& session, Call& call);
io::Task<Reply> cmd_unsubscribe(Session& session, Call& call);
io::Task<Reply> cmd_list(Session& session, Call& call);
io::Task<Reply> cmd_lsub(Session& session, Call& call);
io::Task<Reply> cmd_namespace(Session& session, Call& call);
io::Task<Reply> cmd_status(Session& session, Call& call);
io::Task<Reply> cmd_append(Session& session, Call& call);
io::Task<Reply> cmd_idle(Session& session, Call& call);
io::Task<Reply> cmd_close(Session& session, Call& call);
io::Task<Reply> cmd_unselect(Session& session, Call& call);
io::Task<Reply> cmd_expunge(Session& session, Call& call);
io::Task<Reply> cmd_search(Session& session, Call& call);
io::Task<Reply> cmd_fetch(Session& session, Call& call);
io::Task<Reply> cmd_store(Session& session, Call& call);
io::Task<Reply> cmd_copy(Session& session, Call& call);
io::Task<Reply> cmd_move(Session& session, Call& call);

// Common to several commands.
// The rows of these uids (ascending) in order; those that are gone are left out.  An Error: some cannot be read.
io::Task<Result<std::vector<store::MessageRow>>> rows_of(Session& session, std::vector<store::Uid> uids);
// "* FLAGS (...)".
std::string flags_line(const store::MailboxView& view);
// The mailbox of a parsed name, or the NO for it.
Reply no_such_mailbox();

}  // namespace postern::imap
