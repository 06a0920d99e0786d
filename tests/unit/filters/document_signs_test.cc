// Office documents, old and new, RTF: what is in them.
#include "filters/office_zip.h"
#include "filters/ole_signs.h"
#include "filters/rtf_signs.h"

#include <algorithm>

#include "filters/dde_field.h"
#include "tests/support/catch.h"
#include "tests/support/thread_time.h"
#include "tests/unit/filters/attachment_support.h"

using namespace postern;
using namespace postern::filters;
using testing::le;
using testing::zip;

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

Found in_ole(const testing::OleBuilder& ole) { return found_by(ole_signs, ole.build()); }
Found in_zip(const std::vector<testing::ZipFile>& files) { return found_by(office_zip_signs, zip(files)); }
Found in_rtf(std::string_view octets) { return found_by(rtf_signs, octets); }

std::string biff(std::uint16_t type, const std::string& content) { return le(type, 2) + le(content.size(), 2) + content; }
std::string sheet(int state, int type, const std::string& name) {
  return biff(0x85, le(0, 4) + le(static_cast<std::uint64_t>(state), 1) + le(static_cast<std::uint64_t>(type), 1) + le(name.size(), 1) + le(0, 1) + name);
}

const testing::ZipFile kTypes{"[Content_Types].xml", "<Types/>"};
testing::ZipFile relationships(const std::string& inside) { return {"word/_rels/document.xml.rels", "<Relationships>" + inside + "</Relationships>"}; }

std::string group(const std::string& object) { return "{\\rtf1\\ansi {\\object\\objemb{\\*\\objdata " + testing::hex_of(object) + "}}}"; }

}  // namespace

TEST_CASE("a Word document with macros is told, one without is clean") {
  testing::OleBuilder ole;
  ole.add("WordDocument", testing::word_document());
  auto clean = in_ole(ole);
  CHECK(clean.signs.kind == FileKind::word);
  CHECK(clean.signs.signs.empty());
  CHECK(clean.signs.problem == "");
  testing::add_vba(ole, "Macros/", testing::kMacro);
  auto found = in_ole(ole);
  CHECK(found.has(Sign::macro));
  CHECK(found.detail(Sign::auto_macro) == "AutoOpen");
  CHECK(found.links == std::vector<std::string>{"http://evil.example/x.ps1"});
}

TEST_CASE("documents with a password are told, and that nothing was read") {
  testing::OleBuilder package;
  package.add("EncryptionInfo", "x");
  package.add("EncryptedPackage", std::string(5000, 'x'));
  CHECK(in_ole(package).has(Sign::encrypted_document));
  CHECK(in_ole(package).signs.problem == "the document has a password");
  testing::OleBuilder word;
  word.add("WordDocument", testing::word_document("", 0x0100));
  CHECK(in_ole(word).has(Sign::encrypted_document));
  testing::OleBuilder excel;
  excel.add("Workbook", biff(0x809, "x") + biff(0x2f, "key") + std::string(5000, '\0'));
  CHECK(in_ole(excel).has(Sign::encrypted_document));
  testing::OleBuilder slides;
  slides.add("PowerPoint Document", std::string(16, '\0'));
  slides.add("Current User", le(20, 4) + le(0, 4) + le(0, 4) + le(0xf3d1c4df, 4));
  CHECK(in_ole(slides).has(Sign::encrypted_document));
}

TEST_CASE("Excel 4 macros, hidden sheets and DDE links of a workbook are told") {
  testing::OleBuilder ole;
  std::string topic = "cmd\x03/c calc";
  std::string name = le(0x20, 2) + std::string("\0\1", 2) + std::string(10, '\0') + std::string("\0\1", 2);
  ole.add("Workbook", biff(0x809, "x") + sheet(0, 0, "Plain") + sheet(2, 1, "Macro1") + biff(0x18, name) + biff(0x1ae, le(1, 2) + le(topic.size(), 2) + le(0, 1) + topic));
  auto found = in_ole(ole);
  CHECK(found.signs.kind == FileKind::excel);
  CHECK(found.detail(Sign::excel4_macro) == "Macro1");
  CHECK(found.detail(Sign::hidden_sheet) == "Macro1");
  CHECK(found.has(Sign::auto_macro));
  CHECK(found.has(Sign::dde));
  testing::OleBuilder plain;
  plain.add("Workbook", biff(0x809, "x") + sheet(1, 0, "Hidden by the menu"));
  CHECK(in_ole(plain).signs.signs.empty());
}

