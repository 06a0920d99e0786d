// Whole attachments: what lies in what, at any depth, with all bounds.
#include "filters/attachment_signs.h"

#include <filesystem>

#include "gateway/base/text.h"
#include "tests/support/catch.h"
#include "tests/support/thread_time.h"
#include "tests/unit/filters/attachment_support.h"

using namespace postern;
using namespace postern::filters;
using testing::zip;

namespace {

AttachmentReport report(std::string_view octets, std::vector<std::string> names = {}, std::string_view type = "application/octet-stream", const AttachmentLimits& limits = {}) {
  return attachment_report({octets, type, std::move(names)}, limits);
}

std::vector<AttachmentReport> reports(const std::string& message) { return attachment_reports(message, mail::parse(message)); }

std::string part(const std::string& fields, const std::string& octets) {
  return "--b\r\n" + fields + "\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64(octets) + "\r\n";
}
std::string message(const std::string& parts) { return "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n" + parts + "--b--\r\n"; }

}  // namespace

TEST_CASE("a program under a harmless name or type is disguised") {
  auto found = report(testing::program(), {"invoice.pdf"}, "application/pdf");
  CHECK(found.kind == FileKind::windows_program);
  CHECK(found.signs.has(Sign::program));
  CHECK(found.signs.detail(Sign::disguised_program) == "invoice.pdf is a Windows program");
  CHECK(report(testing::program(), {"setup.exe"}).signs.has(Sign::program));
  CHECK_FALSE(report(testing::program(), {"setup.exe"}).signs.has(Sign::disguised_program));
  CHECK(report(testing::program(), {"a.exe"}, "image/png").signs.has(Sign::disguised_program));
  auto page = report("<html><body>x</body></html>", {"invoice.pdf"}, "application/pdf");
  CHECK(page.signs.has(Sign::type_mismatch));
  CHECK_FALSE(page.signs.has(Sign::disguised_program));
}

TEST_CASE("clean attachments have no signs and no problem") {
  CHECK(report("hello\r\n", {"a.txt"}, "text/plain").signs.empty());
  CHECK(report("%PDF-1.4\n1 0 obj <</Type/Catalog>> endobj\n", {"a.pdf"}, "application/pdf").signs.empty());
  CHECK(report(zip({{"a.txt", "x"}, {"b.pdf", "%PDF-1.4\n"}}), {"a.zip"}, "application/zip").signs.empty());
  CHECK(report(zip({{"[Content_Types].xml", "x"}, {"word/document.xml", "<w/>"}}), {"a.docx"}, "application/vnd.openxmlformats-officedocument.wordprocessingml.document").signs.empty());
  CHECK(report("", {"a.pdf"}, "application/pdf").signs.empty());
  for (const auto& clean : {report("hello", {"a.txt"}), report(zip({{"a.txt", "x"}}), {"a.zip"})}) CHECK(clean.problem == "");
}

TEST_CASE("names that differ are told, the same name twice is not") {
  CHECK_FALSE(report("%PDF-1.4\n", {"a.pdf", "a"}).signs.has(Sign::names_differ));
  CHECK(report("x", {"a", "a.exe"}).signs.has(Sign::names_differ));
  CHECK(report("x", {"a.pdf", "b.exe"}).signs.detail(Sign::names_differ) == "a.pdf / b.exe");
  CHECK(report("%PDF-1.4\n", {"a.pdf", "A.PDF"}).signs.empty());
}

TEST_CASE("what lies in archives is found at any depth") {
  std::string inner = zip({{"run me.exe", testing::program()}});
  auto found = report(zip({{"docs/readme.txt", "x"}, {"inner.zip", inner}}), {"a.zip"}, "application/zip");
  CHECK(found.signs.has(Sign::nested_archive));
  CHECK(found.signs.detail(Sign::program_in_archive) == "inner.zip: inner.zip / run me.exe: a Windows program");
  CHECK(found.signs.has(Sign::dangerous_in_archive));
  REQUIRE(found.members.size() == 3);
  CHECK(found.members[1].name == "inner.zip");
  CHECK(found.members[1].kind == FileKind::zip);
  CHECK(found.members[2].name == "run me.exe");
  CHECK(found.members[2].depth == 2);
  CHECK(found.members[2].kind == FileKind::windows_program);
  auto tarred = report(testing::deflated(testing::tar({{"x.vbs", "MsgBox 1"}}), 31), {"a.tar.gz"});
  CHECK(tarred.signs.has(Sign::dangerous_in_archive));
  CHECK_FALSE(tarred.signs.has(Sign::nested_archive));
}

TEST_CASE("a document with macros inside an archive is seen, its links as well") {
  testing::OleBuilder ole;
  ole.add("WordDocument", testing::word_document());
  testing::add_vba(ole, "Macros/", testing::kMacro);
  auto found = report(zip({{"letter.doc", ole.build()}}), {"a.zip"});
  CHECK(found.signs.detail(Sign::auto_macro) == "letter.doc: AutoOpen");
  CHECK(found.members.at(0).kind == FileKind::word);
  CHECK(found.links == std::vector<std::string>{"http://evil.example/x.ps1"});
}

