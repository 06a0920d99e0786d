// public_url, language, [listen] links and [digest].
#include "gateway/config/config.h"

#include "tests/support/catch.h"

using namespace postern;
using namespace std::chrono_literals;

namespace {

config::Loaded with(const std::string& top, const std::string& sections) {
  return config::parse("hostname = \"mx.corp.example\"\n" + top + "\n[domains.\"corp.example\"]\n" + sections, "p.toml");
}

std::string mistake(const std::string& top, const std::string& sections) {
  auto loaded = with(top, sections);
  std::string all;
  for (const auto& line : loaded.mistakes) all += line + "\n";
  INFO(all);
  REQUIRE(loaded.mistakes.size() == 1);
  return loaded.mistakes[0];
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("there is no digest and no listener for links unless they are asked for") {
  auto loaded = with("", "");
  REQUIRE(loaded.ok());
  CHECK(loaded.config.digest.at.empty());
  CHECK(loaded.config.listen.links.empty());
  CHECK(loaded.config.public_url.empty());
  CHECK(loaded.config.language == config::Language::english);
}

TEST_CASE("the keys of digest and links are read") {
  auto loaded = with("public_url = \"https://MX.corp.example:8443/\"\nlanguage = \"vi\"",
                     "language = \"en\"\n[domains.\"vn.example\"]\n[listen]\nlinks = [\"0.0.0.0:8443\", \"[::1]\"]\n"
                     "[digest]\nat = [\"13:00\", \"7:30\", \"13:00\"]\nclasses = [\"spam\"]\nvalid = \"3d\"\n");
  for (const auto& line : loaded.mistakes) UNSCOPED_INFO(line);
  REQUIRE(loaded.ok());
  const auto& c = loaded.config;
  CHECK(c.public_url == "https://mx.corp.example:8443");
  CHECK(c.listen.links == std::vector<Endpoint>{*Endpoint::parse("0.0.0.0:8443"), *Endpoint::parse("[::1]:8443")});
  CHECK(c.digest.at == std::vector<int>{450, 780});
  CHECK(c.digest.classes == std::vector<std::string>{"spam"});
  CHECK(c.digest.valid == 72h);
  CHECK(c.language_of("ann@corp.example") == config::Language::english);
  CHECK(c.language_of("ann@vn.example") == config::Language::vietnamese);
  CHECK(c.language_of("") == config::Language::vietnamese);
}

TEST_CASE("a link goes over a network by https alone") {
  for (auto url : {"http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"}) {
    INFO(url);
    CHECK(with("public_url = \"" + std::string(url) + "\"", "[listen]\nlinks = [\"127.0.0.1:8080\"]\n").ok());
  }
  const std::string links = "[listen]\nlinks = [\"127.0.0.1:8443\"]\n";
  CHECK(has(mistake("public_url = \"http://127.0.0.1:8080\"", "[listen]\nlinks = [\"0.0.0.0:8080\"]\n"), "p.toml:5: links in [listen]: 0.0.0.0:8080 is not loopback"));
  auto loaded = with("public_url = \"http://mx.corp.example\"", links);
  REQUIRE_FALSE(loaded.ok());
  CHECK(has(loaded.mistakes[0], "p.toml:2: public_url \"http://mx.corp.example\": links carry a secret"));
}

TEST_CASE("public_url is a scheme and a host, and belongs to a listener with a certificate") {
  const std::string links = "[listen]\nlinks = [\"127.0.0.1:8443\"]\n";
  for (auto url : {"mx.corp.example", "ftp://mx.corp.example", "https://", "https://mx.corp.example/path", "https://mx.corp.example?x", "https://user@mx.corp.example",
                   "https://mx.corp.example:0", "https://mx.corp.example:65536", "https://mx corp.example", "https://[::1", "https://[::1]x", "https://a\\\"b"}) {
    INFO(url);
    auto loaded = with("public_url = \"" + std::string(url) + "\"", links);
    REQUIRE_FALSE(loaded.ok());
    CHECK(has(loaded.mistakes[0], "p.toml:2: public_url "));
  }
  CHECK(has(mistake("", links), "p.toml:5: links in [listen] needs public_url"));
  CHECK(has(mistake("public_url = \"https://mx.corp.example\"", ""), "public_url needs a listener"));
  CHECK(has(mistake("public_url = \"https://mx.corp.example\"", links + "submissions = []\nimaps = []\npop3s = []\n[tls]\ncertificate = \"\"\nkey = \"\"\n"),
            "links in [listen] needs a certificate"));
  CHECK(has(mistake("public_url = \"https://mx.corp.example\"", "[listen]\nlinks = [\"127.0.0.1:8443\"]\nimaps = [\"127.0.0.1:8443\"]\n"), "is already taken by imaps"));
}

TEST_CASE("what a digest cannot be is told with its line") {
  CHECK(has(mistake("", "[digest]\nat = \"07:30\"\n"), "p.toml:5: at in [digest] must be a list"));
  for (auto time : {"24:00", "07:60", "7", "07:3", "0730", "07:30:00", "", "-1:00"}) {
    INFO(time);
    CHECK(has(mistake("", "[digest]\nat = [\"" + std::string(time) + "\"]\n"), "is no time of day such as \"07:30\""));
  }
  CHECK(has(mistake("", "[digest]\nat = [730]\n"), "is no time of day"));
  CHECK(has(mistake("", "[digest]\nclasses = [\"virus\"]\n"), "class virus is never offered to users"));
  CHECK(has(mistake("", "[digest]\nclasses = [\"span\"]\n"), "(spam?)"));
  CHECK(has(mistake("", "[digest]\nclasses = []\n"), "classes in [digest] must be a list"));
  CHECK(has(mistake("", "[digest]\nvalid = \"400d\"\n"), "at most \"366d\""));
  CHECK(has(mistake("", "[digest]\nwhen = []\n"), "unknown key \"when\" in [digest]"));
  CHECK(has(mistake("language = \"fr\"", ""), "language must be one of \"en\", \"vi\", not \"fr\""));
  CHECK(has(mistake("", "language = \"english\"\n"), "p.toml:4: language in [domains.\"corp.example\"] must be one of"));
}
