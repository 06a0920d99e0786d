// Which request is answered by which command.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "gateway/admin/address_commands.h"
#include "gateway/admin/context.h"
#include "gateway/admin/dkim_commands.h"
#include "gateway/admin/dns_commands.h"
#include "gateway/admin/link_commands.h"
#include "gateway/admin/list_commands.h"
#include "gateway/admin/quarantine_commands.h"
#include "gateway/admin/queue_commands.h"
#include "gateway/admin/sender_commands.h"
#include "gateway/admin/suppression_commands.h"
#include "gateway/admin/tlsrpt_command.h"
#include "gateway/admin/trace_commands.h"
#include "gateway/admin/user_commands.h"
#include "gateway/delivery/send_ledger.h"
#include "gateway/delivery/trace_log.h"
#include "gateway/store/store.h"

namespace postern::admin {
namespace {

using nlohmann::json;

json status(const Context& context) {
  json out = context.status ? context.status() : json{{"running", false}};
  auto state = context.store->state();
  out["store"] = {{"writable", state.writable}, {"problem", state.problem},
                  {"body_octets", state.body_octets}, {"segments", state.segments}, {"commits", state.commits},
                  {"changes", state.changes}, {"free_octets", state.free_octets}};
  auto accounts = context.store->accounts();
  out["users"] = std::count_if(accounts.begin(), accounts.end(), is_user);
  if (context.ledger != nullptr) out["users_stopped"] = context.ledger->how_many_stopped();
  if (context.trace != nullptr) {
    const auto& figures = context.trace->figures();
    out["trace"] = {{"octets", context.trace->octets()}, {"refusals", figures.written.load()}, {"dropped", figures.dropped.load()}};
  }
  out["ok"] = true;
  return out;
}

}  // namespace

json failure(std::string text) { return {{"ok", false}, {"error", std::move(text)}}; }

bool is_user(const store::Account& account) { return account.address.find('@') != std::string::npos; }

io::Task<json> run_command(Context& context, json request) {
  std::string command = request.value("command", "");
  if (command == "status") co_return status(context);
  json answer;
  if (command == "reload") {
    if (!context.reload) co_return failure("no server runs");
    answer = co_await context.reload();
  } else if (is_sender_command(command)) {
    answer = co_await run_sender_command(context, std::move(request));
  } else if (command == "user invite") {
    answer = co_await run_invite_command(context, std::move(request));
  } else if (command == "quarantine digest") {
    answer = co_await run_digest_command(context, std::move(request));
  } else if (command.starts_with("user ")) {
    answer = co_await run_user_command(context, std::move(request));
  } else if (command.starts_with("alias ")) {
    answer = co_await run_alias_command(context, std::move(request));
  } else if (command.starts_with("forward ")) {
    answer = co_await run_forward_command(context, std::move(request));
  } else if (command.starts_with("list ")) {
    answer = co_await run_list_command(context, std::move(request));
  } else if (command.starts_with("quarantine ")) {
    answer = co_await run_quarantine_command(context, std::move(request));
  } else if (command.starts_with("queue ")) {
    answer = co_await run_queue_command(context, std::move(request));
  } else if (command.starts_with("suppression ")) {
    answer = co_await run_suppression_command(context, std::move(request));
  } else if (command == "why" || command == "trace") {
    answer = co_await run_trace_command(context, std::move(request));
  } else if (command == "dns") {
    answer = co_await run_dns_command(context, std::move(request));
  } else if (command.starts_with("dkim ")) {
    answer = co_await run_dkim_command(context, std::move(request));
  } else if (command == "tlsrpt") {
    answer = co_await run_tlsrpt_command(context, std::move(request));
  } else {
    answer = failure("unknown command " + command);
  }
  co_return answer;
}

}  // namespace postern::admin
