// Kinds by magic, by name and by declared type.
#include "filters/file_type.h"

#include "tests/support/catch.h"
#include "tests/unit/filters/attachment_support.h"

using namespace postern;
using namespace postern::filters;
using namespace std::string_literals;
using testing::le;
using testing::zip;

TEST_CASE("files are told by their octets") {
  struct Case { std::string octets; FileKind kind; };
  const Case cases[] = {
      {"", FileKind::empty},
      {"hello, world\r\n", FileKind::text},
      {testing::program(), FileKind::windows_program},
      {"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0\xb8\0\0\0\0\0\0\0\x40\0\0\0"s + std::string(40, '\0'), FileKind::dos_program},
      {"MZ is how some prose begins, and it is no program at all.", FileKind::text},
      {"\x7f" "ELF\2\1\1"s, FileKind::elf},
      {"\xcf\xfa\xed\xfe\7\0\0\1"s, FileKind::mach_o},
      {"\xca\xfe\xba\xbe\0\0\0\x34"s, FileKind::java_class},
      {"\xca\xfe\xba\xbe\0\0\0\2"s, FileKind::mach_o},
      {"\xca\xfe\xba\xbe\0\3\0\x2d"s, FileKind::java_class},
      {"#!/bin/sh\nrm -rf /\n", FileKind::script},
      {"@echo off\r\nstart x.exe\r\n", FileKind::batch},
      {"Set o = CreateObject(\"WScript.Shell\")\r\no.Run \"calc\"\r\n", FileKind::windows_script},
      {"\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46"s + std::string(60, '\0'), FileKind::shell_link},
      {zip({{"a.txt", "x"}}), FileKind::zip},
      {zip({{"[Content_Types].xml", "<Types/>"}}), FileKind::ooxml},
      {zip({{"mimetype", "application/vnd.oasis.opendocument.text", true}}), FileKind::odf},
      {zip({{"META-INF/MANIFEST.MF", "x"}}), FileKind::jar},
      {zip({}), FileKind::zip},
      {"7z\xbc\xaf\x27\x1c\0\4"s, FileKind::sevenzip},
      {"Rar!\x1a\7\0"s, FileKind::rar},
      {"Rar!\x1a\7\1\0"s, FileKind::rar},
      {testing::tar({{"a", "b"}}), FileKind::tar},
      {testing::deflated("x", 31), FileKind::gzip},
      {"BZh91AY&SY\1\2\3"s, FileKind::bzip2},
      {"\xfd" "7zXZ\0\0"s, FileKind::xz},
      {"MSCF\0\0\0\0abc"s, FileKind::cab},
      {"\x60\xea\x2b\0\x22\x0b\x01\x0b\x10\0\2"s, FileKind::arj},
      {"1234567**ACE**x", FileKind::ace},
      {std::string(0x8001, '\0') + "CD001\1", FileKind::iso},
      {std::string(0x8001, '\0') + "BEA01\1", FileKind::udf},
      {"vhdxfile" + std::string(100, '\0'), FileKind::vhdx},
      {std::string(1536, '\0') + "conectix" + std::string(504, '\0'), FileKind::vhd},
      {"\1" + std::string(1535, '\0') + "koly" + std::string(508, '\0'), FileKind::dmg},
      {"\xeb\x3c\x90MSDOS5.0" + std::string(43, '\0') + "FAT12   " + std::string(448, '\0') + "\x55\xaa" + std::string(512, '\0'), FileKind::fat_image},
      {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileKind::ole},
      {"{\\rtf1\\ansi x}", FileKind::rtf},
      {"{\\rt x}", FileKind::rtf},
      {"%PDF-1.7\n", FileKind::pdf},
      {"rubbish first\n%PDF-1.4\n", FileKind::pdf},
      {"\x78\x9f\x3e\x22\0\0"s, FileKind::tnef},
      {"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3"s, FileKind::onenote},
      {"<!-- saved -->\n<!DOCTYPE html><html>", FileKind::html},
      {"\xef\xbb\xbf\r\n  <HTML><body>", FileKind::html},
      {"\xff\xfe<\0h\0t\0m\0l\0>\0"s, FileKind::html},
      {"<script>alert(1)</script>", FileKind::html},
      {"<html><HTA:APPLICATION id=x></html>", FileKind::hta},
      {"<?xml version=\"1.0\"?><!DOCTYPE svg><svg xmlns=\"x\">", FileKind::svg},
      {"<svg>", FileKind::svg},
      {"<?xml version=\"1.0\"?><data/>", FileKind::xml},
      {"<job><script language=\"VBScript\">x</script></job>", FileKind::windows_script},
      {"<?xml version=\"1.0\"?><libraryDescription xmlns=\"x\">", FileKind::library_file},
      {"[InternetShortcut]\r\nURL=http://x.example/\r\n", FileKind::url_file},
      {"BEGIN:VCALENDAR\r\n", FileKind::calendar},
      {"BEGIN:VCARD\r\n", FileKind::vcard},
      {"From: a@b.example\r\nTo: c@d.example\r\nSubject: x\r\n\r\nhello", FileKind::mail},
      {"To: do list of today\nbuy bread\n", FileKind::text},
      {"ID;PWXL;N;E\n", FileKind::sylk},
      {"\x89PNG\r\n\x1a\n\0"s, FileKind::png},
      {"\xff\xd8\xff\xe0"s, FileKind::jpeg},
      {"GIF89a;"s, FileKind::gif},
      {"RIFF\1\2\3\4WEBPVP8 ", FileKind::webp},
      {"ID3\3\0"s, FileKind::audio},
      {"\0\0\0\x20" "ftypisom"s, FileKind::video},
      {"\1\2\3\4\5\6\0\1\2"s, FileKind::unknown},
  };
  for (const Case& c : cases) {
    CAPTURE(c.octets.substr(0, 60), c.octets.size());
    CHECK(name(file_kind(c.octets)) == name(c.kind));
  }
}