TEST_CASE("fields of Word that start programs are told in both widths") {
  testing::OleBuilder narrow, wide, prose;
  narrow.add("WordDocument", testing::word_document("\x13 DDEAUTO c:\\\\windows\\\\cmd.exe \"/k calc\" \x15"));
  wide.add("WordDocument", testing::word_document(std::string("\x13\0", 2) + testing::utf16(" DDE cmd ") + std::string("\x15\0", 2)));
  prose.add("WordDocument", testing::word_document("\x13 HYPERLINK \"http://a.example/\" \x15 DDEAUTO is a word"));
  CHECK(in_ole(narrow).has(Sign::dde));
  CHECK(in_ole(wide).has(Sign::dde));
  CHECK_FALSE(in_ole(prose).has(Sign::dde));
  CHECK(in_ole(prose).links == std::vector<std::string>{"http://a.example/"});
}

TEST_CASE("embedded packages are named and given on") {
  testing::OleBuilder ole;
  ole.add("WordDocument", testing::word_document());
  ole.add("ObjectPool/_1/\x01Ole10Native", testing::ole_package_of("invoice.exe", testing::program()));
  auto found = in_ole(ole);
  CHECK(found.detail(Sign::embedded_program) == "invoice.exe");
  CHECK(found.has(Sign::embedded_object));
  REQUIRE(found.inner.size() == 1);
  CHECK(found.inner[0].first == "invoice.exe");
  CHECK(found.inner[0].second == testing::program());
}

TEST_CASE("an installer, an Outlook message and a presentation's macros are known") {
  testing::OleBuilder msi;
  msi.root_clsid = std::string("\x84\x10\x0c\0\0\0\0\0\xc0\0\0\0\0\0\0\x46", 16);
  msi.add("x", "y");
  CHECK(in_ole(msi).signs.kind == FileKind::msi);
  CHECK(in_ole(msi).has(Sign::installer));

  testing::OleBuilder message;
  message.add("__properties_version1.0", std::string(32, '\0'));
  message.add("__attach_version1.0_#00000000/__substg1.0_37010102", testing::program());
  message.add("__attach_version1.0_#00000000/__substg1.0_3707001F", testing::utf16("setup.exe"));
  auto found = in_ole(message);
  CHECK(found.signs.kind == FileKind::outlook_message);
  REQUIRE(found.inner.size() == 1);
  CHECK(found.inner[0].first == "setup.exe");

  testing::OleBuilder project, slides;
  testing::add_vba(project, "", testing::kMacro);
  std::string vba = project.build();
  std::string atom = le(vba.size(), 4) + testing::deflated(vba, 15);
  slides.add("PowerPoint Document", le(0xf, 2) + le(1000, 2) + le(atom.size() + 8, 4) + le(0x10, 2) + le(0x1011, 2) + le(atom.size(), 4) + atom);
  CHECK(in_ole(slides).has(Sign::auto_macro));
}

