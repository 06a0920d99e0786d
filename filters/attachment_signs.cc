// The walk through an attachment and all that is in it: each file gets its kind, the reader for that kind, and its inner
// files come back here one level deeper.  All bounds are counted here and shared by all levels.
#include "filters/attachment_signs.h"

#include <algorithm>
#include <utility>

#include "filters/attachment_names.h"
#include "filters/found_links.h"
#include "filters/html_signs.h"
#include "filters/office_zip.h"
#include "filters/ole_signs.h"
#include "filters/pdf_signs.h"
#include "filters/rtf_signs.h"
#include "filters/shortcut_signs.h"
#include "filters/wrapped_files.h"
#include "gateway/base/text.h"
#include "gateway/mail/text.h"

namespace postern::filters {
namespace {

constexpr std::uint64_t kEnoughForMagic = 40 * 1024;
constexpr std::size_t kImageBeginning = 64 * 1024;
constexpr std::uint64_t kSmallMember = 256 * 1024;

enum class Where : std::uint8_t { itself, in_archive, in_document };

bool is_harmless_by_name(std::string_view extension) {
  FileClass c = class_of(kind_of_extension(extension));
  return c == FileClass::image || c == FileClass::audio || c == FileClass::video || extension == "txt" || extension == "ttf" || extension == "woff";
}

bool is_page_name(std::string_view extension) {
  return extension == "htm" || extension == "html" || extension == "shtml" || extension == "xhtml" || extension == "xht" || extension == "hta" || extension == "svg";
}

// One attachment's walk.  What it uses up of the limits is used up for the next one.
class Walk {
 public:
  explicit Walk(AttachmentLimits& limits) : limits_(limits) {}

  AttachmentReport run(const AttachmentFile& file) {
    out_.name = file.names.empty() ? std::string{} : file.names.front();
    out_.declared_type = file.declared_type;
    out_.size = file.octets.size();
    for (const auto& name : file.names) add_name_signs(name, out_.signs);
    if (file.names.size() > 1) differing_names(file.names);
    if (!file.whole) complain("only its beginning was looked at");
    std::string extension = file.names.empty() ? std::string{} : effective_extension(file.names.front());
    if (file.declared_type == "text/html" && !is_page_name(extension)) extension = "html";
    if (file.declared_type == "image/svg+xml") extension = "svg";
    if (file.declared_type == "text/csv") extension = "csv";
    out_.kind = examine(file.octets, extension, Where::itself, out_.signs, "");
    mismatches(file);
    out_.links = links_.take();
    out_.more_links = links_.truncated();
    return std::move(out_);
  }

 private:
  void complain(std::string_view what, std::string_view where = {}) {
    if (!out_.problem.empty() || what.empty()) return;
    out_.problem = where.empty() ? std::string(what) : std::string(where.substr(0, 200)) + ": " + std::string(what);
  }

  // Another extension is a disguise, or a dangerous one beside none; Thunderbird itself writes one name with and one without.
  void differing_names(const std::vector<std::string>& names) {
    std::string first = effective_extension(names.front());
    for (const auto& name : names) {
      std::string other = effective_extension(name);
      bool both = !first.empty() && !other.empty();
      if (other != first && (both || !danger_of(first).empty() || !danger_of(other).empty())) out_.signs.add(Sign::names_differ, names.front() + " / " + name);
    }
  }

  void mismatches(const AttachmentFile& file) {
    for (const auto& name : file.names) mismatch(kind_of_extension(effective_extension(name)), out_.kind, name, out_.signs);
    mismatch(kind_of_media_type(file.declared_type), out_.kind, file.declared_type, out_.signs);
  }

  static void mismatch(FileKind promised, FileKind real, std::string_view who, Signs& signs) {
    if (agrees(promised, real)) return;
    std::string detail = std::string(who.substr(0, 120)) + " is " + std::string(described(real));
    signs.add(Sign::type_mismatch, detail);
    if (runs(real) && !runs(promised)) signs.add(Sign::disguised_program, detail);
  }

  static void add_kind_signs(FileKind kind, std::string_view extension, Where where, Signs& signs) {
    using enum FileKind;
    if (class_of(kind) == FileClass::disk_image) signs.add(Sign::disk_image, described(kind));
    if (kind == text && kind_of_extension(extension) == windows_script) kind = windows_script;
    if (kind == text && kind_of_extension(extension) == batch) kind = batch;
    if (!runs(kind)) return;
    if (kind == script || kind == windows_script || kind == batch || kind == hta) signs.add(Sign::script, described(kind));
    else if (kind == shell_link || kind == library_file || kind == desktop_entry) signs.add(Sign::shortcut, described(kind));
    else if (kind == msi) signs.add(Sign::installer, described(kind));
    else signs.add(Sign::program, described(kind));
    if (where == Where::in_archive) signs.add(Sign::program_in_archive, described(kind));
    if (where == Where::in_document) signs.add(Sign::embedded_program, described(kind));
  }

