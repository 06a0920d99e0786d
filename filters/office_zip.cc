// The parts of an Office document by their names and by their relationships (ECMA-376 part 2, 9.3).  XML is searched for the
// few tags that matter; a parser would cost more and find no more, since all of them are plain attributes.
#include "filters/office_zip.h"

#include <algorithm>
#include <array>
#include <optional>

#include "filters/attachment_names.h"
#include "filters/dde_field.h"
#include "filters/little_endian.h"
#include "filters/vba.h"
#include "filters/zip_directory.h"
#include "gateway/base/text.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/html.h"

namespace postern::filters {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kMaxTags = 200'000;
constexpr std::size_t kMaxInstruction = 4096;
constexpr std::size_t kMaxTag = 8 * 1024;

// The value of an attribute in a tag, entities decoded.
std::optional<std::string> attribute(std::string_view tag, std::string_view wanted) {
  for (auto at = tag.find(wanted); at != std::string_view::npos; at = tag.find(wanted, at + 1)) {
    bool begins = at > 0 && static_cast<unsigned char>(tag[at - 1]) <= ' ';
    std::string_view rest = tag.substr(at + wanted.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size()));
    if (!begins || !rest.starts_with('=')) continue;
    rest.remove_prefix(1);
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size()));
    if (rest.empty() || (rest.front() != '"' && rest.front() != '\'')) continue;
    auto end = rest.find(rest.front(), 1);
    std::string_view value = rest.substr(1, end == std::string_view::npos ? std::string_view::npos : end - 1).substr(0, kMaxTag);
    return value.find('&') == std::string_view::npos ? mail::valid_utf8(value) : mail::html_to_text(value);
  }
  return std::nullopt;
}

bool is_name(char c) { return is_alpha(c) || is_digit(c) || c == ':' || c == '_' || c == '-' || c == '.'; }

// Calls `found` with each tag of that local name ("Relationship" finds <x:Relationship ...>), without what stands before the
// name.  Tags do not overlap, so all of it costs no more than the length.
template <class Found>
void each_tag(std::string_view xml, std::string_view local_name, Found found) {
  std::size_t seen = 0;
  for (auto at = xml.find(local_name); at != std::string_view::npos && seen < kMaxTags; at = xml.find(local_name, at), ++seen) {
    std::size_t begin = at;
    while (begin > 0 && at - begin < 32 && is_name(xml[begin - 1])) --begin;
    at += local_name.size();
    bool whole = at >= xml.size() || !is_name(xml[at]);
    bool opens = begin > 0 && xml[begin - 1] == '<' && (begin == at - local_name.size() || xml[at - local_name.size() - 1] == ':');
    if (!whole || !opens) continue;
    std::string_view tag = xml.substr(at, kMaxTag);
    tag = tag.substr(0, tag.find('>'));
    found(tag);
    at += tag.size();
  }
}

bool is_remote(std::string_view target) {
  return istarts_with(target, "http:") || istarts_with(target, "https:") || istarts_with(target, "ftp:") || istarts_with(target, "file:") ||
         istarts_with(target, "mhtml:") || istarts_with(target, "smb:") || istarts_with(target, "ms-") || istarts_with(target, "script:") || target.starts_with("\\\\") ||
         target.starts_with("//");
}

class Document {
 public:
  Document(std::string_view octets, FoundLinks& links, const TakeInner& inner) : octets_(octets), links_(links), inner_(inner) {}

  DocumentSigns run() {
    zip_ = zip_directory(octets_);
    out_.kind = office_kind(octets_);
    if (!zip_.confusion.empty()) out_.signs.add(Sign::zip_confusion, zip_.confusion);
    if (!zip_.damage.empty()) {
      out_.signs.add(Sign::document_damaged, zip_.damage);
      complain(zip_.damage);
    }
    if (zip_.truncated) complain("more parts than are read");
    if (zip_.overlapping) {
      out_.signs.add(Sign::archive_bomb, "parts share their octets");
      complain("its parts share their octets and are not looked at");
    }
    if (zip_.overlapping) return std::move(out_);   // a bomb, no document
    for (const auto& entry : zip_.entries) part(entry);
    return std::move(out_);
  }

