// The openspf.org suites for RFC 7208 and RFC 4408, explanations included.  Driver rules: suites/spf/README.md.
#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "filters/spf.h"
#include "gateway/base/text.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/dns/packet.h"
#include "gateway/io/loop.h"
#include "tests/support/catch.h"
#include "tests/support/suites.h"

using namespace postern;
using namespace std::chrono_literals;

namespace {

// Names that begin with "error." time out.
class SuiteResolver : public dns::FixedResolver {
 public:
  io::Task<dns::Answer> query(std::string name, dns::Type type, Deadline deadline) override {
    if (istarts_with(name, "error.")) {
      dns::Answer none;
      none.status = dns::Status::timeout;
      co_return none;
    }
    auto answer = co_await FixedResolver::query(std::move(name), type, deadline);
    co_return answer;
  }
};

std::string joined_text(const YAML::Node& value) {
  if (!value.IsSequence()) return value.as<std::string>();
  std::string out;
  for (const auto& part : value) out += part.as<std::string>();
  return out;
}

void must(const Status& added) {
  if (!added) FAIL(added.error().text);
}

void add_record(dns::Zone& zone, const std::string& name, const std::string& type, const YAML::Node& value) {
  if (type == "MX") {
    auto host = value[1].as<std::string>();
    must(zone.add(name, type, value[0].as<std::string>() + " " + (host.empty() ? "." : host)));
    return;
  }
  must(zone.add(name, type, type == "TXT" ? joined_text(value) : value.as<std::string>()));
}

void add_name(dns::Zone& zone, const std::string& name, const YAML::Node& entries) {
  if (!dns::canonical_name(name)) return;  // a label over 63 octets cannot be asked
  bool own_txt = false;
  for (const auto& entry : entries) {
    if (entry.IsMap() && entry["TXT"]) own_txt = true;
  }
  for (const auto& entry : entries) {
    if (entry.IsScalar()) {
      REQUIRE(entry.as<std::string>() == "TIMEOUT");
      must(zone.add(name, "*", "TIMEOUT"));
      continue;
    }
    for (const auto& pair : entry) {
      auto type = pair.first.as<std::string>();
      if (type == "SPF" && own_txt) continue;
      if (type == "SPF") type = "TXT";
      bool none = type == "TXT" && pair.second.IsScalar() && pair.second.as<std::string>() == "NONE";
      if (!none) add_record(zone, name, type, pair.second);
    }
  }
}

std::vector<std::string> allowed(const YAML::Node& result) {
  if (result.IsScalar()) return {result.as<std::string>()};
  return result.as<std::vector<std::string>>();
}

// "" when the case is right, else what was wrong.
std::string run_case(const std::string& name, const YAML::Node& test, SuiteResolver& resolver, bool speculate) {
  io::Loop loop;
  auto ip = IpAddress::parse(test["host"].as<std::string>());
  REQUIRE(ip.has_value());
  filters::SpfQuery query(*ip, test["helo"].as<std::string>(), test["mailfrom"].as<std::string>(), "receiver.example");
  filters::SpfOptions options;
  options.speculate = speculate;
  auto spf = loop.block_on(filters::check_spf(resolver, std::move(query), in(5s), options));
  std::string got(filters::name(spf.result));
  auto results = allowed(test["result"]);
  std::string about = name + ": " + got + " (" + spf.mechanism + spf.problem + ")";
  if (std::find(results.begin(), results.end(), got) == results.end()) return about + ", expected " + join(results, " or ");
  bool is_error = spf.result == filters::SpfResult::permerror || spf.result == filters::SpfResult::temperror;
  if (is_error == spf.problem.empty()) return about + ": an error has a reason, and nothing else has one";
  if (spf.libspf2_differs) return about + ": libspf2 differs";
  if (!test["explanation"]) return {};
  auto wanted = test["explanation"].as<std::string>();
  if (wanted == "DEFAULT") wanted.clear();
  return wanted == spf.explanation ? "" : about + ": explanation \"" + spf.explanation + "\", expected \"" + wanted + "\"";
}

struct Count {
  int right = 0;
  int all = 0;
};

Count run_suite(const std::filesystem::path& file, bool speculate) {
  Count count;
  for (const auto& scenario : YAML::LoadAllFromFile(file.string())) {
    if (!scenario["tests"]) continue;
    SuiteResolver resolver;
    for (const auto& zone : scenario["zonedata"]) add_name(resolver.zone(), zone.first.as<std::string>(), zone.second);
    for (const auto& test : scenario["tests"]) {
      auto wrong = run_case(test.first.as<std::string>(), test.second, resolver, speculate);
      ++count.all;
      if (wrong.empty()) ++count.right;
      if (!wrong.empty()) UNSCOPED_INFO(wrong);
      CHECK(wrong == "");
    }
  }
  return count;
}

void run_and_report(const std::string& file, int expected) {
  auto suites = test::suites();
  if (!suites) std::exit(77);  // what ctest shows as skipped
  auto path = *suites / "spf" / file;
  auto& figures = filters::spf_figures();
  auto compared = figures.compared.load();
  auto differed = figures.differed.load();
  auto count = run_suite(path, true);
  std::cout << file << ": " << count.right << "/" << count.all << ", libspf2 asked " << figures.compared - compared << " times, differed "
            << figures.differed - differed << "\n";
  CHECK(count.right == expected);
  CHECK(count.all == expected);
  CHECK(figures.differed == differed);
  // Without questions asked ahead the result is the same.
  CHECK(run_suite(path, false).right == expected);
}

}  // namespace

TEST_CASE("all cases of the RFC 7208 suite are right") { run_and_report("rfc7208-tests.yml", 203); }

TEST_CASE("all cases of the RFC 4408 suite are right") { run_and_report("rfc4408-tests.yml", 191); }
