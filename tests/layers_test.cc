// Who may include whom (the README's picture), where third-party headers may stand, and the coroutine
// forms that g++ 12 miscompiles.  Reads the sources as text.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>

#include "gateway/base/text.h"
#include "tests/support/catch.h"

using namespace postern;
namespace fs = std::filesystem;

namespace {

struct Source {
  std::string path;    // "gateway/smtp/session.cc"
  std::string layer;   // "smtp"
  std::vector<std::string> lines;
};

// What a layer may include, itself aside.
const std::map<std::string, std::set<std::string>> kMayInclude{
    {"base", {}},
    {"io", {"base"}},
    {"mail", {"base"}},
    {"config", {"base", "mail"}},
    {"dns", {"base", "io", "mail"}},
    {"http", {"base", "io"}},
    {"smtp_client", {"base", "io", "mail", "dns"}},
    {"store", {"base", "io", "mail"}},
    {"backup", {"base", "io", "mail", "store"}},
    {"directory", {"base", "io", "mail", "store", "config"}},
    {"signing", {"base", "io", "mail", "store", "config"}},
    {"delivery", {"base", "io", "mail", "dns", "smtp_client", "store", "config", "directory", "signing"}},
    {"smtp", {"base", "io", "mail", "dns", "store", "config", "directory", "delivery"}},
    {"links", {"base", "io", "mail", "http", "store", "config", "directory", "delivery"}},
    {"imap", {"base", "io", "mail", "store", "config", "directory", "delivery"}},
    {"pop3", {"base", "io", "mail", "store", "config", "directory", "delivery"}},
    {"filters", {"base", "io", "mail", "dns", "config"}},
};

// Where a third-party header may stand: prefixes of paths.
const std::vector<std::pair<std::string, std::vector<std::string>>> kThirdParty{
    {"event2/", {"gateway/io/"}},
    {"openssl/", {"gateway/io/", "filters/arc", "filters/dkim", "gateway/directory/passwords", "gateway/signing/private_key"}},
    {"ares.h", {"gateway/dns/"}},
    {"curl/", {"gateway/io/https.cc"}},
    {"rocksdb/", {"gateway/store/"}},
    {"spf2/", {"filters/spf"}},
    {"opendkim/", {"filters/dkim"}},
    {"clamav.h", {"filters/scanner_"}},
    {"lua.hpp", {"filters/lua/"}},
    {"hs/", {"filters/regex_set"}},
    {"archive.h", {"filters/archive_"}},
    {"archive_entry.h", {"filters/archive_"}},
    {"zlib.h", {"filters/inflate.cc"}},
    {"pcre2.h", {"filters/regex"}},
    {"toml++/", {"gateway/config/"}},
    {"CLI/", {"gateway/main.cc", "gateway/command_line.h"}},
    {"argon2.h", {"gateway/directory/"}},
    {"ldap.h", {"gateway/directory/ldap_connection.cc"}},
    {"lber.h", {"gateway/directory/ldap_connection.cc"}},
    {"unicode/", {"gateway/mail/"}},
    {"libpsl.h", {"filters/public_suffix.cc"}},
    {"gumbo.h", {}},   // a second opinion in tests alone
};

std::string layer_of(const std::string& path) {
  if (path.starts_with("filters/")) return "filters";
  auto rest = path.substr(std::string("gateway/").size());
  auto slash = rest.find('/');
  return slash == std::string::npos ? "top" : rest.substr(0, slash);
}

std::vector<Source> sources() {
  const char* root = std::getenv("POSTERN_SOURCE");
  REQUIRE(root != nullptr);
  std::vector<Source> out;
  for (const char* top : {"gateway", "filters"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(root) / top)) {
      auto extension = entry.path().extension();
      if (extension != ".cc" && extension != ".h") continue;
      Source source;
      source.path = fs::relative(entry.path(), root).string();
      source.layer = layer_of(source.path);
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) source.lines.push_back(line);
      out.push_back(std::move(source));
    }
  }
  return out;
}