 private:
  void complain(std::string_view what) {
    if (out_.problem.empty()) out_.problem = what;
  }

  // "" when it cannot be had; why not is said.
  std::string read(const ZipEntry& entry) {
    std::size_t room = std::min(kMaxOfficePart, kMaxOfficeParts - std::min(kMaxOfficeParts, read_));
    if (room == 0) {
      complain("more content than is looked at");
      return {};
    }
    Inflated content = zip_content(octets_, entry, room);
    read_ += content.octets.size() + content.used / 4 + 256;
    if (entry.encrypted()) {
      out_.signs.add(Sign::encrypted_document, entry.name);
      complain("the document has a password");
    } else if (content.state == Inflated::State::damaged) {
      out_.signs.add(Sign::document_damaged, entry.name);
      complain("a part cannot be unpacked: " + entry.name);
    } else if (content.state == Inflated::State::cut) {
      complain("more content than is looked at");
      if (content.octets.size() / 200 > entry.packed) out_.signs.add(Sign::archive_bomb, entry.name);
    }
    std::string& octets = content.octets;
    // Word reads UTF-16 as well.
    if (octets.starts_with("\xff\xfe") || octets.starts_with("\xfe\xff")) return mail::to_utf8(octets, octets[0] == '\xff' ? "utf-16le" : "utf-16be");
    return std::move(octets);
  }

  void part(const ZipEntry& entry) {
    std::string name = ascii_lowered(entry.name);
    for (char& c : name) c = c == '\\' ? '/' : c;
    auto ends = [&name](std::string_view tail) { return name.ends_with(tail); };
    auto holds = [&name](std::string_view word) { return name.find(word) != std::string::npos; };
    if (ends(".rels")) return relationships(read(entry), name);
    if (holds("vbaproject") && ends(".bin")) return macros(read(entry));
    if (holds("/activex/")) out_.signs.add(Sign::activex, entry.name);
    if (holds("macrosheets/") || holds("/dialogsheets/")) out_.signs.add(Sign::excel4_macro, entry.name);
    if (holds("/embeddings/") || (ends(".bin") && (holds("oleobject") || holds("/activex/")))) return embedded(entry);
    if (holds("externallinks/") && ends(".xml")) return external_link(read(entry));
    if (ends("xl/workbook.xml")) return workbook(read(entry));
    if (ends("xl/workbook.bin")) return binary_workbook(read(entry));
    if (holds("word/") && ends(".xml") && (holds("document") || holds("header") || holds("footer") || holds("footnote") || holds("endnote") || holds("comments"))) {
      return fields(read(entry));
    }
    if (holds("customui") && ends(".xml")) return custom_ui(read(entry));
    if (name == "meta-inf/manifest.xml") return manifest(read(entry));
    if (name.starts_with("basic/") || name.starts_with("scripts/")) {
      if (!entry.directory()) open_document_macro(entry, name);
      return;
    }
    if (name == "content.xml" || name == "styles.xml") return open_document(read(entry));
    if (std::string extension = effective_extension(name); !danger_of(extension).empty() && extension != "url") embedded(entry);
  }

  void relationships(std::string_view xml, std::string_view part_name) {
    each_tag(xml, "Relationship", [&](std::string_view tag) {
      auto target = attribute(tag, "Target");
      auto mode = attribute(tag, "TargetMode");
      std::string type = attribute(tag, "Type").value_or("");
      type = ascii_lowered(type.substr(type.rfind('/') + 1));
      if (!target || !((mode && iequals(*mode, "External")) || is_remote(*target))) return;
      if (type == "hyperlink") return links_.add(*target);
      if (!is_remote(*target)) return;
      links_.add(*target);
      if (type == "attachedtemplate") {
        out_.signs.add(Sign::external_template, *target);
      } else if (type != "externallinkpath" && type != "image" && type != "video" && type != "audio" && type != "media") {
        out_.signs.add(Sign::external_object, type + " " + *target);
      }
      bool away = target->starts_with("\\\\") || target->starts_with("//") || istarts_with(*target, "smb:") || istarts_with(*target, "file://");
      if (away) out_.signs.add(Sign::remote_target, *target);
      if (istarts_with(*target, "mhtml:")) out_.signs.add(Sign::external_object, std::string(part_name) + " " + *target);
    });
  }