TEST_CASE("every kind has a word of its own") {
  std::vector<std::string_view> words;
  for (std::size_t i = 0; i < static_cast<std::size_t>(FileKind::count_of_kinds); ++i) {
    auto word = name(static_cast<FileKind>(i));
    CHECK_FALSE(word.empty());
    CHECK_FALSE(described(static_cast<FileKind>(i)).empty());
    CHECK(std::find(words.begin(), words.end(), word) == words.end());
    words.push_back(word);
  }
  CHECK(name(FileKind::pdf) == "pdf");
  CHECK(name(FileKind::desktop_entry) == "desktop_entry");
  CHECK(name(FileKind::hwp) == "hwp");
  CHECK(name(FileKind::png) == "png");
}

TEST_CASE("classes hold what they should") {
  CHECK(class_of(FileKind::webassembly) == FileClass::program);
  CHECK(class_of(FileKind::zip) == FileClass::archive);
  CHECK(class_of(FileKind::wim) == FileClass::archive);
  CHECK(class_of(FileKind::fat_image) == FileClass::disk_image);
  CHECK(class_of(FileKind::rtf) == FileClass::document);
  CHECK(class_of(FileKind::svg) == FileClass::page);
  CHECK(class_of(FileKind::metafile) == FileClass::image);
  CHECK(class_of(FileKind::calendar) == FileClass::mail);
  CHECK(runs(FileKind::shell_link));
  CHECK(runs(FileKind::jar));
  CHECK_FALSE(runs(FileKind::zip));
  CHECK_FALSE(runs(FileKind::pdf));
}

TEST_CASE("names and types promise what they say") {
  CHECK(kind_of_extension("PDF") == FileKind::pdf);
  CHECK(kind_of_extension("docx") == FileKind::word_xml);
  CHECK(kind_of_extension("dat") == FileKind::unknown);
  CHECK(kind_of_extension("") == FileKind::unknown);
  CHECK(kind_of_extension(std::string(100'000, 'a')) == FileKind::unknown);
  CHECK(kind_of_media_type("application/pdf") == FileKind::pdf);
  CHECK(kind_of_media_type("application/octet-stream") == FileKind::unknown);
  CHECK(kind_of_media_type("image/svg+xml") == FileKind::svg);
}

TEST_CASE("what Office opens under a name is no mismatch, a program is") {
  CHECK(agrees(FileKind::word, FileKind::rtf));
  CHECK(agrees(FileKind::word, FileKind::ole));
  CHECK(agrees(FileKind::word_xml, FileKind::ooxml));
  CHECK(agrees(FileKind::word_xml, FileKind::ole));
  CHECK(agrees(FileKind::excel, FileKind::html));
  CHECK(agrees(FileKind::png, FileKind::jpeg));
  CHECK(agrees(FileKind::zip, FileKind::word_xml));
  CHECK(agrees(FileKind::text, FileKind::html));
  CHECK(agrees(FileKind::unknown, FileKind::elf));
  CHECK(agrees(FileKind::pdf, FileKind::empty));
  CHECK_FALSE(agrees(FileKind::pdf, FileKind::windows_program));
  CHECK_FALSE(agrees(FileKind::word, FileKind::windows_program));
  CHECK_FALSE(agrees(FileKind::pdf, FileKind::html));
  CHECK_FALSE(agrees(FileKind::text, FileKind::windows_program));
  CHECK_FALSE(agrees(FileKind::jpeg, FileKind::zip));
  CHECK_FALSE(agrees(FileKind::pdf, FileKind::zip));
  CHECK_FALSE(agrees(FileKind::png, FileKind::windows_script));
}

TEST_CASE("any beginning of any file has a kind") {
  for (const auto& octets : {testing::program(), zip({{"mimetype", "application/epub+zip", true}}), std::string("<!--" + testing::repeated("<!x>", 5000)),
                             "BEGIN:VCALENDAR\r\n" + std::string(100, 'x')}) {
    testing::at_each_length(octets, 500, [](std::string_view cut) { CHECK_FALSE(name(file_kind(cut)).empty()); });
  }
}