  // The kind of the file, and its signs in `signs`.  `path`: of what it lies in, for humans.
  FileKind examine(std::string_view octets, std::string_view extension, Where where, Signs& signs, const std::string& path) {
    if (octets.size() > limits_.examined) {
      complain("more content than is looked at", path);
      return file_kind(octets);
    }
    limits_.examined -= octets.size();
    FileKind kind = file_kind(octets);
    if (kind == FileKind::zip || kind == FileKind::jar || kind == FileKind::ooxml || kind == FileKind::word_xml) {
      if (octets.starts_with("PK")) kind = office_kind(octets);
    }
    if (depth_ >= limits_.depth) {
      signs.add(Sign::too_deep, path);
      complain("too deep inside other files", path);
      return kind;
    }
    if (std::find(around_.begin(), around_.end(), octets) != around_.end()) {
      signs.add(Sign::quine, path);
      complain("it contains itself", path);
      return kind;
    }
    around_.push_back(octets);
    ++depth_;
    DocumentSigns found = read(octets, kind, extension, path, signs);
    --depth_;
    around_.pop_back();
    signs.merge(found.signs);
    complain(found.problem, path);
    if (found.kind != FileKind::unknown) kind = found.kind;
    add_kind_signs(kind, extension, where, signs);
    return kind;
  }

  DocumentSigns read(std::string_view octets, FileKind kind, std::string_view extension, const std::string& path, Signs& signs) {
    using enum FileKind;
    TakeInner inner = [this, &signs, &path](const InnerFile& file) { inner_file(file, Where::in_document, signs, path); };
    switch (kind) {
      case ole: return ole_signs(octets, links_, inner);
      case rtf: return rtf_signs(octets, links_, inner);
      case pdf: return pdf_signs(octets, links_, inner);
      case onenote: return onenote_signs(octets, links_, inner);
      case tnef: return tnef_signs(octets, links_, inner);
      case ooxml: case word_xml: case excel_xml: case powerpoint_xml: case odf:
        if (octets.starts_with("PK")) return office_zip_signs(octets, links_, inner);
        return shortcut_signs(octets, kind, links_);
      case html: case svg: case hta: return html_signs(octets, kind, links_);
      case mail: case mht: case mbox: return message(octets, kind, path, signs);
      case shell_link: case url_file: case library_file: case desktop_entry: case query: case sylk: case calendar:
        return shortcut_signs(octets, kind, links_);
      default: break;
    }
    if (is_archive(kind)) return archive(octets, kind, path, signs);
    bool plain = kind == text || kind == xml || kind == unknown || kind == windows_script;
    if (plain && is_page_name(extension)) return html_signs(octets, extension == "svg" ? svg : extension == "hta" ? hta : html, links_);
    if (kind == windows_script || kind == batch || (kind == text && kind_of_extension(extension) == windows_script)) return a_script(octets, kind);
    if (kind == text && (extension == "csv" || extension == "tsv" || extension == "xls" || extension == "slk")) return shortcut_signs(octets, kind, links_);
    return {};
  }

  DocumentSigns a_script(std::string_view octets, FileKind kind) {
    DocumentSigns out;
    out.kind = kind == FileKind::text ? FileKind::windows_script : kind;
    if (octets.size() > kMaxAttachedPage) out.problem = "a script longer than is looked at";
    add_script_signs(octets.substr(0, kMaxAttachedPage), out.signs);
    links_.scan(octets.substr(0, kMaxAttachedPage));
    return out;
  }

  static std::string within(const std::string& path, std::string_view name) {
    std::string shown = name.empty() ? "(without name)" : std::string(name.substr(0, 100));
    return path.empty() ? shown : path.substr(0, 200) + " / " + shown;
  }

  void list(std::string_view name, std::uint64_t size, FileKind kind, bool encrypted) {
    if (out_.members.size() >= limits_.members) {
      out_.more_members = true;
      return;
    }
    out_.members.push_back({std::string(name), size, depth_, kind, encrypted});
  }

  static void add_inner_name_signs(std::string_view name, Where where, Signs& signs) {
    if (name.empty()) return;
    Signs of_name;
    add_name_signs(base_name(name), of_name);
    for (Sign sign : {Sign::double_extension, Sign::bidi_name, Sign::long_blanks, Sign::invisible_name, Sign::clsid_extension}) {
      if (of_name.has(sign)) signs.add(sign, name);
    }
    // What Office itself has inside its documents (embeddings) is no danger by its name.
    if (of_name.has(Sign::dangerous_extension)) signs.add(where == Where::in_archive ? Sign::dangerous_in_archive : Sign::embedded_program, name);
  }

  void inner_file(const InnerFile& file, Where where, Signs& signs, const std::string& path) {
    add_inner_name_signs(file.name, where, signs);
    if (limits_.files == 0) return complain("more inner files than are looked at", path);
    --limits_.files;
    std::string extension = effective_extension(file.name);
    Signs inner;
    std::string where_text = within(path, file.name);
    const std::size_t place = out_.members.size();
    list(file.name, file.octets.size(), FileKind::unknown, false);
    FileKind kind = examine(file.octets, extension, where, inner, where_text);
    if (place < out_.members.size()) out_.members[place].kind = kind;
    mismatch(kind_of_extension(extension), kind, file.name, inner);
    signs.merge(inner, where_text);
  }