  void macros(std::string_view octets) {
    auto file = OleFile::open(octets);
    if (!file) {
      out_.signs.add(Sign::macro, "a project that cannot be read");
      return complain("the macros cannot be read");
    }
    VbaProject project = vba_of(*file);
    out_.signs.add(Sign::macro, project.found ? std::to_string(project.sources.size()) + " modules" : "a project without modules");
    add_vba_signs(project, out_.signs);
    for (const auto& source : project.sources) links_.scan(source);
    complain(project.problem.empty() ? file->problem() : project.problem);
  }

  void embedded(const ZipEntry& entry) {
    out_.signs.add(Sign::embedded_object, entry.name);
    inner_({std::string(base_name(entry.name)), read(entry)});
  }

  void external_link(std::string_view xml) {
    each_tag(xml, "ddeLink", [&](std::string_view tag) {
      out_.signs.add(Sign::dde, attribute(tag, "ddeService").value_or("") + " " + attribute(tag, "ddeTopic").value_or(""));
    });
  }

  void workbook(std::string_view xml) {
    each_tag(xml, "sheet", [&](std::string_view tag) {
      if (attribute(tag, "state").value_or("") == "veryHidden") out_.signs.add(Sign::hidden_sheet, attribute(tag, "name").value_or(""));
    });
    each_tag(xml, "definedName", [&](std::string_view tag) {
      std::string defined = ascii_lowered(attribute(tag, "name").value_or(""));
      if (defined.starts_with("_xlnm.auto_") || defined.starts_with("auto_open")) out_.signs.add(Sign::auto_macro, defined);
    });
  }

  // MS-XLSB 2.4.311: BrtBundleSh has the state in its first number; the names of built-in names stand as UTF-16.
  void binary_workbook(std::string_view octets) {
    if (octets.find("_\0x\0l\0n\0m\0.\0A\0u\0t\0o\0_\0"sv) != std::string_view::npos) out_.signs.add(Sign::auto_macro, "Auto_Open");
    for (auto at = octets.find("\x9c\x01"sv); at != std::string_view::npos; at = octets.find("\x9c\x01"sv, at + 1)) {
      if (slice(octets, at + 3, 4) == "\x02\0\0\0"sv) out_.signs.add(Sign::hidden_sheet);
    }
  }

  // ECMA-376 part 1, 17.16: an instruction may be split over many runs; the pieces between "begin" and "separate" are joined.
  void fields(std::string_view xml) {
    each_tag(xml, "fldSimple", [&](std::string_view tag) {
      std::string instruction = attribute(tag, "w:instr").value_or("");
      if (is_dde_field(instruction)) out_.signs.add(Sign::dde, instruction);
    });
    if (xml.find("instrText") == std::string_view::npos) return;
    std::string joined;
    auto flush = [&] {
      if (is_dde_field(joined)) out_.signs.add(Sign::dde, joined);
      links_.scan(joined);
      joined.clear();
    };
    for (auto at = xml.find('<'); at != std::string_view::npos; at = xml.find('<', at + 1)) {
      std::string_view local = xml.substr(at + 1, 48);
      local = local.substr(0, local.find_first_of(" />"));
      local = local.substr(local.find(':') + 1);   // behind the prefix, if there is one
      if (local == "fldChar") flush();
      if (local != "instrText" || xml.substr(at, 2) == "</") continue;
      auto begin = xml.find('>', at);
      if (begin == std::string_view::npos) break;
      auto end = std::min(xml.find('<', begin), xml.size());
      if (joined.size() < kMaxInstruction) joined += mail::html_to_text(xml.substr(begin + 1, end - begin - 1), kMaxInstruction);
      at = end - 1;
    }
    flush();
  }