TEST_CASE("parts of an Office document are known by their names") {
  testing::OleBuilder project;
  testing::add_vba(project, "", testing::kMacro);
  auto found = in_zip({kTypes, {"word/document.xml", "<w:document/>"}, {"word/vbaProject.bin", project.build()}, {"word/activeX/activeX1.xml", "<x/>"}, {"word/embeddings/oleObject1.bin", "OLE"}});
  CHECK(found.signs.kind == FileKind::word_xml);
  CHECK(found.has(Sign::auto_macro));
  CHECK(found.has(Sign::activex));
  CHECK(found.detail(Sign::embedded_object) == "word/embeddings/oleObject1.bin");
  REQUIRE(found.inner.size() == 1);
  CHECK(found.inner[0].second == "OLE");
  auto excel = in_zip({kTypes, {"xl/workbook.xml", "<workbook><sheets><sheet name=\"s\" state=\"veryHidden\"/></sheets><definedNames><definedName name=\"_xlnm.Auto_Open\">x</definedName></definedNames></workbook>"},
                       {"xl/macrosheets/sheet1.xml", "<x/>"}});
  CHECK(excel.signs.kind == FileKind::excel_xml);
  CHECK(excel.has(Sign::excel4_macro));
  CHECK(excel.has(Sign::hidden_sheet));
  CHECK(excel.has(Sign::auto_macro));
  auto clean = in_zip({kTypes, {"word/document.xml", "<w:document><w:t>DDEAUTO</w:t></w:document>"}, {"docProps/app.xml", "<x/>"}});
  CHECK(clean.signs.signs.empty());
  CHECK(clean.signs.problem == "");
}

TEST_CASE("relationships that lead outside are told from links that a reader clicks") {
  auto hyperlink = in_zip({kTypes, relationships("<Relationship Id=\"r1\" Type=\"http://x/hyperlink\" Target=\"https://a.example/?a=1&amp;b=2\" TargetMode=\"External\"/>")});
  CHECK(hyperlink.signs.signs.empty());
  CHECK(hyperlink.links == std::vector<std::string>{"https://a.example/?a=1&b=2"});
  auto outside = in_zip({kTypes, relationships("<Relationship Type='http://x/attachedTemplate'\n Target='http://evil.example/t.dotm' TargetMode='External'/>")});
  CHECK(outside.detail(Sign::external_template) == "http://evil.example/t.dotm");
  auto share = in_zip({kTypes, relationships("<r:Relationship Type=\"x/oleObject\" TargetMode=\"External\" Target=\"file://evil.example/x.rtf\"/>")});
  CHECK(share.has(Sign::external_object));
  CHECK(share.has(Sign::remote_target));
  auto inside = in_zip({kTypes, relationships("<Relationship Type=\"x/image\" Target=\"media/image1.png\"/>")});
  CHECK(inside.signs.signs.empty());
  CHECK(inside.links.empty());
}

TEST_CASE("fields of an Office document are joined over their runs") {
  auto split = in_zip({kTypes, {"word/document.xml",
                                "<w:r><w:fldChar w:fldCharType=\"begin\"/></w:r><w:instrText xml:space=\"preserve\"> DDE</w:instrText><w:r/><w:instrText>AUTO c:\\cmd</w:instrText>"
                                "<w:fldChar w:fldCharType=\"end\"/>"}});
  CHECK(split.has(Sign::dde));
  CHECK(in_zip({kTypes, {"word/document.xml", "<w:fldSimple w:instr=\"DDEAUTO cmd\">"}}).has(Sign::dde));
  CHECK_FALSE(in_zip({kTypes, {"word/document.xml", "<w:instrText>PAGE</w:instrText><w:t>DDE</w:t>"}}).has(Sign::dde));
  CHECK(in_zip({kTypes, {"xl/externalLinks/externalLink1.xml", "<externalLink><ddeLink ddeService=\"cmd\" ddeTopic=\"/c calc\"/></externalLink>"}}).detail(Sign::dde) == "cmd /c calc");
  std::string wide = "\xff\xfe" + testing::utf16("<w:fldSimple w:instr=\"DDEAUTO cmd\">");
  CHECK(in_zip({kTypes, {"word/document.xml", wide}}).has(Sign::dde));
}

TEST_CASE("OpenDocument macros, events and passwords are told") {
  testing::ZipFile mimetype{"mimetype", "application/vnd.oasis.opendocument.text", true};
  auto macro = in_zip({mimetype, {"Basic/Standard/Module1.xml", "Sub Main\nShell(\"calc\")\nEnd Sub"},
                       {"content.xml", "<script:event-listener script:event-name=\"dom:load\" xlink:href=\"vnd.sun.star.script:x\"/>"}});
  CHECK(macro.signs.kind == FileKind::odf);
  CHECK(macro.has(Sign::macro));
  CHECK(macro.has(Sign::auto_macro));
  CHECK(macro.has(Sign::suspicious_macro));
  CHECK(in_zip({mimetype, {"META-INF/manifest.xml", "<manifest:encryption-data x=\"\"/>"}}).has(Sign::encrypted_document));
}

