// Are the files that the configuration names there, and may the service user read them?
//
// Root may read everything, so asking as root says nothing: the question is put by a child
// process that has become the service user.  It only makes system calls (other threads may run).
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "gateway/config/config.h"

namespace postern::config {
namespace {

constexpr int kMaxDepth = 4;        // rules/lists/..., deep enough; links could make a circle
constexpr std::size_t kMaxFiles = 10'000;

struct Question {
  std::string path;
  enum class Want { read_file, read_secret, read_folder, write_folder } want = Want::read_file;
  std::string what;             // "the TLS key"
  bool only_warn = false;
  int answer = 0;               // errno, or kOpenToOthers
};

constexpr std::string_view kSignatures = "the virus signatures";
constexpr int kOpenToOthers = -1;

int asked(const Question& question) {
  if (question.want == Question::Want::write_folder) return ::access(question.path.c_str(), R_OK | W_OK | X_OK) == 0 ? 0 : errno;
  int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (question.want == Question::Want::read_folder ? O_DIRECTORY : 0);
  int fd = ::open(question.path.c_str(), flags);
  if (fd < 0) return errno;
  struct stat state{};
  int problem = ::fstat(fd, &state) != 0 ? errno : 0;
  bool is_file = question.want == Question::Want::read_file || question.want == Question::Want::read_secret;
  if (problem == 0 && is_file && S_ISDIR(state.st_mode)) problem = EISDIR;
  if (problem == 0 && question.want == Question::Want::read_secret && (state.st_mode & 0027) != 0) problem = kOpenToOthers;
  ::close(fd);
  return problem;
}

// In the child; 0 or the errno of the first step that failed.
int become(const ServiceUser& user) {
  if (::setgroups(user.groups.size(), user.groups.data()) != 0) return errno;
  if (::setresgid(user.gid, user.gid, user.gid) != 0) return errno;
  if (::setresuid(user.uid, user.uid, user.uid) != 0) return errno;
  return 0;
}

[[noreturn]] void answer_as(const ServiceUser& user, const std::vector<Question>& questions, int to) {
  int refused = become(user);
  for (const auto& question : questions) {
    int answer = refused != 0 ? refused : asked(question);
    if (::write(to, &answer, sizeof answer) != static_cast<ssize_t>(sizeof answer)) _exit(1);
  }
  _exit(0);
}

// Fills the answers; "" or what went wrong.
std::string ask_as(const ServiceUser& user, std::vector<Question>& questions) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::strerror(errno);
  pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    answer_as(user, questions, ends[1]);
  }
  ::close(ends[1]);
  std::string problem = child < 0 ? std::strerror(errno) : "";
  for (auto& question : questions) {
    if (!problem.empty()) break;
    ssize_t got = 0;
    do {
      got = ::read(ends[0], &question.answer, sizeof question.answer);
    } while (got < 0 && errno == EINTR);
    if (got != static_cast<ssize_t>(sizeof question.answer)) problem = "the checking process ended early";
  }
  ::close(ends[0]);
  if (child > 0) {
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  return problem;
}

Question made(std::string path, Question::Want want, std::string what, bool only_warn) {
  Question out;
  out.path = std::move(path);
  out.want = want;
  out.what = std::move(what);
  out.only_warn = only_warn;
  return out;
}

// The folder and everything below it, as far as we can see it ourselves.
void add_folder(std::vector<Question>& out, const std::string& folder, const std::string& what, bool only_warn, int depth) {
  out.push_back(made(folder, Question::Want::read_folder, what, only_warn));
  DIR* listing = ::opendir(folder.c_str());
  if (listing == nullptr) return;
  std::vector<std::string> files;
  std::vector<std::string> folders;
  while (const auto* entry = ::readdir(listing)) {
    std::string name = entry->d_name;
    if (name.starts_with('.')) continue;
    std::string path = folder + "/" + name;
    struct stat state{};
    if (::stat(path.c_str(), &state) != 0) continue;
    if (S_ISDIR(state.st_mode)) folders.push_back(path);
    if (S_ISREG(state.st_mode)) files.push_back(path);
  }
  ::closedir(listing);
  std::sort(files.begin(), files.end());
  std::sort(folders.begin(), folders.end());
  for (auto& file : files) {
    if (out.size() < kMaxFiles) out.push_back(made(std::move(file), Question::Want::read_file, what, only_warn));
  }
  for (const auto& below : folders) {
    if (depth > 1 && out.size() < kMaxFiles) add_folder(out, below, what, only_warn, depth - 1);
  }
}

std::vector<Question> questions_of(const Config& config) {
  std::vector<Question> out;
  if (config.tls.configured()) {
    out.push_back(made(config.tls.certificate, Question::Want::read_file, "the TLS certificate", false));
    out.push_back(made(config.tls.key, Question::Want::read_file, "the TLS key", false));
  }
  if (!config.tls.trust.empty()) out.push_back(made(config.tls.trust, Question::Want::read_file, "the trusted authorities", false));
  for (const auto* routes : {&config.routes, &config.senders}) {
    for (const auto& route : *routes) {
      if (route.password_file.empty()) continue;
      out.push_back(made(route.password_file, Question::Want::read_secret, "the password for " + route.hosts.front().to_string(), false));
    }
  }
  for (const auto& ldap : config.ldap) {
    if (!ldap.password_file.empty()) out.push_back(made(ldap.password_file, Question::Want::read_secret, "the password for [ldap." + ldap.name + "]", false));
    if (!ldap.ca_file.empty()) out.push_back(made(ldap.ca_file, Question::Want::read_file, "the authorities of [ldap." + ldap.name + "]", false));
  }
  add_folder(out, config.rules, "the rules", false, kMaxDepth);
  // Without signatures the gateway runs, says so, and the attachment policy still holds.
  if (config.antivirus.scanners > 0) add_folder(out, config.antivirus.database, std::string(kSignatures), true, 1);
  struct stat state{};
  if (::stat(config.data.c_str(), &state) == 0) {
    out.push_back(made(config.data, Question::Want::write_folder, "the data folder", false));
  }   // else `serve` makes it
  return out;
}

std::string sentence(const Question& question, const std::string& who) {
  std::string verb = question.want == Question::Want::write_folder ? "write" : "read";
  if (question.answer == kOpenToOthers) {
    return question.what + ": others may read or change " + question.path + ": chmod 600 for the service user, or chgrp it to its group and chmod 640";
  }
  if (question.answer == ENOENT) {
    auto out = question.what + ": " + question.path + " does not exist";
    return question.what == kSignatures ? out + "; until it is filled (clamav-freshclam does it) the shipped rules defer all mail" : out;
  }
  return question.what + ": " + who + " cannot " + verb + " " + question.path + ": " + std::strerror(question.answer);
}

}  // namespace

