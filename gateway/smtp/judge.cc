// Names of stages and actions, as rules, logs and traces spell them.
#include "gateway/smtp/judge.h"

namespace postern::smtp {

std::string_view name(Stage stage) {
  switch (stage) {
    case Stage::connect: return "connect";
    case Stage::mail: return "mail";
    case Stage::rcpt: return "rcpt";
    case Stage::message: return "message";
    case Stage::verdict: return "verdict";
    case Stage::deliver: return "deliver";
  }
  return "message";
}

std::string_view name(Action action) {
  switch (action) {
    case Action::none: return "none";
    case Action::accept: return "accept";
    case Action::defer: return "defer";
    case Action::quarantine: return "quarantine";
    case Action::reject: return "reject";
  }
  return "none";
}

}  // namespace postern::smtp