  DocumentSigns archive(std::string_view octets, FileKind kind, const std::string& path, Signs& signs) {
    DocumentSigns out;
    WantsContent wants = [](const ArchiveMember& member) -> std::uint64_t {
      if (member.size != 0 && member.size <= kSmallMember) return kSmallMember;
      return is_harmless_by_name(effective_extension(member.name)) ? kEnoughForMagic : ~0ULL;
    };
    TakeMember take = [&, this](const ArchiveMember& member, std::string_view content, bool whole) { archive_member(member, content, whole, signs, path); };
    ArchiveContents contents = archive_contents(octets, kind, limits_.archives, wants, take);
    out.signs = contents.signs;
    out.problem = contents.problem;
    if (contents.signs.has(Sign::encrypted_archive)) complain("it has a password", path);
    return out;
  }

  void archive_member(const ArchiveMember& member, std::string_view content, bool whole, Signs& signs, const std::string& path) {
    if (member.directory) return;
    if (content.empty()) {
      list(member.name, member.size, FileKind::unknown, member.encrypted);
      add_inner_name_signs(member.name, Where::in_archive, signs);
      FileKind promised = kind_of_extension(effective_extension(member.name));
      if (is_archive(promised)) signs.add(Sign::nested_archive, member.name);
      return;
    }
    FileKind kind = file_kind(content);
    if (is_archive(kind) && !(kind == FileKind::gzip || kind == FileKind::tar)) signs.add(Sign::nested_archive, within(path, member.name));
    bool readable = class_of(kind) == FileClass::document || class_of(kind) == FileClass::page || is_archive(kind);
    if (!whole && readable) complain("only its beginning was looked at", within(path, member.name));
    inner_file({member.name, content}, Where::in_archive, signs, path);
  }

  // A mail in a file: its parts are looked at like members of an archive.
  DocumentSigns message(std::string_view octets, FileKind kind, const std::string& path, Signs& signs) {
    DocumentSigns out;
    out.kind = kind;
    if (kind == FileKind::mbox) octets.remove_prefix(std::min(octets.find('\n') + 1, octets.size()));
    mail::PartTable table = mail::parse(octets);
    if (table.truncated) complain("parts that are not read", path);
    std::size_t parts = 0;
    for (const auto& part : table.parts) {
      if (part.kind != mail::Part::Kind::leaf) continue;
      if (++parts > limits_.parts) {
        complain("more parts than are looked at", path);
        break;
      }
      std::string name = part.file_name();
      bool page = part.is("text", "html");
      if (name.empty() && part.type.type == "text" && !page && part.disposition.kind != "attachment") continue;
      std::string content = mail::part_octets(octets, part, static_cast<std::size_t>(std::min<std::uint64_t>(limits_.examined, octets.size())));
      if (page && name.empty() && kind != FileKind::mht) {
        links_.scan(content);   // scripts do not run in a mail's own text
        continue;
      }
      inner_file({name, content}, Where::in_archive, signs, path);
    }
    return out;
  }

  AttachmentLimits& limits_;
  AttachmentReport out_;
  FoundLinks links_;
  int depth_ = 0;
  std::vector<std::string_view> around_;   // the files that the one at hand lies in
};

bool is_attachment(const mail::Part& part) {
  if (part.kind != mail::Part::Kind::leaf) return false;
  return part.type.type != "text" || part.disposition.kind == "attachment" || !part.file_name().empty();
}

// A real image needs no more than its beginning; anything else is decoded whole.
AttachmentFile file_of(std::string_view message, const mail::Part& part, std::string& octets) {
  AttachmentFile file;
  file.names = attachment_names(message, part);
  if (part.type.type == "image" && part.type.subtype != "svg+xml" && part.body_size() > kImageBeginning) {
    octets = mail::part_octets(message, part, kImageBeginning);
    bool image = class_of(file_kind(octets)) == FileClass::image;
    if (!image) octets = mail::part_octets(message, part);
  } else {
    octets = mail::part_octets(message, part);
  }
  file.octets = octets;
  return file;
}

}  // namespace

AttachmentReport attachment_report(const AttachmentFile& file, const AttachmentLimits& limits) {
  AttachmentLimits left = limits;
  return Walk(left).run(file);
}

std::vector<AttachmentReport> attachment_reports(std::string_view message, const mail::PartTable& table, const AttachmentLimits& limits) {
  std::vector<AttachmentReport> out;
  AttachmentLimits left = limits;
  for (const auto& part : table.parts) {
    if (!is_attachment(part)) continue;
    if (out.size() >= limits.parts) {
      AttachmentReport rest;
      rest.problem = "more attachments than are looked at";
      out.push_back(std::move(rest));
      break;
    }
    std::string octets;
    AttachmentFile file = file_of(message, part, octets);
    std::string type = part.type.type + "/" + part.type.subtype;
    file.declared_type = type;
    out.push_back(Walk(left).run(file));
  }
  return out;
}

}  // namespace postern::filters
