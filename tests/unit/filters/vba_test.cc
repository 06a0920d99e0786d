// Visual Basic: its compression, where its source is, what the source says.
#include "filters/vba.h"

#include "tests/support/catch.h"
#include "tests/unit/filters/attachment_support.h"

using namespace postern;
using namespace postern::filters;
using namespace std::string_literals;

namespace {

Signs signs_of(const std::string& source, std::size_t code = 16) {
  testing::OleBuilder ole;
  testing::add_vba(ole, "Macros/", source, code);
  std::string octets = ole.build();
  auto file = OleFile::open(octets);
  REQUIRE(file);
  Signs signs;
  add_vba_signs(vba_of(*file), signs);
  return signs;
}

}  // namespace

// MS-OVBA 3.2.1 to 3.2.3: no compression, normal, maximum.
TEST_CASE("the examples of the specification are decompressed") {
  CHECK(decompress_vba("\x01\x19\xb0\x00" "abcdefgh" "\x00" "ijklmnop" "\x00" "qrstuv."s, 4096) == "abcdefghijklmnopqrstuv.");
  CHECK(decompress_vba("\x01\x2f\xb0\x00#aaabcde\x82" "f\x00" "paghij\x01" "8\x08" "akl\x00" "0mnop\x06q\x02" "p\x04\x10rstuv\x10wxyz\x00<"s, 4096) ==
        "#aaabcdefaaaaghijaaaaaklaaamnopqaaaaaaaaaaaarstuvwxyzaaa");
  CHECK(decompress_vba("\x01\x03\xb0\x02" "aE\x00"s, 4096) == std::string(73, 'a'));
}

TEST_CASE("decompression is bounded and takes any octets") {
  std::string bomb = "\x01"s;
  for (int i = 0; i < 1000; ++i) bomb += "\x03\xb0\x02" "a\xff\x0f"s;
  CHECK(decompress_vba(bomb, 10'000).size() <= 10'000);
  CHECK(decompress_vba("", 100) == "");
  CHECK(decompress_vba("\x02xx", 100) == "");
  CHECK(decompress_vba("\x01\x03\xb0\x01\x00\x10"s, 100) == "");   // a copy of what is not there
  std::string sound = testing::vba_container(testing::kMacro);
  testing::at_each_length(sound, 200, [&](std::string_view cut) { CHECK(testing::kMacro.starts_with(decompress_vba(cut, 1 << 20))); });
}

TEST_CASE("a project's source is found through its directory") {
  testing::OleBuilder ole;
  testing::add_vba(ole, "Macros/", testing::kMacro, 300);
  std::string octets = ole.build();
  auto file = OleFile::open(octets);
  REQUIRE(file);
  auto project = vba_of(*file);
  CHECK(project.found);
  REQUIRE(project.sources.size() == 1);
  CHECK(project.sources[0] == testing::kMacro);
  CHECK_FALSE(project.source_missing);
}

TEST_CASE("a source is found without its directory, too") {
  testing::OleBuilder ole;
  ole.add("VBA/_VBA_PROJECT", "\xcc\x61");
  ole.add("VBA/dir", "rubbish");
  ole.add("VBA/Module1", std::string(100, 'x') + "\x01"s + testing::vba_container(testing::kMacro).substr(1));
  std::string octets = ole.build();
  auto file = OleFile::open(octets);
  REQUIRE(file);
  auto project = vba_of(*file);
  REQUIRE(project.sources.size() == 1);
  CHECK(project.sources[0] == testing::kMacro);
}

TEST_CASE("names that run by themselves are known in any letters, as procedures alone") {
  CHECK(signs_of("Sub AutoOpen()\nEnd Sub\n").detail(Sign::auto_macro) == "AutoOpen");
  CHECK(signs_of("private sub WORKBOOK_OPEN()\n").has(Sign::auto_macro));
  CHECK(signs_of("Private Sub Document_Open()\n").has(Sign::auto_macro));
  CHECK(signs_of("Sub InkPicture1_Painted(x)\n").has(Sign::auto_macro));
  CHECK(signs_of("Function Auto_Close\n").has(Sign::auto_macro));
  CHECK_FALSE(signs_of("Sub Total()\n ' AutoOpen is not used here\nEnd Sub\n").has(Sign::auto_macro));
  CHECK_FALSE(signs_of("Sub AutoOpener()\n").has(Sign::auto_macro));
  CHECK(signs_of("Sub Total()\n").has(Sign::macro));
}

TEST_CASE("words that start programs are collected") {
  auto signs = signs_of(testing::kMacro);
  CHECK(signs.detail(Sign::suspicious_macro) == "createobject, wscript, shell, powershell");
  CHECK_FALSE(signs_of("Sub Total()\n  Range(\"A1\").Value = 1\nEnd Sub\n").has(Sign::suspicious_macro));
}

TEST_CASE("compiled code without a source is told") {
  CHECK(signs_of("Attribute VB_Name = \"x\"\r\n", 4000).has(Sign::macro_without_source));
  CHECK_FALSE(signs_of("Attribute VB_Name = \"x\"\r\n", 100).has(Sign::macro_without_source));
  CHECK_FALSE(signs_of(testing::kMacro, 4000).has(Sign::macro_without_source));
}

TEST_CASE("the number of modules and the length of their source are bounded") {
  testing::OleBuilder ole;
  ole.add("VBA/_VBA_PROJECT", "\xcc\x61");
  for (int i = 0; i < 300; ++i) ole.add("VBA/Module" + std::to_string(i), testing::vba_container("Attribute VB_Name = \"x\"\r\n'" + std::string(12'000, 'c')));
  std::string octets = ole.build();
  auto file = OleFile::open(octets);
  REQUIRE(file);
  auto project = vba_of(*file);
  std::size_t total = 0;
  for (const auto& source : project.sources) total += source.size();
  CHECK(total <= kMaxVbaSource);
  CHECK(project.sources.size() <= kMaxVbaModules);
  CHECK(project.problem != "");
}
