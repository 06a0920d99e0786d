// Texts have no magic numbers; what opens them looks at how they begin, and so do we.
#include "filters/file_type_text.h"

#include <algorithm>
#include <array>
#include <string>

#include "gateway/base/text.h"

namespace postern::filters {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kLook = 4096;

// The first characters in lower case; of UTF-16 the low octets.
std::string beginning(std::string_view octets) {
  if (octets.starts_with("\xff\xfe"sv) || octets.starts_with("\xfe\xff"sv)) {
    std::string out;
    std::size_t low = octets.starts_with("\xff\xfe"sv) ? 0 : 1;
    for (std::size_t at = 2 + low; at < octets.size() && out.size() < kLook; at += 2) out += ascii_lower(octets[at]);
    return out;
  }
  if (octets.starts_with("\xef\xbb\xbf"sv)) octets.remove_prefix(3);
  return ascii_lowered(octets.substr(0, kLook));
}

bool contains(std::string_view text, std::string_view word) { return text.find(word) != std::string_view::npos; }

std::string_view skip_blank(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n\f\v\0"sv), text.size()));
  return text;
}

FileKind markup_kind(std::string_view text) {
  // Declarations, processing instructions and comments before the first element.
  bool xml = text.starts_with("<?xml");
  for (int step = 0; step < 32 && text.starts_with('<'); ++step) {
    std::size_t end = std::string_view::npos;
    if (text.starts_with("<!doctype html")) return FileKind::html;
    if (text.starts_with("<!doctype svg")) return FileKind::svg;
    if (text.starts_with("<!--")) {
      end = text.find("-->");
      if (end != std::string_view::npos) end += 2;
    } else if (text.starts_with("<?") || text.starts_with("<!")) {
      end = text.find('>');
    } else {
      break;
    }
    if (end == std::string_view::npos) return xml ? FileKind::xml : FileKind::unknown;
    text = skip_blank(text.substr(end + 1));
  }
  auto element = [text](std::string_view wanted) {
    return text.starts_with(wanted) && (text.size() == wanted.size() || !(is_alpha(text[wanted.size()]) || is_digit(text[wanted.size()])));
  };
  if (element("<svg")) return FileKind::svg;
  if (element("<hta:application") || (contains(text, "<hta:application") && !xml)) return FileKind::hta;
  for (auto tag : {"<html"sv, "<head"sv, "<body"sv, "<script"sv, "<meta"sv, "<title"sv, "<style"sv, "<table"sv, "<div"sv, "<form"sv, "<iframe"sv, "<p"sv,
                   "<a"sv, "<img"sv, "<center"sv, "<font"sv, "<br"sv, "<h1"sv, "<base"sv, "<link"sv, "<span"sv}) {
    if (element(tag)) return contains(text, "<hta:") ? FileKind::hta : FileKind::html;
  }
  if (element("<job") || element("<package") || element("<scriptlet") || element("<component")) {
    return contains(text, "<script") || contains(text, "<registration") ? FileKind::windows_script : FileKind::xml;
  }
  if (element("<librarydescription") || element("<searchconnectordescription") || element("<pcsettings")) return FileKind::library_file;
  if (element("<w:worddocument") || contains(text, "mso-application progid=\"word")) return FileKind::word_xml;
  return xml ? FileKind::xml : FileKind::unknown;
}

FileKind mail_kind(std::string_view text) {
  if (text.starts_with("from ") && contains(text.substr(0, 2000), "\nreceived:")) return FileKind::mbox;
  for (auto field : {"received:"sv, "return-path:"sv, "delivered-to:"sv, "message-id:"sv, "mime-version:"sv, "from:"sv, "subject:"sv, "date:"sv, "to:"sv}) {
    if (!text.starts_with(field)) continue;
    bool saved_page = contains(text, "multipart/related") && contains(text, "snapshot-content-location") ;
    if (saved_page || (field == "mime-version:" && contains(text, "multipart/related"))) return FileKind::mht;
    int others = 0;
    for (auto other : {"\nfrom:"sv, "\nto:"sv, "\nsubject:"sv, "\ndate:"sv, "\nmessage-id:"sv, "\nmime-version:"sv, "\nreceived:"sv}) others += contains(text, other) ? 1 : 0;
    return others >= 2 ? FileKind::mail : FileKind::unknown;
  }
  return FileKind::unknown;
}

// Windows decides by the extension; inside a OneNote section or an OLE package there may be none that we know.
FileKind script_kind(std::string_view text) {
  if (text.starts_with("@echo off") || text.starts_with("@echo\toff") || text.starts_with("@setlocal") || text.starts_with("setlocal enable")) return FileKind::batch;
  int points = 0;
  for (auto word : {"wscript."sv, "createobject("sv, "activexobject("sv, "on error resume next"sv, "option explicit"sv, "executeglobal"sv, "\ndim "sv,
                    "eval("sv, "scripting.filesystemobject"sv, "var "sv, "function "sv, "invoke-expression"sv, "new-object "sv, "[system."sv,
                    "powershell"sv, "-encodedcommand"sv, "iex "sv, "param("sv, "frombase64string"sv}) {
    points += contains(text, word) ? 1 : 0;
  }
  bool strong = contains(text, "wscript.") || contains(text, "createobject(") || contains(text, "activexobject(") || contains(text, "powershell") ||
                contains(text, "new-object ") || contains(text, "invoke-expression");
  return strong && points >= 2 ? FileKind::windows_script : FileKind::unknown;
}

}  // namespace

