// postern backup, and the whole `postern restore`: run by the administrator's own program, with his rights on the folder.
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "gateway/admin/control.h"
#include "gateway/admin/conversation.h"
#include "gateway/admin/output.h"
#include "gateway/admin/privileges.h"
#include "gateway/admin/restore_user.h"
#include "gateway/admin/subcommands.h"
#include "gateway/backup/make.h"
#include "gateway/backup/opened.h"
#include "gateway/backup/restore.h"
#include "gateway/config/config.h"
#include "gateway/version.h"

namespace postern::admin {
namespace {

using nlohmann::json;
using backup::Folder;
using backup::Generation;

store::Files& files() { return store::Files::system(); }

int fail(const Global& global, const std::string& text) {
  if (global.json) print_json(failure(text));
  else complain(text);
  return 1;
}

std::string megabytes(std::uint64_t octets) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MB", static_cast<double>(octets) / (1 << 20));
  return text;
}

// On a terminal, how far it is.
backup::Progress progress_for(const char* what) {
  if (isatty(STDERR_FILENO) == 0) return {};
  return [what, shown = std::chrono::steady_clock::time_point()](std::uint64_t done, std::uint64_t whole) mutable {
    auto now = std::chrono::steady_clock::now();
    if (done < whole && now - shown < std::chrono::milliseconds(200)) return;
    shown = now;
    std::fprintf(stderr, "\r%s: %s of %s%s", what, megabytes(done).c_str(), megabytes(whole).c_str(), done < whole ? "" : "\n");
  };
}

json described(const Generation& generation) {
  const auto& manifest = generation.manifest;
  return {{"backup", generation.name},  {"moment", rfc3339(manifest.moment)},      {"octets", manifest.octets()},
          {"segments", manifest.segments.size()}, {"version", manifest.version}, {"problem", generation.problem}};
}

int list(const Global& global, const std::string& directory) {
  auto folder = Folder::open(files(), directory);
  if (!folder) return fail(global, folder.error().text);
  auto generations = folder->generations();
  if (!generations) return fail(global, generations.error().text);
  json rows = json::array();
  bool damaged = false;
  for (const auto& generation : *generations) {
    damaged = damaged || !generation.problem.empty();
    rows.push_back(described(generation));
    if (global.json) print_json(rows.back());
  }
  if (!global.json) print_table({"backup", "moment", "octets", "segments", "version", "problem"}, rows);
  return damaged ? 1 : 0;
}

int verify(const Global& global, const BackupArguments& arguments) {
  auto folder = Folder::open(files(), arguments.directory);
  if (!folder) return fail(global, folder.error().text);
  auto generation = folder->generation(arguments.generation);
  if (!generation) return fail(global, generation.error().text);
  auto mistakes = backup::verify(files(), *folder, *generation, progress_for("Read"));
  if (global.json) {
    print_json({{"ok", mistakes.empty()}, {"backup", generation->name}, {"mistakes", mistakes}});
  } else {
    for (const auto& mistake : mistakes) print(mistake + "\n");
    if (mistakes.empty()) print("Backup " + generation->name + " is whole: " + megabytes(generation->manifest.octets()) + " read.\n");
  }
  return mistakes.empty() ? 0 : 1;
}

backup::Source source_of(const json& answer, Conversation& conversation) {
  backup::Source source;
  source.rows = answer.value("rows", "");
  source.moment = Time(std::chrono::microseconds(answer.value("moment_us", std::int64_t{0})));
  source.version = kVersion;
  source.hostname = answer.value("hostname", "");
  for (const auto& segment : answer.at("segments")) {
    source.segments.push_back({segment.value("number", std::uint64_t{0}), segment.value("path", ""), segment.value("octets", std::uint64_t{0})});
  }
  source.still = [&conversation] {
    auto still = conversation.ask({{"command", "backup still"}});
    return still.value("ok", false) ? Status() : Status(Error("the store was let go before all was copied: " + still.value("error", "")));
  };
  return source;
}

void tell(const Global& global, const backup::Made& made, const json& answer, const std::vector<std::string>& dropped) {
  auto pause = answer.value("pause_us", std::int64_t{0});
  if (global.json) {
    print_json({{"backup", made.generation}, {"octets", made.octets}, {"new_octets", made.new_octets}, {"segments", made.segments},
                {"new_segments", made.new_segments}, {"linked", made.linked}, {"pause_us", pause}, {"dropped", dropped}});
    return;
  }
  char paused[32];
  std::snprintf(paused, sizeof paused, "%.1f ms", static_cast<double>(pause) / 1000);
  print("Backup " + made.generation + ": " + megabytes(made.octets) + ", " + megabytes(made.new_octets) + " of it new; deliveries waited " + paused + ".\n");
  if (made.linked) print("It shares files with the store: against the loss of this disk, make one on another.\n");
  for (const auto& name : dropped) print("Dropped " + name + ".\n");
}

bool is_folder(const std::string& path) {
  std::error_code none;
  return std::filesystem::is_directory(path, none);
}

int make(const Global& global, const config::Config& config, const BackupArguments& arguments) {
  if (!is_folder(config.data + "/rows")) return fail(global, config.data + ": there is no store in it");
  auto folder = Folder::open_to_write(files(), arguments.directory);
  if (!folder) return fail(global, folder.error().text);
  auto conversation = Conversation::begin(config);
  if (!conversation) return fail(global, conversation.error().text);
  auto answer = conversation->ask({{"command", "backup"}});
  if (!answer.value("ok", false)) return fail(global, answer.value("error", "it did not succeed"));
  auto made = backup::make(files(), *folder, source_of(answer, *conversation), progress_for("Copied"));
  if (!made) return fail(global, made.error().text + " (this backup is none)");
  conversation->ask({{"command", "backup done"},
                     {"folder", std::filesystem::absolute(folder->path()).string()},
                     {"moment_us", answer.value("moment_us", std::int64_t{0})},
                     {"octets", made->octets},
                     {"new_octets", made->new_octets}});
  std::vector<std::string> dropped;
  if (arguments.keep > 0) {
    auto old = folder->drop_old(arguments.keep);
    if (!old) return fail(global, "the backup " + made->generation + " is made, but old ones could not be dropped: " + old.error().text);
    dropped = std::move(*old);
  }
  tell(global, *made, answer, dropped);
  return 0;
}

// Whose the data folder is, or will be.
struct Owner {
  uid_t uid = 0;
  gid_t gid = 0;
};

Result<Owner> ready_folder(const config::Config& config) {
  std::error_code failure;
  bool made = std::filesystem::create_directories(config.data, failure);
  if (failure) return Error(config.data + ": cannot be made: " + failure.message());
  struct stat info {};
  if (::stat(config.data.c_str(), &info) != 0) return Error(config.data + ": " + std::strerror(errno));
  Owner owner{info.st_uid, info.st_gid};
  if (::geteuid() != 0 || (!made && info.st_uid != 0)) return owner;
  auto user = config::service_user(config);   // the folder is root's: as the server would give it away
  if (!user) return user.error();
  if (*user) owner = {(*user)->uid, (*user)->gid};
  return owner;
}

Status give_away(const std::string& folder, Owner owner) {
  if (::geteuid() != 0) return {};
  return give_folder(folder, owner.uid, owner.gid);
}

void tell(const Global& global, const Generation& generation, const backup::Whole& whole, bool keep_uids) {
  if (global.json) {
    print_json({{"backup", generation.name}, {"accounts", whole.accounts}, {"mailboxes", whole.mailboxes}, {"messages", whole.messages},
                {"octets", whole.octets}, {"queued", whole.queued}, {"held", whole.held}, {"new_uidvalidity", !keep_uids}});
    return;
  }
  print("Restored " + generation.name + ", the state of " + rfc3339(generation.manifest.moment) + ": " + std::to_string(whole.accounts) +
        " accounts, " + std::to_string(whole.messages) + " messages.\n");
  if (!keep_uids) print("Every mailbox has a new UIDVALIDITY: mail clients load their mail anew, once.\n");
  if (whole.held > 0) {
    print(std::to_string(whole.held) + " messages of the queue are held, for they may have been sent since: look at \"postern queue list\",\n"
          "then \"postern queue retry\" or \"postern queue delete\" them.\n");
  }
}

int restore_whole(const Global& global, const config::Config& config, const RestoreArguments& arguments) {
  if (connect_to_server(config.data).valid()) {
    return fail(global, "a server runs on " + config.data + ": stop it first, or restore one user with --user");
  }
  auto folder = Folder::open(files(), arguments.directory);
  if (!folder) return fail(global, folder.error().text);
  auto generation = folder->generation(arguments.generation);
  if (!generation) return fail(global, generation.error().text);
  auto owner = ready_folder(config);
  if (!owner) return fail(global, owner.error().text);
  backup::WholeOptions options{arguments.send_queue, arguments.keep_uids};
  auto whole = backup::restore_whole(files(), *folder, *generation, config.data, options, progress_for("Restored"));
  if (!whole) return fail(global, whole.error().text);
  if (auto given = give_away(config.data, *owner); !given) return fail(global, given.error().text);
  tell(global, *generation, *whole, options.keep_uids);
  return 0;
}

int restore_one(const Global& global, const config::Config& config, const RestoreArguments& arguments) {
  auto folder = Folder::open(files(), arguments.directory);
  if (!folder) return fail(global, folder.error().text);
  auto generation = folder->generation(arguments.generation);
  if (!generation) return fail(global, generation.error().text);
  auto done = restore_user(config, *folder, *generation, {arguments.user, arguments.folder, arguments.message, arguments.all});
  if (!done) return fail(global, done.error().text);
  bool missing = done->found == 0 && !arguments.message.empty();
  if (global.json) {
    json folders = json::object();
    for (const auto& [name, count] : done->folders) folders[name] = count;
    print_json({{"backup", generation->name}, {"user", arguments.user}, {"found", done->found}, {"restored", done->restored},
                {"present", done->present}, {"damaged", done->damaged}, {"folders", folders}, {"user_made", done->made}});
  } else {
    if (done->made) print(arguments.user + " was removed since and is made again, without a password: set one with \"postern user password\".\n");
    for (const auto& [name, count] : done->folders) print(name + ": " + std::to_string(count) + " messages\n");
    for (const auto& mistake : done->damaged) print("damaged in the backup: " + mistake + "\n");
    print(std::to_string(done->restored) + " of " + std::to_string(done->found) + " messages restored, " + std::to_string(done->present) +
          " are still there.\n");
    if (missing) complain("the backup has no such message");
  }
  return done->damaged.empty() && !missing ? 0 : 1;
}

std::optional<config::Config> configuration(const Global& global) {
  auto loaded = config::load(global.config);
  for (const auto& mistake : loaded.mistakes) complain(mistake);
  if (!loaded.ok()) return std::nullopt;
  return std::move(loaded.config);
}

}  // namespace

int backup_command(const Global& global, const BackupArguments& arguments) {
  if (arguments.list) return list(global, arguments.directory);
  if (arguments.verify) return verify(global, arguments);
  auto config = configuration(global);
  if (!config) return 2;
  ::umask(0077);
  return make(global, *config, arguments);
}

int restore_command(const Global& global, const RestoreArguments& arguments) {
  auto config = configuration(global);
  if (!config) return 2;
  ::umask(0077);
  if (arguments.user.empty()) return restore_whole(global, *config, arguments);
  return restore_one(global, *config, arguments);
}

}  // namespace postern::admin
