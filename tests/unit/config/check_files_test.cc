// Readability of what the configuration names, asked as the service user.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gateway/config/config.h"
#include "tests/support/catch.h"

using namespace postern;
namespace fs = std::filesystem;

namespace {

// A folder that lives as long as the test, with the files of a sound configuration.
struct Files {
  fs::path root;
  config::Config config;
  Files() {
    std::string pattern = (fs::temp_directory_path() / "postern-check-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    root = pattern;
    fs::permissions(root, fs::perms(0755));
    for (const auto* folder : {"rules", "rules/lists", "db", "data"}) fs::create_directory(root / folder);
    for (const auto* file : {"tls.crt", "tls.key", "rules/10.lua", "rules/lists/a.txt", "db/main.cvd"}) std::ofstream(root / file) << "x";
    config.file = "p.toml";
    config.tls.certificate = root / "tls.crt";
    config.tls.key = root / "tls.key";
    config.rules = root / "rules";
    config.antivirus.database = root / "db";
    config.data = root / "data";
    config.user = "nobody";
    if (::geteuid() == 0) fs::permissions(root / "data", fs::perms(0777));
  }
  ~Files() {
    std::error_code ignored;
    fs::remove_all(root, ignored);
  }
};

}  // namespace

TEST_CASE("readable files give no complaint") {
  Files files;
  auto check = config::check_files(files.config);
  for (const auto& line : check.mistakes) UNSCOPED_INFO(line);
  CHECK(check.mistakes.empty());
  CHECK(check.warnings.empty());
}

TEST_CASE("a missing certificate and missing rules are mistakes, missing signatures a warning") {
  Files files;
  fs::remove(files.root / "tls.crt");
  fs::remove_all(files.root / "rules");
  fs::remove_all(files.root / "db");
  auto check = config::check_files(files.config);
  REQUIRE(check.mistakes.size() == 2);
  CHECK(check.mistakes[0] == "p.toml: the TLS certificate: " + (files.root / "tls.crt").string() + " does not exist");
  CHECK(check.mistakes[1] == "p.toml: the rules: " + (files.root / "rules").string() + " does not exist");
  REQUIRE(check.warnings.size() == 1);
  CHECK(check.warnings[0].find("the virus signatures") != std::string::npos);
}

TEST_CASE("a key that only root can read is a mistake for the service user") {
  if (::geteuid() != 0) {
    WARN("skipped: needs root");
    return;
  }
  Files files;
  ::chmod((files.root / "tls.key").c_str(), 0600);
  ::chmod((files.root / "rules/lists/a.txt").c_str(), 0600);
  ::chmod((files.root / "data").c_str(), 0700);
  auto check = config::check_files(files.config);
  REQUIRE(check.mistakes.size() == 3);
  CHECK(check.mistakes[0] == "p.toml: the TLS key: user nobody cannot read " + (files.root / "tls.key").string() + ": Permission denied");
  CHECK(check.mistakes[1].find("a.txt: Permission denied") != std::string::npos);
  CHECK(check.mistakes[2].find("the data folder: user nobody cannot write") != std::string::npos);
}

TEST_CASE("a user or group that does not exist is a mistake") {
  if (::geteuid() != 0) {
    WARN("skipped: needs root");
    return;
  }
  Files files;
  files.config.user = "no-such-user";
  auto check = config::check_files(files.config);
  REQUIRE(check.mistakes.size() == 1);
  CHECK(check.mistakes[0] == "p.toml: user = \"no-such-user\": there is no such user");
  files.config.user = "nobody";
  files.config.group = "no-such-group";
  CHECK_FALSE(config::service_user(files.config));
}