Result<std::optional<ServiceUser>> service_user(const Config& config) {
  std::optional<ServiceUser> none;
  if (::geteuid() != 0) return none;
  const std::string name = config.user.empty() ? "postern" : config.user;
  const passwd* entry = ::getpwnam(name.c_str());
  if (entry == nullptr) {
    if (config.user.empty()) return none;
    return Error("user = \"" + name + "\": there is no such user");
  }
  ServiceUser out;
  out.name = name;
  out.uid = entry->pw_uid;
  out.gid = entry->pw_gid;
  if (!config.group.empty()) {
    const group* found = ::getgrnam(config.group.c_str());
    if (found == nullptr) return Error("group = \"" + config.group + "\": there is no such group");
    out.gid = found->gr_gid;
  }
  int count = 64;
  out.groups.resize(64);
  if (::getgrouplist(name.c_str(), out.gid, out.groups.data(), &count) < 0 && count > 64) {
    out.groups.resize(static_cast<std::size_t>(count));
    if (::getgrouplist(name.c_str(), out.gid, out.groups.data(), &count) < 0) count = 0;
  }
  out.groups.resize(static_cast<std::size_t>(count));
  return std::optional<ServiceUser>(std::move(out));
}

FileCheck check_files(const Config& config) {
  FileCheck out;
  auto user = service_user(config);
  if (!user) {
    out.mistakes.push_back(config.file + ": " + user.error().text);
    return out;
  }
  auto questions = questions_of(config);
  std::string who = *user ? "user " + (*user)->name : "this user";
  if (*user) {
    auto problem = ask_as(**user, questions);
    if (!problem.empty()) {
      out.mistakes.push_back(config.file + ": what " + who + " may read could not be checked: " + problem);
      return out;
    }
  } else {
    for (auto& question : questions) question.answer = asked(question);
  }
  for (const auto& question : questions) {
    if (question.answer == 0) continue;
    (question.only_warn ? out.warnings : out.mistakes).push_back(config.file + ": " + sentence(question, who));
  }
  return out;
}

}  // namespace postern::config