// The path inside #include <...> or "...", or "".
std::string included(const std::string& line) {
  static const std::regex kInclude(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])");
  std::smatch match;
  return std::regex_search(line, match, kInclude) ? match[1].str() : "";
}

bool may_include(const Source& source, const std::string& header) {
  if (source.layer == "top" || source.layer == "admin") return true;
  auto to = layer_of(header);
  // judge.h is the seam: what it stands on is below filters and delivery.
  if (header == "gateway/smtp/judge.h") return source.layer == "filters" || source.layer == "delivery" || source.layer == "smtp";
  if (to == source.layer) return true;
  auto found = kMayInclude.find(source.layer);
  return found != kMayInclude.end() && found->second.contains(to);
}

bool third_party_stands_right(const Source& source, const std::string& header) {
  for (const auto& [prefix, places] : kThirdParty) {
    if (!header.starts_with(prefix)) continue;
    for (const auto& place : places) {
      if (source.path.starts_with(place)) return true;
    }
    return false;
  }
  return true;
}

std::string without_comment(const std::string& line) { return line.substr(0, line.find("//")); }

}  // namespace

TEST_CASE("every file includes only what stands below it") {
  std::size_t files = 0;
  for (const auto& source : sources()) {
    ++files;
    for (std::size_t i = 0; i < source.lines.size(); ++i) {
      auto header = included(source.lines[i]);
      if (!header.starts_with("gateway/") && !header.starts_with("filters/")) continue;
      INFO(source.path << ":" << i + 1 << " includes " << header);
      CHECK(may_include(source, header));
    }
  }
  CHECK(files > 50);
}

TEST_CASE("third-party headers stand in their one place") {
  for (const auto& source : sources()) {
    for (std::size_t i = 0; i < source.lines.size(); ++i) {
      auto header = included(source.lines[i]);
      if (header.empty()) continue;
      INFO(source.path << ":" << i + 1 << " includes " << header);
      CHECK(third_party_stands_right(source, header));
    }
  }
}

TEST_CASE("no coroutine form stands anywhere that g++ 12 miscompiles") {
  const std::vector<std::pair<std::regex, std::string>> forbidden{
      {std::regex(R"(\?.*co_await)"), "co_await inside ?:"},
      {std::regex(R"(switch\s*\(\s*co_await)"), "co_await as head of a switch"},
      {std::regex(R"(\{[^{};]*co_await[^{};]*\})"), "co_await inside braces"},
      {std::regex(R"(co_await\s+[\w.>\-]+\(\s*[^(),?]+\?\s*[\w:]+\()"), "?: of temporaries as argument of an awaited call"},
      {std::regex(R"(co_await[^;]*\([^;]*\?[^;]*:[^;]*(std::string\(|std::move\())"), "?: of temporaries as argument of an awaited call"},
      {std::regex(R"(co_await[^;]*\([^;]*\?[^;:]*(std::string\(|std::move\()[^;]*:)"), "?: of temporaries as argument of an awaited call"},
      {std::regex(R"(\]\s*\([^)]*\)[^{;]*->\s*(io::)?Task<)"), "a coroutine lambda"},
      {std::regex(R"(co_await[^;]*\(\s*\[[^\]])"), "a capturing lambda as argument of an awaited call"},
  };
  for (const auto& source : sources()) {
    for (std::size_t i = 0; i < source.lines.size(); ++i) {
      auto line = without_comment(source.lines[i]);
      for (const auto& [form, what] : forbidden) {
        INFO(source.path << ":" << i + 1 << ": " << what << ": " << line);
        CHECK_FALSE(std::regex_search(line, form));
      }
    }
  }
}

TEST_CASE("headers have #pragma once and pull in no namespace") {
  for (const auto& source : sources()) {
    if (!source.path.ends_with(".h")) continue;
    INFO(source.path);
    bool once = false;
    for (const auto& line : source.lines) {
      once = once || line == "#pragma once";
      CHECK_FALSE(line.starts_with("using namespace"));
    }
    CHECK(once);
  }
}
