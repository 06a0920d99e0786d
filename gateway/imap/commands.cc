// The table of commands.  RFC 3501 6, RFC 2177, 2971, 3691, 4315, 5161, 6851.
#include "gateway/base/text.h"
#include "gateway/imap/session.h"

namespace postern::imap {
namespace {

// name, phase, arguments, expunge, run
constexpr CommandEntry kCommands[] = {
    {"CAPABILITY", Phase::any, false, true, cmd_capability},
    {"NOOP", Phase::any, false, true, cmd_noop},
    {"LOGOUT", Phase::any, false, false, cmd_logout},
    {"ID", Phase::any, true, true, cmd_id},
    {"STARTTLS", Phase::before_login, false, false, cmd_starttls},
    {"LOGIN", Phase::before_login, true, false, cmd_login},
    {"AUTHENTICATE", Phase::before_login, true, false, cmd_authenticate},
    {"ENABLE", Phase::after_login, true, true, cmd_enable},
    {"SELECT", Phase::after_login, true, false, cmd_select},
    {"EXAMINE", Phase::after_login, true, false, cmd_examine},
    {"CREATE", Phase::after_login, true, true, cmd_create},
    {"DELETE", Phase::after_login, true, true, cmd_delete},
    {"RENAME", Phase::after_login, true, true, cmd_rename},
    {"SUBSCRIBE", Phase::after_login, true, true, cmd_subscribe},
    {"UNSUBSCRIBE", Phase::after_login, true, true, cmd_unsubscribe},
    {"LIST", Phase::after_login, true, true, cmd_list},
    {"LSUB", Phase::after_login, true, true, cmd_lsub},
    {"NAMESPACE", Phase::after_login, false, true, cmd_namespace},
    {"STATUS", Phase::after_login, true, true, cmd_status},
    {"APPEND", Phase::after_login, true, true, cmd_append},
    {"IDLE", Phase::after_login, false, true, cmd_idle},
    {"CHECK", Phase::selected, false, true, cmd_noop},
    {"CLOSE", Phase::selected, false, false, cmd_close},
    {"UNSELECT", Phase::selected, false, false, cmd_unselect},
    {"EXPUNGE", Phase::selected, false, true, cmd_expunge},
    {"UID EXPUNGE", Phase::selected, true, true, cmd_expunge},
    // RFC 3501 7.4.1: no EXPUNGE while FETCH, STORE or SEARCH is answered; the UID commands are others.
    {"SEARCH", Phase::selected, true, false, cmd_search},
    {"UID SEARCH", Phase::selected, true, true, cmd_search},
    {"FETCH", Phase::selected, true, false, cmd_fetch},
    {"UID FETCH", Phase::selected, true, true, cmd_fetch},
    {"STORE", Phase::selected, true, false, cmd_store},
    {"UID STORE", Phase::selected, true, true, cmd_store},
    {"COPY", Phase::selected, true, true, cmd_copy},
    {"UID COPY", Phase::selected, true, true, cmd_copy},
    {"MOVE", Phase::selected, true, true, cmd_move},
    {"UID MOVE", Phase::selected, true, true, cmd_move},
};

}  // namespace

const CommandEntry* find_command(std::string_view upper_case_name) {
  for (const auto& entry : kCommands) {
    if (entry.name == upper_case_name) return &entry;
  }
  return nullptr;
}

}  // namespace postern::imap