TEST_CASE("what an Office document unpacks to is bounded, and the bound is said") {
  auto found = in_zip({kTypes, {"word/document.xml", std::string(kMaxOfficePart + 1, ' ')}});
  CHECK(found.signs.problem != "");
  CHECK(found.has(Sign::archive_bomb));
}

TEST_CASE("RTF objects are decoded and given on") {
  auto found = in_rtf(group(testing::rtf_object_data("Package", testing::ole_package_of("a.exe", testing::program(), false))));
  CHECK(found.has(Sign::rtf_object));
  CHECK(found.detail(Sign::embedded_program) == "a.exe");
  REQUIRE(found.inner.size() == 1);
  CHECK(found.inner[0].second == testing::program());
  CHECK_FALSE(found.has(Sign::rtf_obfuscated));
  CHECK(in_rtf(group(testing::rtf_object_data("Equation.3", "x"))).has(Sign::equation_editor));
  auto clean = in_rtf("{\\rtf1\\ansi{\\fonttbl\\f0 Arial;}Hello \\b world\\b0 .}");
  CHECK(clean.signs.signs.empty());
  CHECK(clean.inner.empty());
}

TEST_CASE("what RTF does to mislead scanners is forgiven and told") {
  std::string data = testing::hex_of(testing::rtf_object_data("Package", testing::ole_package_of("a.exe", testing::program(), false)));
  std::string blanks, groups, words, rubbish;
  for (std::size_t i = 0; i < data.size(); ++i) {
    blanks += std::string(1, data[i]) + "\r\n\t ";
    groups += data[i];
    words += data[i];
    rubbish += data[i];
    if (i % 32 == 31) groups += "{}";
    if (i % 32 == 31) words += "{\\foo }";
    if (i % 16 == 15) rubbish += "~";
  }
  for (const auto& hidden : {blanks, groups, words, rubbish}) {
    auto found = in_rtf("{\\rtf1{\\object{\\*\\objdata " + hidden + "}}}");
    CHECK(found.detail(Sign::embedded_program) == "a.exe");
    if (hidden != blanks) CHECK(found.has(Sign::rtf_obfuscated));
  }
  CHECK(in_rtf("{\\rt{\\object}}").has(Sign::rtf_obfuscated));
  std::string raw = testing::rtf_object_data("Package", testing::ole_package_of("a.exe", testing::program(), false));
  auto binary = in_rtf("{\\rtf1{\\object{\\*\\objdata\\bin" + std::to_string(raw.size()) + " " + raw + "}}}");
  CHECK(binary.detail(Sign::embedded_program) == "a.exe");
  CHECK(binary.has(Sign::rtf_obfuscated));
}

TEST_CASE("RTF that loads from elsewhere is told") {
  CHECK(in_rtf("{\\rtf1{\\object\\objautlink\\objupdate}}").has(Sign::rtf_object_update));
  CHECK(in_rtf("{\\rtf1{\\*\\template http://evil.example/x.dotm}}").detail(Sign::rtf_template) == "http://evil.example/x.dotm");
  CHECK(in_rtf("{\\rtf1{\\*\\template \\'68\\'74\\'74\\'70://evil.example/x}}").has(Sign::rtf_template));
  CHECK_FALSE(in_rtf("{\\rtf1{\\*\\template C:\\\\x\\\\normal.dotm}}").has(Sign::rtf_template));
  CHECK(in_rtf("{\\rtf1{\\field{\\*\\fldinst DDEAUTO cmd}}}").has(Sign::dde));
  auto link = in_rtf("{\\rtf1{\\field{\\*\\fldinst HYPERLINK \"http://a.example/x\"}{\\fldrslt x}}}");
  CHECK(link.links == std::vector<std::string>{"http://a.example/x"});
  CHECK(link.signs.signs.empty());
}

