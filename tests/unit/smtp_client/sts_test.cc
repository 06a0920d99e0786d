// The two texts of MTA-STS.
#include "gateway/smtp_client/sts.h"

#include "gateway/smtp_client/mx.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::smtp_client;

namespace {

std::optional<std::string> id_of(std::initializer_list<const char*> texts) {
  std::vector<dns::Record> records;
  for (const char* text : texts) {
    auto& record = records.emplace_back();
    record.type = dns::Type::txt;
    record.text = text;
  }
  return sts_id(records);
}

std::string mistake_in(const std::string& text) {
  auto policy = parse_sts_policy(text);
  return policy ? "" : policy.error().text;
}

const std::string kSound = "version: STSv1\r\nmode: enforce\r\nmx: mx1.example.org\r\nmax_age: 86400\r\n";

}  // namespace

TEST_CASE("one sound record has an id, and nothing else has") {
  CHECK(id_of({"v=STSv1; id=20160831085700Z;"}) == "20160831085700Z");
  CHECK(id_of({"v=STSv1;id=a"}) == "a");
  CHECK(id_of({"v=STSv1; id=1; later=on"}) == "1");
  CHECK(id_of({"something else", "v=STSv1; id=1;"}) == "1");
  CHECK_FALSE(id_of({}));
  CHECK_FALSE(id_of({"v=STSv1; id=1;", "v=STSv1; id=2;"}));
  CHECK_FALSE(id_of({"v=STSv1; id=1;", "v=STSv1; id;"}));
  CHECK_FALSE(id_of({"v=STSv2; id=1;"}));
  CHECK_FALSE(id_of({"v=STSv1;"}));
  CHECK_FALSE(id_of({"v=STSv1; id=;"}));
  CHECK_FALSE(id_of({"v=STSv1; id=a-b;"}));
  CHECK_FALSE(id_of({"v=STSv1; id=1; id=2;"}));
  CHECK_FALSE(id_of({"v=STSv1; id=123456789012345678901234567890123;"}));
}

TEST_CASE("a policy is read with either line end, in any order, and with fields that nobody knows") {
  auto policy = parse_sts_policy(kSound);
  REQUIRE(policy);
  CHECK(policy->mode == StsPolicy::Mode::enforce);
  CHECK(policy->max_age == std::chrono::seconds(86400));
  CHECK(policy->mx == std::vector<std::string>{"mx1.example.org"});
  CHECK(policy->lines.size() == 4);
  auto other = parse_sts_policy("max_age:604800\nmx: *.Example.NET\nfuture: yes\nmx:MX.example.org\nmode:  testing\nversion: STSv1");
  REQUIRE(other);
  CHECK(other->mode == StsPolicy::Mode::testing);
  CHECK(other->mx == std::vector<std::string>{"*.example.net", "mx.example.org"});
  CHECK(parse_sts_policy("version: STSv1\nmode: none\nmax_age: 1\n")->mode == StsPolicy::Mode::none);
}

TEST_CASE("of a field that is there twice the first counts") {
  auto policy = parse_sts_policy(kSound + "mode: none\nmax_age: 1\nversion: STSv9\n");
  REQUIRE(policy);
  CHECK(policy->mode == StsPolicy::Mode::enforce);
  CHECK(policy->max_age == std::chrono::seconds(86400));
}

TEST_CASE("a year is the longest time") {
  CHECK(parse_sts_policy("version: STSv1\nmode: none\nmax_age: 99999999999\n")->max_age == std::chrono::seconds(31557600));
}

TEST_CASE("what is no policy is told why") {
  CHECK(mistake_in("") == "its version is not STSv1");
  CHECK(mistake_in("<html>hello</html>").find("is no \"key: value\"") != std::string::npos);
  CHECK(mistake_in(kSound + "\xff\xffmx: a.example\n").find("is no \"key: value\"") != std::string::npos);
  CHECK(mistake_in("version: STSv2\nmode: none\nmax_age: 1\n") == "its version is not STSv1");
  CHECK(mistake_in("version: STSv1\nmode: Enforce\nmx: a.example\nmax_age: 1\n") == "its mode is neither enforce nor testing nor none");
  CHECK(mistake_in("version: STSv1\nmode: enforce\nmax_age: 1\n") == "it names no mx");
  CHECK(mistake_in("version: STSv1\nmode: enforce\nmx: a.example\n") == "its max_age is no number");
  CHECK(mistake_in("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: -1\n") == "its max_age is no number");
  for (const char* bad : {"*", "a..example", "*.*.example", "a b", "https://a.example", ""}) {
    INFO(bad);
    CHECK(mistake_in("version: STSv1\nmode: enforce\nmx: " + std::string(bad) + "\nmax_age: 1\n").find("is no host name") != std::string::npos);
  }
  std::string many = "version: STSv1\nmode: enforce\nmax_age: 1\n";
  for (int i = 0; i < 201; ++i) many += "mx: a.example\n";
  CHECK(mistake_in(many) == "it names more than 200 hosts");
}

TEST_CASE("a star stands for exactly one label") {
  CHECK(matches_host("mx.example.org", "mx.example.org"));
  CHECK_FALSE(matches_host("mx.example.org", "mx.example.org.evil.test"));
  CHECK(matches_host("*.example.org", "mx1.example.org"));
  CHECK_FALSE(matches_host("*.example.org", "a.b.example.org"));
  CHECK_FALSE(matches_host("*.example.org", "example.org"));
  CHECK_FALSE(matches_host("*.example.org", ".example.org"));
  CHECK_FALSE(matches_host("*.example.org", "mx.example.net"));
}
