// JSON written piece by piece, read back by a library.
#include "gateway/base/json.h"

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"

using namespace postern;
using nlohmann::json;

TEST_CASE("what is written is read back as it was, whatever octets are in it") {
  std::string all;
  for (int i = 0; i < 128; ++i) all += static_cast<char>(i);
  for (const std::string& text : {std::string(), all, std::string("Hoá đơn \xf0\x9f\x93\xa7"), std::string("a\"b\\c\nd")}) {
    std::string out;
    append_json(out, text);
    CHECK(json::parse(out).get<std::string>() == text);
  }
}

TEST_CASE("octets that are no UTF-8 are replaced one by one, and what stands around them stays") {
  for (const auto& [text, want] : std::vector<std::pair<std::string, std::string>>{
           {"a\xff" "b", "a\ufffdb"}, {"đ\xc3", "đ\ufffd"}, {"\xed\xa0\x80", "\ufffd\ufffd\ufffd"}, {"\xc0\x80x", "\ufffd\ufffdx"}, {"\xf0\x9f\x93", "\ufffd\ufffd\ufffd"}}) {
    std::string out;
    append_json(out, text);
    CHECK(json::parse(out).get<std::string>() == want);
  }
}

TEST_CASE("objects and arrays have commas where they belong") {
  JsonText out;
  out.open('{');
  out.member("a", "x");
  out.number("n", -0.1);
  out.number("i", 1e300 * 1e300);
  out.count("c", 18446744073709551615ULL);
  out.open('[', "list");
  out.text("y");
  out.open('{');
  out.close('}');
  out.text("");
  out.close(']');
  out.yes("b");
  out.raw("r", "null");
  out.member("", "empty name");
  out.close('}');
  auto text = out.take();
  auto read = json::parse(text);
  CHECK(read["n"].get<double>() == -0.1);
  CHECK(read["i"] == 0.0);
  CHECK(read["c"].get<std::uint64_t>() == 18446744073709551615ULL);
  CHECK(read["list"].size() == 3);
  CHECK(read["b"] == true);
  CHECK(read["r"].is_null());
  CHECK(read[""] == "empty name");
}