  void custom_ui(std::string_view xml) {
    each_tag(xml, "customUI", [&](std::string_view tag) {
      if (auto handler = attribute(tag, "onLoad")) out_.signs.add(Sign::auto_macro, "onLoad " + *handler);
    });
  }

  // ODF 1.2 part 3, 4.4
  void manifest(std::string_view xml) {
    if (xml.find("encryption-data") == std::string_view::npos) return;
    out_.signs.add(Sign::encrypted_document);
    complain("the document has a password");
  }

  void open_document_macro(const ZipEntry& entry, std::string_view name) {
    if (name.ends_with("script-lc.xml") || name.ends_with("script-lb.xml") || name.ends_with("dialog-lb.xml")) return;
    out_.signs.add(Sign::macro, entry.name);
    std::string source = read(entry);
    links_.scan(source);
    for (auto word : {"shell("sv, "createunoservice"sv, "subprocess"sv, "os.system"sv, "shellexecute"sv}) {
      if (ifind(source, word) != std::string_view::npos) out_.signs.add(Sign::suspicious_macro, word);
    }
  }

  void open_document(std::string_view xml) {
    each_tag(xml, "event-listener", [&](std::string_view tag) {
      std::string event = attribute(tag, "script:event-name").value_or("");
      if (ifind(event, "load") != std::string_view::npos || ifind(event, "open") != std::string_view::npos) {
        out_.signs.add(Sign::auto_macro, event + " " + attribute(tag, "xlink:href").value_or(""));
      }
    });
    each_tag(xml, "dde-source", [&](std::string_view tag) {
      out_.signs.add(Sign::dde, attribute(tag, "office:dde-application").value_or("") + " " + attribute(tag, "office:dde-topic").value_or(""));
    });
    each_tag(xml, "a", [&](std::string_view tag) {
      if (auto target = attribute(tag, "xlink:href")) links_.add(*target);
    });
    for (auto element : {"object"sv, "object-ole"sv, "plugin"sv, "floating-frame"sv, "section-source"sv}) {
      each_tag(xml, element, [&](std::string_view tag) {
        auto target = attribute(tag, "xlink:href");
        if (target && is_remote(*target)) out_.signs.add(Sign::external_object, *target);
      });
    }
  }

  std::string_view octets_;
  FoundLinks& links_;
  const TakeInner& inner_;
  ZipDirectory zip_;
  DocumentSigns out_;
  std::size_t read_ = 0;
};

}  // namespace

FileKind office_kind(std::string_view octets) {
  ZipDirectory zip = zip_directory(octets);
  bool content_types = false;
  bool java = false;
  FileKind kind = FileKind::zip;
  for (const auto& entry : zip.entries) {
    std::string name = ascii_lowered(entry.name);
    for (char& c : name) c = c == '\\' ? '/' : c;
    if (name == "[content_types].xml") content_types = true;
    if (name == "meta-inf/manifest.mf") java = true;
    if (name == "androidmanifest.xml" || name == "classes.dex") return FileKind::android_package;
    if (name == "mimetype") {
      std::string type = zip_content(octets, entry, 64).octets;
      if (type.starts_with("application/vnd.oasis.opendocument")) return FileKind::odf;
      if (type.starts_with("application/epub")) return FileKind::epub;
    }
    if (name.starts_with("word/")) kind = FileKind::word_xml;
    if (name.starts_with("xl/")) kind = FileKind::excel_xml;
    if (name.starts_with("ppt/")) kind = FileKind::powerpoint_xml;
  }
  if (content_types) return kind == FileKind::zip ? FileKind::ooxml : kind;
  return java ? FileKind::jar : FileKind::zip;
}

DocumentSigns office_zip_signs(std::string_view zip, FoundLinks& links, const TakeInner& inner) { return Document(zip, links, inner).run(); }

}  // namespace postern::filters
