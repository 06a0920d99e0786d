// What is in an OLE2 document.  Streams are known by their names: MS-DOC 2.1, MS-XLS 2.1.7, MS-PPT 2.1, MS-OXMSG 2.1, MS-OFFCRYPTO 1.3.
#include "filters/ole_signs.h"

#include <algorithm>

#include "filters/attachment_names.h"
#include "filters/biff_signs.h"
#include "filters/dde_field.h"
#include "filters/inflate.h"
#include "filters/little_endian.h"
#include "filters/ole_file.h"
#include "filters/vba.h"
#include "gateway/base/text.h"
#include "gateway/mail/charset.h"

namespace postern::filters {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kMaxStream = 16 << 20;
constexpr std::size_t kMaxInnerFiles = 200;
constexpr std::size_t kMaxVbaAtom = 8 << 20;

std::string text_of(std::string_view octets) {
  octets = octets.substr(0, octets.find('\0'));
  return mail::to_utf8(octets.substr(0, kMaxNameLength), {});
}

class Document {
 public:
  Document(const OleFile& file, FoundLinks& links, const TakeInner& inner) : file_(file), links_(links), inner_(inner) {}

  DocumentSigns run() {
    out_.kind = kind();
    if (!file_.problem().empty()) out_.signs.add(Sign::document_damaged, file_.problem());
    VbaProject project = vba_of(file_);
    add_vba_signs(project, out_.signs);
    for (const auto& source : project.sources) links_.scan(source);
    complain(project.problem);
    if (out_.kind == FileKind::msi) out_.signs.add(Sign::installer);
    for (const auto& entry : file_.entries()) {
      if (entry.kind == OleFile::Kind::stream) stream(entry);
      else storage(entry);
    }
    return std::move(out_);
  }

 private:
  void complain(std::string_view what) {
    if (out_.problem.empty()) out_.problem = what;
  }
  bool has(std::string_view path) const { return file_.find(path) != nullptr; }

  FileKind kind() const {
    const auto* root = file_.entries().empty() ? nullptr : &file_.entries().front();
    // MS-MSI: the root's class of packages, patches and transforms.
    if (root != nullptr && root->clsid.starts_with("000c108") && root->clsid.ends_with("00000000c000000000000046")) return FileKind::msi;
    if (has("/WordDocument")) return FileKind::word;
    if (has("/Workbook") || has("/Book")) return FileKind::excel;
    if (has("/PowerPoint Document")) return FileKind::powerpoint;
    if (has("/__properties_version1.0")) return FileKind::outlook_message;
    if (has("/FileHeader") && has("/DocInfo")) return FileKind::hwp;
    return FileKind::ole;
  }

  // Of all streams together no more than kMaxOleRead: many entries may name the same sectors.
  std::string read(const OleFile::Entry& entry, std::size_t limit = kMaxStream) {
    if (read_ >= kMaxOleRead) {
      complain("more streams than are read");
      return {};
    }
    bool damaged = false;
    std::string octets = file_.stream(entry, limit, &damaged);
    read_ += octets.size() + 512;
    if (damaged && octets.size() < std::min<std::uint64_t>(entry.size, limit)) out_.signs.add(Sign::document_damaged, "a stream ends before its size: " + entry.name);
    if (entry.size > limit) complain("a stream longer than is read");
    return octets;
  }

  void storage(const OleFile::Entry& entry) {
    // Equation.3, and what loads from elsewhere (htmlfile, MS-OLEDS 2.3.3).
    if (entry.clsid.starts_with("0002ce02") || entry.clsid.starts_with("0002ce03")) out_.signs.add(Sign::equation_editor, entry.name);
    if (iequals(entry.path, "/ObjectPool") || iequals(entry.path, "/Objects")) return;
    if (istarts_with(entry.path, "/ObjectPool/") || (istarts_with(entry.name, "MBD") && entry.name.size() == 11)) out_.signs.add(Sign::embedded_object, entry.name);
  }

  void stream(const OleFile::Entry& entry) {
    std::string_view name = entry.name;
    if (iequals(name, "EncryptedPackage")) {
      out_.signs.add(Sign::encrypted_document);
      complain("the document has a password");
    } else if (name == "\x01Ole10Native") {
      native(entry);
    } else if (name == "\x01Ole") {
      links_.scan(read(entry, 1 << 16));
    } else if (iequals(name, "WordDocument")) {
      word(entry);
    } else if (iequals(entry.path, "/Workbook") || iequals(entry.path, "/Book")) {
      workbook(entry);
    } else if (iequals(name, "PowerPoint Document")) {
      presentation(entry);
    } else if (iequals(name, "Current User")) {
      // MS-PPT 2.3.2: another token when the document is encrypted.
      if (u32_at(read(entry, 512), 12) == 0xf3d1c4df) encrypted();
    } else if (iequals(name, "1Table") || iequals(name, "0Table") || iequals(name, "Data") || iequals(name, "CONTENTS")) {
      std::string octets = read(entry);
      links_.scan(octets);
      if (iequals(name, "CONTENTS")) give({}, octets);
    } else if (istarts_with(name, "__substg1.0_")) {
      message_property(entry);
    } else if (iequals(name, "Equation Native")) {
      out_.signs.add(Sign::equation_editor, entry.path);
    } else if (iequals(name, "Package")) {
      out_.signs.add(Sign::embedded_object, entry.path);
      give({}, read(entry));
    } else if (iequals(name, "\x03OCXNAME") || iequals(name, "\x03OCXDATA")) {
      out_.signs.add(Sign::activex, entry.path);
    }
  }

  void encrypted() {
    out_.signs.add(Sign::encrypted_document);
    complain("the document has a password");
  }

