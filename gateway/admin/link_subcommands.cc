// user invite, quarantine digest.
#include <nlohmann/json.hpp>

#include "gateway/admin/asking.h"
#include "gateway/admin/control.h"
#include "gateway/admin/output.h"
#include "gateway/admin/subcommands.h"

namespace postern::admin {

using nlohmann::json;

int invite_command(const Global& global, const InviteArguments& arguments) {
  auto config = configuration(global);
  if (!config) return 2;
  auto answer = run_anywhere(*config, {{"command", "user invite"}, {"address", arguments.address}, {"send", arguments.send}, {"to", arguments.to}});
  if (int status = finish(global, answer); status != 0) return status;
  answer.erase("ok");
  if (global.json) print_json(answer);
  else if (answer.contains("link")) print(answer.value("link", "") + "\n");
  else print("Sent to " + answer.value("sent_to", "") + ", good until " + answer.value("expires", "") + ".\n");
  return 0;
}

int digest_command(const Global& global, const DigestArguments& arguments) {
  auto config = configuration(global);
  if (!config) return 2;
  auto answer = run_anywhere(*config, {{"command", "quarantine digest"}, {"user", arguments.user}, {"now", arguments.now}});
  if (int status = finish(global, answer); status != 0) return status;
  answer.erase("ok");
  if (global.json) {
    print_json(answer);
    return 0;
  }
  auto count = answer.value("new", std::uint64_t{0});
  if (count == 0) print("Nothing is new for " + arguments.user + "; no digest.\n");
  else if (arguments.now) print("Sent; it lists " + std::to_string(count) + (count == 1 ? " message.\n" : " messages.\n"));
  else print(tame(answer.value("text", "")));
  return 0;
}

}  // namespace postern::admin
