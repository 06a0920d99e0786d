// Names in their disguises, and what they do to who reads them.
#include "filters/attachment_names.h"

#include <algorithm>

#include "tests/support/catch.h"
#include "tests/unit/filters/attachment_support.h"

using namespace postern;
using namespace postern::filters;

namespace {

Signs signs_of(std::string_view name) {
  Signs signs;
  add_name_signs(name, signs);
  return signs;
}

std::vector<std::string> words(const Signs& signs) {
  std::vector<std::string> out;
  for (const auto& seen : signs.list()) out.emplace_back(name(seen.sign));
  std::sort(out.begin(), out.end());
  return out;
}

// Of a mail whose one part has these fields.
std::vector<std::string> names_of(const std::string& fields, const std::string& body = "x\r\n") {
  std::string message = fields + "\r\n\r\n" + body;
  auto table = mail::parse(message);
  auto names = attachment_names(message, table.root());
  std::sort(names.begin(), names.end());
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a name shows what it does") {
  struct Case { std::string name; Names signs; };
  const Case cases[] = {
      {"report.pdf", {}},
      {"report.2024.pdf", {}},
      {"archive.tar.gz", {}},
      {"", {}},
      {"no extension", {}},
      {"setup.exe", {"dangerous_extension"}},
      {"invoice.pdf.exe", {"dangerous_extension", "double_extension"}},
      {"invoice.PDF.Exe", {"dangerous_extension", "double_extension"}},
      {"invoice_pdf.exe", {"dangerous_extension", "double_extension"}},
      {"photo.jpg .scr", {"dangerous_extension", "double_extension"}},
      {"invoice.pdf.exe. . .", {"dangerous_extension", "double_extension", "trailing_dots"}},
      {"v1.2.exe", {"dangerous_extension"}},
      {"invoice.pdf" + std::string(80, ' ') + ".exe", {"dangerous_extension", "double_extension", "long_blanks"}},
      {"invoice\xe2\x80\xae" "fdp.exe", {"bidi_name", "dangerous_extension"}},
      {"in\xe2\x80\x8bvoice.e\xe2\x80\x8bxe", {"dangerous_extension", "invisible_name"}},
      {"a.exe::$DATA", {"dangerous_extension"}},
      {"..\\..\\startup\\a.vbs", {"dangerous_extension", "path_in_name"}},
      {"a.txt.{3050F4D8-98B5-11CF-BB82-00AA00BDCE0B}", {"clsid_extension"}},
      {"a\x01.txt", {"control_in_name"}},
      {"a\xef\xbc\x8e" "exe", {"lookalike_dot"}},
      {std::string(300, 'a') + ".txt", {"long_name"}},
      {"meeting.docm", {"dangerous_extension"}},
      {"disk.iso", {"dangerous_extension"}},
      {"t\xc3\xa0i li\xe1\xbb\x87u.pdf", {}},
      {"a\xff\xfe.exe", {"dangerous_extension"}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    CHECK(words(signs_of(c.name)) == c.signs);
  }
}

TEST_CASE("the extension is the one by which Windows opens the file") {
  CHECK(effective_extension("a.EXE") == "exe");
  CHECK(effective_extension("a.exe ") == "exe");
  CHECK(effective_extension("a.exe...") == "exe");
  CHECK(effective_extension("a.txt:hidden.exe") == "txt");
  CHECK(effective_extension("C:\\x\\a.js") == "js");
  CHECK(effective_extension("a.\xe2\x80\x8e" "exe") == "exe");
  CHECK(effective_extension("folder.d/file") == "");
  CHECK(effective_extension("a") == "");
  CHECK(effective_extension("") == "");
  CHECK(effective_extension(std::string(1'000'000, '.') + "exe") == "exe");
}

TEST_CASE("a dangerous extension comes with its reason") {
  CHECK(danger_of("lnk") == "a shortcut");
  CHECK(danger_of("ps1") == "a script");
  CHECK(danger_of("msi") == "an installer");
  CHECK(danger_of("library-ms") == "loads from elsewhere");
  CHECK(danger_of("pdf") == "");
  CHECK(danger_of("") == "");
  CHECK(danger_of("zzzz") == "");
}

TEST_CASE("all names that a mail program may show are seen") {
  struct Case { const char* what; std::string fields; Names names; };
  const Case cases[] = {
      {"both fields", "Content-Type: application/pdf; name=\"a.pdf\"\r\nContent-Disposition: attachment; filename=\"b.exe\"", {"a.pdf", "b.exe"}},
      {"the same in both", "Content-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment; filename=a.pdf", {"a.pdf"}},
      {"continuations", "Content-Disposition: attachment; filename*0=\"inv\"; filename*1=\"oice.exe\"", {"invoice.exe"}},
      {"continuations out of order", "Content-Disposition: attachment; filename*1=\"oice.exe\"; filename*0=\"inv\"", {"invoice.exe"}},
      {"continuation with percent", "Content-Disposition: attachment; filename*0*=utf-8''inv%6F; filename*1*=ice%2Eexe", {"invoice.exe"}},
      {"mixed continuation", "Content-Disposition: attachment; filename*0*=utf-8''%69; filename*1=\"nvoice.exe\"", {"invoice.exe"}},
      {"charset", "Content-Disposition: attachment; filename*=iso-8859-1''caf%E9.pdf", {"caf\xc3\xa9.pdf"}},
      {"extended beside plain", "Content-Disposition: attachment; filename=\"a.txt\"; filename*=utf-8''b.exe", {"a.txt", "b.exe"}},
      {"encoded word in quotes", "Content-Disposition: attachment; filename=\"=?utf-8?B?aW52b2ljZS5leGU=?=\"", {"invoice.exe"}},
      {"encoded word in name", "Content-Type: application/pdf; name=\"=?utf-8?Q?a=2Eexe?=\"", {"a.exe"}},
      {"encoded words on two lines", "Content-Type: application/pdf;\r\n name=\"=?utf-8?B?aW52b2k=?=\r\n =?utf-8?B?Y2UuZXhl?=\"", {"invoice.exe"}},
      {"a parameter twice", "Content-Disposition: attachment; filename=\"a.pdf\"; filename=\"b.exe\"", {"a.pdf", "b.exe"}},
      {"a field twice", "Content-Disposition: attachment; filename=\"a.pdf\"\r\nContent-Disposition: attachment; filename=\"b.exe\"", {"a.pdf", "b.exe"}},
      {"the type twice", "Content-Type: text/plain; name=a.txt\r\nContent-Type: text/plain; name=b.exe", {"a.txt", "b.exe"}},
      {"the other's word", "Content-Type: text/plain; filename=a.exe\r\nContent-Disposition: attachment; name=b.exe", {"a.exe", "b.exe"}},
      {"percent in a plain value", "Content-Disposition: attachment; filename=\"a%2Eexe\"", {"a%2Eexe", "a.exe"}},
      {"encoded twice", "Content-Disposition: attachment; filename*=utf-8''%3D%3Futf-8%3FB%3FYS5leGU%3D%3F%3D", {"=?utf-8?B?YS5leGU=?=", "a.exe"}},
      {"a semicolon in quotes", "Content-Disposition: attachment; filename=\"a;name=b.exe\"", {"a;name=b.exe"}},
      {"no quotes and a blank", "Content-Disposition: attachment; filename=a b.exe", {"a b.exe"}},
      {"8-bit octets", "Content-Disposition: attachment; filename=\"caf\xe9.pdf\"", {"caf\xc3\xa9.pdf"}},
      {"without the word before it", "Content-Disposition: filename=a.exe", {"a.exe"}},
      {"none", "Content-Type: application/pdf", {}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    CHECK(names_of(c.fields) == c.names);
  }
}

TEST_CASE("the name in a uuencoded body is seen") {
  CHECK(names_of("Content-Type: application/octet-stream; name=a.txt\r\nContent-Transfer-Encoding: x-uuencode", "text\r\nbegin 644 evil thing.exe\r\n#0V%T\r\n`\r\nend\r\n") ==
        Names{"a.txt", "evil thing.exe"});
}

TEST_CASE("names are bounded in number and length") {
  std::string fields = "Content-Disposition: attachment";
  for (int i = 0; i < 1000; ++i) fields += ";\r\n filename=\"a" + std::to_string(i) + ".exe\"";
  CHECK(names_of(fields).size() == kMaxNames);
  auto long_name = names_of("Content-Disposition: attachment; filename=\"" + std::string(100'000, 'a') + ".exe\"");
  REQUIRE(long_name.size() == 1);
  CHECK(long_name[0].size() <= kMaxNameLength);
}

TEST_CASE("details are valid UTF-8, short and without control characters") {
  Signs signs;
  signs.add(Sign::bidi_name, std::string(1000, '\xe9') + "\n");
  CHECK(signs.detail(Sign::bidi_name).size() <= 3 * 200);
  CHECK(signs.detail(Sign::bidi_name).find('\n') == std::string_view::npos);
  signs.add(Sign::bidi_name, "second");
  CHECK(signs.list().size() == 1);
  CHECK(signs.detail(Sign::macro) == "");
}

TEST_CASE("every sign has a word and a reason of its own") {
  std::vector<std::string_view> seen;
  for (std::size_t i = 0; i < kSigns; ++i) {
    auto sign = static_cast<Sign>(i);
    CHECK_FALSE(name(sign).empty());
    CHECK_FALSE(reason(sign).empty());
    CHECK(std::find(seen.begin(), seen.end(), name(sign)) == seen.end());
    seen.push_back(name(sign));
  }
  CHECK(name(Sign::query_file) == "query_file");
  CHECK(name(Sign::pdf_hidden_objects) == "pdf_hidden_objects");
  CHECK(name(Sign::rtf_object) == "rtf_object");
}