  void give(std::string inner_name, std::string_view octets) {
    if (++inner_files_ > kMaxInnerFiles) return complain("more embedded files than are looked at");
    inner_({std::move(inner_name), octets});
  }

  void native(const OleFile::Entry& entry) {
    std::string octets = read(entry);
    OlePackage package = ole_package(octets, true);
    std::string shown = package.label.empty() ? package.path : package.label;
    out_.signs.add(Sign::embedded_object, shown);
    for (const std::string& one : {package.label, package.path}) {
      if (std::string extension = effective_extension(one); !danger_of(extension).empty()) out_.signs.add(Sign::embedded_program, one);
    }
    give(shown, package.content.empty() ? std::string_view(octets) : package.content);
  }

  void word(const OleFile::Entry& entry) {
    std::string octets = read(entry);
    // MS-DOC 2.5.2: FibBase.
    if (u16_at(octets, 0) == 0xa5ec && (u16_at(octets, 10) & 0x0100) != 0) encrypted();
    links_.scan(octets);
    if (auto field = dde_in_octets(octets)) out_.signs.add(Sign::dde, *field);
  }

  void workbook(const OleFile::Entry& entry) {
    std::string octets = read(entry);
    BiffSigns biff = biff_signs(octets);
    if (biff.encrypted) encrypted();
    if (!biff.macro_sheet.empty()) out_.signs.add(Sign::excel4_macro, biff.macro_sheet);
    if (!biff.hidden_sheet.empty()) out_.signs.add(Sign::hidden_sheet, biff.hidden_sheet);
    if (biff.auto_name && !biff.macro_sheet.empty()) out_.signs.add(Sign::auto_macro, "Auto_Open");
    if (!biff.dde.empty()) out_.signs.add(Sign::dde, biff.dde);
    complain(biff.problem);
    links_.scan(octets);
  }

  // MS-PPT 2.3.1: records; containers are entered by going on behind their header.  VBA lies in an atom of its own,
  // deflated, 2.10.40.
  void presentation(const OleFile::Entry& entry) {
    std::string octets = read(entry);
    links_.scan(octets);
    std::size_t atoms = 0;
    for (std::size_t at = 0; at + 8 <= octets.size();) {
      std::uint16_t version = u16_at(octets, at);
      std::uint16_t type = u16_at(octets, at + 2);
      std::uint32_t length = u32_at(octets, at + 4);
      std::string_view content = slice(octets, at + 8, length);
      at += 8;
      if ((version & 0xf) == 0xf) continue;
      at += length;
      if (type == 0x1011 && (version >> 4 == 1 || version >> 4 == 0)) {
        if (++atoms > 4) return complain("more embedded objects than are read");
        if (version >> 4 == 0) {
          embedded(content);
        } else {
          embedded(inflate(slice(content, 4, content.size()), Deflated::zlib, kMaxVbaAtom).octets);
        }
      }
    }
  }

  // A compound file inside a record: its macros are this document's.
  void embedded(std::string_view octets) {
    auto file = OleFile::open(octets);
    if (!file) return;
    VbaProject project = vba_of(*file);
    add_vba_signs(project, out_.signs);
    if (!project.found) give({}, octets);
    complain(project.problem);
  }

  // MS-OXMSG 2.2.2: "__substg1.0_" and eight digits, identifier and type; 3701 is an attachment's content, 3707, 3704 and
  // 3001 its names, 1013 the HTML, 1000 the text.
  void message_property(const OleFile::Entry& entry) {
    std::string id = ascii_lowered(std::string_view(entry.name).substr(12, 8));
    if (id.starts_with("1013") || id.starts_with("1000")) {
      links_.scan(read(entry, 1 << 20));
    } else if (id.starts_with("3701") && id.ends_with("0102")) {
      if (inner_files_ >= kMaxInnerFiles) return complain("more attachments than are looked at");
      std::string folder = entry.path.substr(0, entry.path.rfind('/'));
      std::string attachment_name;
      for (auto property : {"3707", "3704", "3001"}) {
        for (auto type : {"001F", "001E"}) {
          const auto* found = file_.find(folder + "/__substg1.0_" + property + type);
          if (found != nullptr && attachment_name.empty()) attachment_name = mail::to_utf8(read(*found, 2048), type[3] == 'F' ? "utf-16le" : "");
        }
      }
      give(attachment_name, read(entry));
    }
  }

  const OleFile& file_;
  FoundLinks& links_;
  const TakeInner& inner_;
  DocumentSigns out_;
  std::size_t read_ = 0;
  std::size_t inner_files_ = 0;
};

}  // namespace

OlePackage ole_package(std::string_view native, bool with_size) {
  OlePackage out;
  std::size_t at = with_size ? 4 : 0;
  at += 2;   // 0x0002
  auto take = [&](std::string& into) {
    std::string_view rest = slice(native, at, kMaxNameLength);
    auto end = rest.find('\0');
    if (end == std::string_view::npos) return false;
    into = text_of(rest);
    at += end + 1;
    return true;
  };
  std::string command;
  if (!take(out.label) || !take(out.path)) return {};
  at += 8;   // two numbers and the length of the path behind
  if (!take(command)) return out;
  std::uint32_t size = u32_at(native, at);
  out.content = slice(native, at + 4, size);
  return out;
}

DocumentSigns ole_signs(std::string_view octets, FoundLinks& links, const TakeInner& inner) {
  auto file = OleFile::open(octets);
  if (!file) {
    DocumentSigns out;
    out.signs.add(Sign::document_damaged, "no compound file");
    out.problem = "no compound file";
    return out;
  }
  return Document(*file, links, inner).run();
}

}  // namespace postern::filters
