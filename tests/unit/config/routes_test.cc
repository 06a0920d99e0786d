// [routes] and [senders]: what they say, and every mistake with its line.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "gateway/config/config.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

using namespace postern;
using namespace std::chrono_literals;

namespace {

const std::string kSmallest = "hostname = \"mx.corp.example\"\n[domains.\"corp.example\"]\n";

config::Config parsed(const std::string& text) {
  auto loaded = config::parse(kSmallest + text, "p.toml");
  for (const auto& line : loaded.mistakes) UNSCOPED_INFO(line);
  REQUIRE(loaded.mistakes.empty());
  return std::move(loaded.config);
}

}  // namespace

TEST_CASE("routes by destination and by sender are read with all their keys") {
  auto c = parsed(R"(
[routes."Bücher.example"]
tls = "must"
mx  = ["MX1.example.net", "*.mail.example.net"]
[routes.".example.org"]
via = ["smtp://a.example:26", "smtps://b.example"]
rate = "100/1m"
connections = 3
[routes."*"]
via = "smtp://smart.example:587"
login = "us@corp.example"
password_file = "/etc/postern/smart.password"
[senders."corp.example"]
via = "smtps://10.0.0.9"
tls = "must"
)");
  REQUIRE(c.routes.size() == 3);
  CHECK(c.routes[0].name == "xn--bcher-kva.example");
  CHECK(c.routes[0].hosts.empty());
  CHECK(c.routes[0].tls == config::TlsUse::must);
  CHECK(c.routes[0].mx == std::vector<std::string>{"mx1.example.net", "*.mail.example.net"});
  CHECK(c.routes[1].name == ".example.org");
  REQUIRE(c.routes[1].hosts.size() == 2);
  CHECK(c.routes[1].hosts[0].to_string() == "smtp://a.example:26");
  CHECK(c.routes[1].hosts[1].to_string() == "smtps://b.example:465");
  CHECK(c.routes[1].rate == config::Rate{100, 60s});
  CHECK(c.routes[1].connections == 3);
  CHECK(c.routes[1].tls == config::TlsUse::may);
  CHECK(c.routes[2].login == "us@corp.example");
  // A password goes to nobody who cannot prove to be meant.
  CHECK(c.routes[2].tls == config::TlsUse::verify);
  REQUIRE(c.senders.size() == 1);
  CHECK(c.senders[0].name == "corp.example");
}