FileKind text_kind(std::string_view octets) {
  std::string_view head = octets.substr(0, 1024);
  if (head.find("%PDF-") != std::string_view::npos) return FileKind::pdf;
  std::string lowered = beginning(octets);
  std::string_view text = skip_blank(lowered);
  if (text.starts_with("{\\rt")) return FileKind::rtf;   // Word does not ask for the "f"
  if (text.starts_with("#!")) return FileKind::script;
  if (text.starts_with('<')) {
    if (FileKind kind = markup_kind(text); kind != FileKind::unknown) return kind;
  }
  if (text.starts_with("begin:vcalendar")) return FileKind::calendar;
  if (text.starts_with("begin:vcard")) return FileKind::vcard;
  if (text.starts_with("-----begin pgp")) return FileKind::pgp;
  if (text.starts_with("-----begin pkcs7") || text.starts_with("-----begin certificate")) return FileKind::pkcs7;
  if (text.starts_with("[internetshortcut") || contains(text.substr(0, 512), "\n[internetshortcut]")) return FileKind::url_file;
  if (text.starts_with("[desktop entry]")) return FileKind::desktop_entry;
  if (text.starts_with("windows registry editor") || text.starts_with("regedit4")) return FileKind::registry;
  if (text.starts_with("id;p")) return FileKind::sylk;
  if (text.starts_with("web\n1") || text.starts_with("web\r\n1")) return FileKind::query;
  if (!is_plain_text(octets)) return FileKind::unknown;
  if (FileKind kind = mail_kind(text); kind != FileKind::unknown) return kind;
  if (FileKind kind = script_kind(text); kind != FileKind::unknown) return kind;
  // A page whose first tag does not stand at its beginning.
  if (contains(text, "<html") && contains(text, "<body")) return FileKind::html;
  return FileKind::unknown;
}

bool is_plain_text(std::string_view octets) {
  if (octets.starts_with("\xff\xfe"sv) || octets.starts_with("\xfe\xff"sv)) return true;
  octets = octets.substr(0, kLook);
  std::size_t odd = 0;
  for (char c : octets) {
    if (c == 0) return false;
    auto u = static_cast<unsigned char>(c);
    if (u < 0x20 && c != '\t' && c != '\r' && c != '\n' && c != '\f' && c != 0x1b) ++odd;
  }
  return odd * 50 <= octets.size();
}

}  // namespace postern::filters