TEST_CASE("an encrypted archive lists its names and says that it was not looked into") {
  auto found = report(zip({{"invoice.js", "xxxx", true, 1}}), {"a.zip"});
  CHECK(found.signs.has(Sign::encrypted_archive));
  CHECK(found.signs.has(Sign::dangerous_in_archive));
  CHECK(found.problem == "it has a password");
  CHECK(found.members.at(0).encrypted);
}

TEST_CASE("mails in files are looked through") {
  std::string inner = message(part("Content-Type: application/pdf; name=\"a.pdf\"", testing::program()));
  auto found = report(inner + "\r\n", {"forwarded.eml"}, "message/rfc822");
  CHECK(found.kind == FileKind::text);   // one field alone does not make a mail
  auto mail = report("Subject: x\r\nDate: y\r\n" + inner, {"forwarded.eml"}, "message/rfc822");
  CHECK(mail.kind == FileKind::mail);
  CHECK(mail.signs.has(Sign::disguised_program));
}

TEST_CASE("a script by its extension is a script, whatever it begins with") {
  auto script = report("var a = 1;\nfunction go() { return 'http://evil.example/p'; }\n", {"invoice.js"});
  CHECK(script.signs.has(Sign::script));
  CHECK(script.links == std::vector<std::string>{"http://evil.example/p"});
  auto page = report("document.location='http://evil.example/'", {"invoice.htm"}, "text/plain");
  CHECK(page.signs.has(Sign::html_redirect) == false);   // no script runs without a tag
  CHECK(report("=cmd|'/c calc'!A0\n", {"list.csv"}).signs.has(Sign::formula_in_text));
  CHECK_FALSE(report("=cmd|'/c calc'!A0\n", {"notes.txt"}).signs.has(Sign::formula_in_text));
}

TEST_CASE("depth is bounded, and the bound is said") {
  std::string octets = zip({{"a.txt", "x"}});
  for (int i = 0; i < 30; ++i) octets = zip({{"a.zip", octets, true}});
  auto found = report(octets, {"a.zip"});
  CHECK(found.signs.has(Sign::too_deep));
  CHECK(found.problem.find("too deep") != std::string::npos);
  CHECK(found.members.size() <= 9);
}

// After the construction in Russ Cox, "Zip Files All The Way Down": stored blocks print what follows, static blocks repeat what came
// before, each operation takes five octets.  The checksum at the end is not right, which nobody needs who only looks.
TEST_CASE("an archive that contains itself is told") {
  const std::string header = "\x1f\x8b\x08\x08" + std::string(6, '\0') + "inner.gz" + std::string(1, '\0');
  auto print = [](std::uint16_t octets) { return std::string(1, '\0') + testing::le(octets, 2) + testing::le(static_cast<std::uint16_t>(~octets), 2); };
  const std::string repeat_24 = std::string("\x42\x16\x47\x16\x07"), repeat_20("\x42\x88\x21\xc4\x00", 5), last_13("\x83\x70\xa0\x1c\x00", 5);
  const std::string ending = last_13 + "checksum";
  std::string quine = header + print(24) + header + print(24) + repeat_24;
  quine += print(5) + repeat_24 + print(5) + print(5);
  quine += print(20) + repeat_24 + print(5) + print(5) + print(20) + repeat_20;
  quine += print(20) + repeat_20 + print(20) + repeat_20 + print(20) + repeat_20;
  quine += print(20) + repeat_20 + print(0) + print(0) + print(13) + repeat_20;
  quine += print(0) + print(0) + print(13) + ending + ending;
  auto found = report(quine, {"inner.gz"}, "application/gzip");
  CAPTURE(quine.size(), found.problem);
  CHECK(found.signs.has(Sign::quine));
  CHECK(found.members.size() == 1);
}

TEST_CASE("the limits are for all attachments of a message together") {
  std::string bomb = zip({{"a.bin", std::string(1 << 20, 'a')}});
  std::string parts;
  for (int i = 0; i < 10; ++i) parts += part("Content-Type: application/zip; name=\"a.zip\"", bomb);
  std::string mail = message(parts);
  AttachmentLimits limits;
  limits.archives.octets = 3 << 20;
  auto found = attachment_reports(mail, mail::parse(mail), limits);
  REQUIRE(found.size() == 10);
  CHECK(found[0].problem == "");
  CHECK(found[9].problem != "");
  limits = {};
  limits.parts = 4;
  CHECK(attachment_reports(mail, mail::parse(mail), limits).size() == 5);
  limits = {};
  limits.members = 1;
  auto listed = report(zip({{"a", "1"}, {"b", "2"}}), {}, "", limits);
  CHECK(listed.members.size() == 1);
  CHECK(listed.more_members);
  limits = {};
  limits.files = 1;
  CHECK(report(zip({{"a", "1"}, {"b", "2"}}), {}, "", limits).problem == "more inner files than are looked at");
  limits = {};
  limits.examined = 10;
  CHECK(report("%PDF-1.4 more than ten octets", {}, "", limits).problem == "more content than is looked at");
}