TEST_CASE("each mistake in a route is told with its line") {
  const std::pair<std::string, std::string> cases[] = {
      {"[routes.\"no spaces\"]\n", "p.toml:3: [routes.\"no spaces\"]: \"no spaces\" is no domain name, nor \".example.org\" for what lies below it, nor \"*\""},
      {"[routes.example.org]\ntls = \"must\"\n", "p.toml:3: the domain needs quotes: [routes.\"example.org\"]"},
      {"[routes.\"a.example\"]\n[routes.\"A.example\"]\n", "p.toml:4: [routes.\"A.example\"] is there twice; the first one is in line 3"},
      {"[routes.\"corp.example\"]\n", "p.toml:3: [routes.\"corp.example\"]: the domain is ours, and deliver in [domains.\"corp.example\"] says where its mail goes"},
      {"[routes.\"a.example\"]\nvia = \"lmtp://10.0.0.1\"\n", "p.toml:4: via in [routes.\"a.example\"] must be \"smtp://HOST:PORT\" or \"smtps://HOST:PORT\", or a list of them, not \"lmtp://10.0.0.1\""},
      {"[routes.\"a.example\"]\nvia = []\n", "p.toml:4: via in [routes.\"a.example\"] is an empty list: name a host, or leave it out for the domain's mail hosts (MX)"},
      {"[routes.\"a.example\"]\nmx = \"x\"\n", "p.toml:4: mx in [routes.\"a.example\"] must be a list of host names such as [\"mx1.example.org\", \"*.example.net\"]"},
      {"[routes.\"a.example\"]\nmx = [\"*\"]\n", "p.toml:4: mx in [routes.\"a.example\"]: \"*\" is no host name such as \"mx1.example.org\" or \"*.example.org\""},
      {"[routes.\"a.example\"]\nvia = \"smtp://b.example\"\nmx = [\"c.example\"]\n", "p.toml:5: mx in [routes.\"a.example\"] is for a route without via: that names its hosts itself"},
      {"[routes.\"a.example\"]\nvia = \"smtps://b.example\"\ntls = \"never\"\n", "p.toml:5: tls in [routes.\"a.example\"] must not be \"never\" with a host by smtps://"},
      {"[routes.\"a.example\"]\nvia = \"smtp://10.0.0.1\"\ntls = \"verify\"\n", "p.toml:5: tls in [routes.\"a.example\"] wants a certificate that bears the host's name: give the name in via instead of the address, or tls = \"must\""},
      {"[routes.\"a.example\"]\nvia = \"smtp://b.example\"\nlogin = \"us\"\n", "p.toml:5: login in [routes.\"a.example\"] and password_file belong together"},
      {"[routes.\"a.example\"]\nvia = \"smtp://b.example\"\npassword_file = \"/x\"\n", "p.toml:5: password_file in [routes.\"a.example\"] and login belong together"},
      {"[routes.\"a.example\"]\nlogin = \"us\"\npassword_file = \"/x\"\n", "p.toml:4: login in [routes.\"a.example\"] needs via: a password is for a host that you name"},
      {"[routes.\"a.example\"]\nvia = \"smtp://b.example\"\nlogin = \"us\"\npassword_file = \"/x\"\ntls = \"may\"\n", "p.toml:7: tls in [routes.\"a.example\"] must be \"must\" or \"verify\" where there is a login: a password goes over TLS only"},
      {"[routes.\"a.example\"]\nrate = \"fast\"\n", "p.toml:4: rate in [routes.\"a.example\"] must be a rate such as \"300/1m\" (at most a day), or 0 for none"},
      {"[routes.\"a.example\"]\nrate = \"1000000/1m\"\n", "p.toml:4: rate in [routes.\"a.example\"] must be at most 100000 messages"},
      {"[routes.\"a.example\"]\nconnections = 0\n", "p.toml:4: connections in [routes.\"a.example\"] must be at least 1"},
      {"[routes.\"a.example\"]\nhost = \"x\"\n", "p.toml:4: unknown key \"host\" in [routes.\"a.example\"]"},
      {"[senders.\"a.example\"]\n", "p.toml:3: [senders.\"a.example\"] needs via = \"smtp://HOST:PORT\""},
      {"[senders.\"*\"]\nvia = \"smtp://b.example\"\n", "p.toml:3: [senders.\"*\"]: \"*\" is no domain name"},
  };
  for (const auto& [text, wanted] : cases) {
    auto loaded = config::parse(kSmallest + text, "p.toml");
    INFO(text);
    for (const auto& line : loaded.mistakes) UNSCOPED_INFO(line);
    REQUIRE(loaded.mistakes.size() == 1);
    CHECK(loaded.mistakes[0] == wanted);
  }
}

TEST_CASE("a password file is one line that nobody else can read") {
  test::TemporaryDirectory directory;
  auto path = directory.path() + "/password";
  auto read = [&](const std::string& text, unsigned mode) {
    std::filesystem::remove(path);
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return config::read_secret(path);
  };
  CHECK(read("s\xc3\xa9same \n", 0600).value() == "s\xc3\xa9same ");
  CHECK(read("word\r\n", 0640).value() == "word");
  CHECK(read("word", 0400).value() == "word");
  CHECK(read("word\n", 0644).error().text.find("others may read or change it") != std::string::npos);
  CHECK(read("word\n", 0660).error().text.find("chmod") != std::string::npos);
  CHECK(read("\n", 0600).error().text.find("is empty") != std::string::npos);
  CHECK(read("one\ntwo\n", 0600).error().text.find("more than one line") != std::string::npos);
  CHECK(read(std::string(5000, 'x'), 0600).error().text.find("longer") != std::string::npos);
  std::filesystem::remove(path);
  CHECK(config::read_secret(path).error().text.find("cannot be read") != std::string::npos);
  CHECK(config::read_secret(directory.path()).error().text.find("is no file") != std::string::npos);
}

TEST_CASE("a password file that others may read is a mistake before the start") {
  test::TemporaryDirectory directory;
  auto path = directory.path() + "/password";
  std::ofstream(path) << "word\n";
  auto c = parsed("[routes.\"*\"]\nvia = \"smtp://b.example\"\nlogin = \"us\"\npassword_file = \"" + path + "\"\n");
  auto complains = [&](const std::string& what) {
    auto checked = config::check_files(c);
    for (const auto& line : checked.mistakes) {
      if (line.find("the password for smtp://b.example:25: " + what) != std::string::npos) return true;
    }
    return false;
  };
  ::chmod(path.c_str(), 0604);
  CHECK(complains("others may read"));
  std::filesystem::remove(path);
  CHECK(complains(path + " does not exist"));
}
