// mail.files: what attachments really are, as rules see it.
#include "filters/files.h"

#include "gateway/io/loop.h"
#include "gateway/mail/decode.h"
#include "tests/unit/filters/rules_support.h"

using namespace postern;
using namespace postern::filters;

namespace {

std::string message_with(const std::string& type, const std::string& name, const std::string& octets) {
  return "From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee the attachment.\r\n--b\r\n"
         "Content-Type: " + type + "\r\nContent-Disposition: attachment; filename=\"" + name + "\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
         octets + "\r\n--b--\r\n";
}

// "MZ", the offset of the PE header at 60, and the header.
const std::string kProgram = "TVoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAAAAFBFAABkhgEA";

bool has_sign(const File& file, std::string_view word) {
  return std::any_of(file.signs.begin(), file.signs.end(), [&](const auto& sign) { return sign.first == word; });
}

}  // namespace

TEST_CASE("a program under the name of an invoice is one") {
  auto message = message_with("application/pdf", "invoice.pdf", kProgram);
  auto files = files_of(message, mail::parse(message));
  REQUIRE(files.all.size() == 1);
  const auto& file = files.all[0];
  CHECK(file.name == "invoice.pdf");
  CHECK(file.type == "application/pdf");
  CHECK(file.kind == "windows_program");
  CHECK(has_sign(file, "program"));
  CHECK(has_sign(file, "disguised_program"));
  CHECK(file.problem.empty());
}

TEST_CASE("an archive that only libarchive opens is not opened, and says so") {
  auto message = message_with("application/x-7z-compressed", "a.7z", "N3q8ryccAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
  auto files = files_of(message, mail::parse(message));
  REQUIRE(files.all.size() == 1);
  CHECK(files.all[0].kind == "sevenzip");
  CHECK_FALSE(files.all[0].problem.empty());
}

TEST_CASE("rules read files and their signs, and a word that is no sign is an error") {
  auto rule = [](const std::string& body) { return "rule \"r\" { on = \"message\", check = function(mail) " + body + " end }\n"; };
  RuleBench bench(rule("local f = mail.files[1] return score(#mail.files, f.name .. \" \" .. f.kind .. \" \" .. (mail.files.signs.macro or \"-\") .. (f.signs.script or \"-\") .. f.inside[1])"));
  File file;
  file.name = "a.docm";
  file.kind = "word_xml";
  file.signs.emplace_back("macro", "AutoOpen");
  file.inside.push_back("word/vbaProject.bin");
  bench.evidence.files.all.push_back(file);
  auto verdict = bench.all();
  REQUIRE(verdict.hits.size() == 1);
  CHECK(verdict.score == 1);
  CHECK(verdict.hits[0].why == "a.docm word_xml AutoOpen-word/vbaProject.bin");

  RuleBench typo(rule("if mail.files[1].signs.makro then return score(1, \"x\") end"));
  typo.evidence.files.all.push_back(file);
  auto failed = typo.all();
  CHECK(failed.error);
  REQUIRE(failed.hits.size() == 1);
  CHECK(failed.hits[0].why.find("unknown field \"makro\" of signs of a file (macro?)") != std::string::npos);
}

TEST_CASE("files that cannot be looked at are an error of the rule that asks, never a message without any") {
  RuleBench bench("rule \"r\" { on = \"message\", check = function(mail) if #mail.files > 0 then return score(1, \"x\") end end }\n");
  bench.evidence.files.problem = "no memory";
  auto verdict = bench.all();
  CHECK(verdict.verdict == "defer");
  CHECK(verdict.error);
}