TEST_CASE("RTF objects are bounded in number and size, and the bound is said") {
  std::string many = "{\\rtf1";
  for (std::size_t i = 0; i < kMaxRtfObjects + 10; ++i) many += "{\\object{\\*\\objdata " + testing::hex_of(testing::rtf_object_data("x", "content")) + "}}";
  auto found = in_rtf(many + "}");
  CHECK(found.inner.size() == kMaxRtfObjects);
  CHECK(found.signs.problem == "more objects than are looked at");
  CHECK(in_rtf("{\\rtf1" + std::string(200'000, '{') + "x").signs.problem == "groups deeper than are read");
}

TEST_CASE("documents cut anywhere are read as far as they go") {
  testing::OleBuilder ole, project;
  ole.add("WordDocument", testing::word_document("\x13 DDEAUTO cmd \x15"));
  ole.add("ObjectPool/_1/\x01Ole10Native", testing::ole_package_of("invoice.exe", testing::program()));
  testing::add_vba(ole, "Macros/", testing::kMacro);
  testing::add_vba(project, "", testing::kMacro);
  std::string office = zip({kTypes, {"word/document.xml", std::string(2000, 'x')}, {"word/vbaProject.bin", project.build()}, relationships("<Relationship Target=\"http://x\"/>")});
  std::string rtf = group(testing::rtf_object_data("Package", testing::ole_package_of("a.exe", testing::program(), false)));
  testing::at_each_length(ole.build(), 150, [](std::string_view cut) { CHECK(found_by(ole_signs, cut).inner.size() <= 1); });
  testing::at_each_length(office, 150, [](std::string_view cut) { CHECK(found_by(office_zip_signs, cut).links.size() <= 2); });
  testing::at_each_length(rtf, 300, [](std::string_view cut) { CHECK(in_rtf(cut).inner.size() <= 1); });
}

TEST_CASE("hostile documents cost no more than their length") {
  auto xml = [](std::string_view piece) {
    return [piece](std::size_t count) { return in_zip({kTypes, {"word/_rels/document.xml.rels", testing::repeated(piece, count), true}, {"word/document.xml", testing::repeated(piece, count), true}}).links.size(); };
  };
  for (std::string_view piece : {"<Relationship ", "<Relationship Target=\"", "<w:instrText ", "<w:instrText>", "<w:fldSimple w:instr=", "Relationship", "<sheet state="}) {
    CAPTURE(piece);
    CHECK(testing::grows_with_its_length(xml(piece), 50'000));
  }
  auto rtf = [](std::string_view piece) { return [piece](std::size_t count) { return in_rtf("{\\rtf1" + testing::repeated(piece, count)).inner.size(); }; };
  for (std::string_view piece : {"{\\object{\\*\\objdata 01", "\\objdata 0", "{\\*\\fldinst HYPERLINK \"", "\\bin99999999999 ", "{\\*\\template x}", "\\'", "}", "{\\"}) {
    CAPTURE(piece);
    CHECK(testing::grows_with_its_length(rtf(piece), 50'000));
  }
}

TEST_CASE("formulas that start programs are told from what looks like them") {
  CHECK(formula_in_text("a,b\r\n=cmd|'/c calc'!A0,2\r\n"));
  CHECK(formula_in_text("a;\"=DDE(\"\"cmd\"\";\"\"/c calc\"\")\"\n"));
  CHECK(formula_in_text("x\n@SUM(1+1)*cmd|' /C calc'!A0"));
  CHECK(formula_in_text("+cmd|'/c x'!A1"));
  CHECK_FALSE(formula_in_text("a,b\n1,2\n=SUM(A1:A2)\n"));
  CHECK_FALSE(formula_in_text("name | value!\nx | y\n"));
  CHECK_FALSE(formula_in_text("-- see DDE(1) for that | or not"));
  CHECK_FALSE(formula_in_text(""));
}