TEST_CASE("the attachments of a message are its parts with names, marks or other types") {
  auto found = reports(message(part("Content-Type: application/pdf; name=\"a.pdf\"", "%PDF-1.4\n") + part("Content-Type: text/plain\r\nContent-Disposition: attachment", "x") +
                               part("Content-Type: text/html", "<html>") + part("Content-Type: image/png", "\x89PNG\r\n\x1a\n")));
  REQUIRE(found.size() == 3);
  CHECK(found[0].kind == FileKind::pdf);
  CHECK(found[1].kind == FileKind::text);
  CHECK(found[2].kind == FileKind::png);
  CHECK(reports("Subject: x\r\n\r\nhello\r\n").empty());
}

TEST_CASE("a large image is recognised by its beginning, one that is none is decoded whole") {
  auto image = reports(message(part("Content-Type: image/png; name=a.png", "\x89PNG\r\n\x1a\n" + std::string(200'000, 'x'))));
  REQUIRE(image.size() == 1);
  CHECK(image[0].size <= 64 * 1024);
  CHECK(image[0].signs.empty());
  auto fake = reports(message(part("Content-Type: image/png; name=a.png", testing::program() + std::string(200'000, 'x'))));
  CHECK(fake[0].size > 200'000);
  CHECK(fake[0].signs.has(Sign::disguised_program));
}

TEST_CASE("hostile attachments end in time") {
  struct Case { const char* what; std::string octets; };
  std::string zeros(30 << 20, '\0');
  std::string nested = zip({{"a", zeros}});
  for (int i = 0; i < 5; ++i) nested = zip({{"1.zip", nested, true}, {"2.zip", nested, true}});
  std::vector<testing::ZipFile> many;
  for (int i = 0; i < 9000; ++i) many.push_back({std::to_string(i) + ".zip", zip({}), true});
  const Case cases[] = {
      {"zip bomb", zip({{"a", zeros}})},
      {"a tree of zip bombs", nested},
      {"gzip bomb in gzip", testing::deflated(testing::deflated(zeros, 31), 31)},
      {"tar of a gzip bomb", testing::tar({{"a.gz", testing::deflated(zeros, 31)}})},
      {"many small zips", zip(many)},
      {"html", "<html>" + testing::repeated("<a href='", 400'000)},
      {"rtf", "{\\rtf1" + testing::repeated("{\\object{\\*\\objdata 0105", 200'000)},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    AttachmentReport found;
    auto time = testing::thread_time([&] { found = report(c.octets, {"a.bin"}); });
    CHECK(time < postern::testing::out_of_bounds(std::chrono::seconds(3)));
    CHECK(found.members.size() <= 500);
  }
  CHECK(report(nested, {"a.zip"}).signs.has(Sign::archive_bomb));
  CHECK(report(nested, {"a.zip"}).problem != "");
}

TEST_CASE("real files of Debian's scanner tests are recognised, cut ones do no harm") {
  struct Case { const char* file; FileKind kind; Sign sign; };
  const Case cases[] = {
      {"clam.exe", FileKind::windows_program, Sign::program},       {"clam.zip", FileKind::zip, Sign::program_in_archive},
      {"clam.7z", FileKind::sevenzip, Sign::program_in_archive},    {"clam.cab", FileKind::cab, Sign::program_in_archive},
      {"clam.arj", FileKind::arj, Sign::archive_unread},            {"clam.tar.gz", FileKind::gzip, Sign::program_in_archive},
      {"clam.exe.bz2", FileKind::bzip2, Sign::program_in_archive},  {"clam.newc.cpio", FileKind::cpio, Sign::program_in_archive},
      {"clam.ole.doc", FileKind::word, Sign::embedded_program},     {"clam.ppt", FileKind::powerpoint, Sign::count_of_signs},
      {"clam.pdf", FileKind::pdf, Sign::pdf_embedded_file},         {"clam.exe.rtf", FileKind::rtf, Sign::embedded_program},
      {"clam.tnef", FileKind::tnef, Sign::tnef},                    {"clam.chm", FileKind::chm, Sign::archive_unread},
  };
  const std::string folder = "/usr/share/clamav-testfiles/";
  if (!std::filesystem::exists(folder)) {
    WARN("skipped: the package clamav-testfiles is not here");
    return;
  }
  for (const Case& c : cases) {
    CAPTURE(c.file);
    std::string octets = testing::file_at(folder + c.file);
    if (octets.empty()) continue;
    auto found = report(octets, {c.file});
    CHECK(name(found.kind) == name(c.kind));
    std::string seen;
    for (const auto& sign : found.signs.list()) seen += std::string(name(sign.sign)) + " ";
    CAPTURE(seen, found.problem);
    if (c.sign != Sign::count_of_signs) CHECK(found.signs.has(c.sign));
    testing::at_each_length(octets, 60, [&](std::string_view cut) { CHECK(report(cut, {c.file}).members.size() <= 500); });
  }
}
