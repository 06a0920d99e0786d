// MS-OVBA: where the modules are (2.3.4.2), their compression (2.4.1), and what their source says.
#include "filters/vba.h"

#include <algorithm>
#include <array>
#include <optional>

#include "filters/little_endian.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kMaxDirStream = 1 << 20;
constexpr std::size_t kMaxModuleStream = 8 << 20;
constexpr std::size_t kMaxRead = 32 << 20;   // of all module streams together
constexpr std::size_t kMaxProjects = 16;

// MS-OVBA 2.4.1.3.19.1: how many bits of a copy token are the offset depends on how far the chunk is decompressed.
unsigned offset_bits(std::size_t decompressed) {
  unsigned bits = 4;
  while ((std::size_t{1} << bits) < decompressed) ++bits;
  return std::min(bits, 12U);
}

// One chunk; false: damaged.
bool decompress_chunk(std::string_view chunk, std::string& out, std::size_t limit) {
  const std::size_t begin = out.size();
  std::size_t at = 0;
  while (at < chunk.size()) {
    auto flags = static_cast<unsigned char>(chunk[at++]);
    for (int bit = 0; bit < 8 && at < chunk.size(); ++bit) {
      if (out.size() >= limit || out.size() - begin > 4096) return false;
      if ((flags >> bit & 1) == 0) {
        out += chunk[at++];
        continue;
      }
      if (at + 2 > chunk.size()) return false;
      unsigned token = u16_at(chunk, at);
      at += 2;
      unsigned bits = offset_bits(out.size() - begin);
      std::size_t length = (token & (0xffffU >> bits)) + 3;
      std::size_t offset = (token >> (16 - bits)) + 1;
      if (offset > out.size() - begin) return false;
      length = std::min({length, limit - out.size(), 4096 + begin - std::min(out.size(), 4096 + begin)});
      for (std::size_t i = 0; i < length; ++i) out += out[out.size() - offset];
    }
  }
  return true;
}

struct Module {
  std::string stream;
  std::uint32_t offset = 0;
};

// MS-OVBA 2.3.4.2: records of id (2), size (4), content; PROJECTVERSION alone has a size that does not count.
std::vector<Module> modules_of(std::string_view dir) {
  std::vector<Module> out;
  std::size_t at = 0;
  while (at + 6 <= dir.size() && out.size() <= kMaxVbaModules) {
    std::uint16_t id = u16_at(dir, at);
    std::uint32_t size = u32_at(dir, at + 2);
    if (id == 0x0009) size = 6;
    std::string_view content = slice(dir, at + 6, size);
    if (content.size() < size) break;
    if (id == 0x001a) out.push_back({std::string(content), 0});
    if (id == 0x0031 && !out.empty()) out.back().offset = u32_at(content, 0);
    at += 6 + size;
  }
  return out;
}

// The beginning of the source in a module whose directory does not help: a container's signature, a chunk's header, and
// then the literal "Attribut" that every source begins with.
std::optional<std::size_t> source_at(std::string_view stream) {
  for (auto at = stream.find("\0Attribut"sv); at != std::string_view::npos; at = stream.find("\0Attribut"sv, at + 1)) {
    if (at >= 3 && stream[at - 3] == 1) return at - 3;
  }
  return std::nullopt;
}

bool blank(std::string_view source) {
  for (auto line : split(source, '\n')) {
    line = trimmed(line);
    if (!line.empty() && !istarts_with(line, "Attribute ")) return false;
  }
  return true;
}

std::string_view parent_of(std::string_view path) { return path.substr(0, path.rfind('/')); }
std::string_view last_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

class Project {
 public:
  Project(const OleFile& file, VbaProject& out) : file_(file), out_(out) {}

  // `storage` holds the module streams.
  void read(std::string_view storage, const OleFile::Entry* dir) {
    out_.found = true;
    std::vector<Module> modules;
    if (dir != nullptr) modules = modules_of(decompress_vba(file_.stream(*dir, kMaxDirStream), kMaxDirStream));
    if (modules.size() > kMaxVbaModules) complain("more modules than are read");
    for (const auto& entry : file_.entries()) {
      if (entry.kind != OleFile::Kind::stream || parent_of(entry.path) != storage || is_own(entry.name)) continue;
      auto known = std::find_if(modules.begin(), modules.end(), [&](const Module& m) { return iequals(m.stream, entry.name); });
      module(entry, known == modules.end() ? nullptr : &*known);
    }
  }

 private:
  static bool is_own(std::string_view name) {
    return iequals(name, "dir") || iequals(name, "_VBA_PROJECT") || istarts_with(name, "__SRP_") || iequals(name, "PROJECT") || iequals(name, "PROJECTwm");
  }
  void complain(const char* what) {
    if (out_.problem.empty()) out_.problem = what;
  }

  void module(const OleFile::Entry& entry, const Module* known) {
    // Many entries may name the same long chain.
    if (++tried_ > kMaxVbaModules || total_ >= kMaxVbaSource || read_ >= kMaxRead) return complain("more macro source than is read");
    std::string stream = file_.stream(entry, kMaxModuleStream);
    read_ += stream.size();
    std::string source;
    if (known != nullptr && known->offset < stream.size()) source = decompress_vba(std::string_view(stream).substr(known->offset), kMaxVbaSource - total_);
    if (source.empty()) {
      if (auto at = source_at(stream)) source = decompress_vba(std::string_view(stream).substr(*at), kMaxVbaSource - total_);
    }
    // Compiled code of some size beside a source that says nothing.
    bool code = (known != nullptr ? std::min<std::size_t>(known->offset, stream.size()) : stream.size()) > 2048;
    if (blank(source) && code) out_.source_missing = true;
    if (source.empty()) return;
    total_ += source.size();
    out_.sources.push_back(std::move(source));
  }

  const OleFile& file_;
  VbaProject& out_;
  std::size_t total_ = 0;   // octets of source
  std::size_t tried_ = 0;
  std::size_t read_ = 0;    // octets of streams
};

constexpr std::array kAuto = {"autoopen"sv, "auto_open"sv, "autoexec"sv, "autoexit"sv, "auto_close"sv, "autoclose"sv, "autonew"sv, "document_open"sv, "document_close"sv,
                              "document_new"sv, "documentopen"sv, "documentbeforeclose"sv, "document_beforeclose"sv, "documentchange"sv, "newdocument"sv,
                              "document_contentcontrolonenter"sv, "workbook_open"sv, "workbook_activate"sv, "workbook_close"sv, "workbook_beforeclose"sv,
                              "workbook_sheetactivate"sv, "worksheet_calculate"sv, "worksheet_activate"sv, "auto_activate"sv, "auto_deactivate"sv,
                              "onslideshowpagechange"sv, "onslideshowterminate"sv, "app_workbookopen"sv, "presentation_open"sv, "application_startup"sv};
// Events of controls: `Private Sub Image1_Painted()`.
constexpr std::array kAutoEnds = {"_painted"sv, "_layout"sv, "_gotfocus"sv, "_mousemove"sv, "_mousehover"sv, "_resize"sv, "_beforenavigate2"sv, "_documentcomplete"sv,
                                  "_downloadcomplete"sv, "_filedownload"sv, "_onconnecting"sv, "_statechange"sv};
constexpr std::array kSuspicious = {
    "shell"sv, "shellexecute"sv, "wscript"sv, "createobject"sv, "getobject"sv, "callbyname"sv, "urldownloadtofile"sv, "urldownloadtofilea"sv, "xmlhttp"sv, "serverxmlhttp"sv,
    "winhttprequest"sv, "winhttp"sv, "powershell"sv, "cmd"sv, "mshta"sv, "rundll32"sv, "regsvr32"sv, "certutil"sv, "bitsadmin"sv, "schtasks"sv, "adodb"sv, "savetofile"sv,
    "environ"sv, "virtualalloc"sv, "rtlmovememory"sv, "createthread"sv, "createprocess"sv, "createprocessa"sv, "writeprocessmemory"sv, "winmgmts"sv, "win32_process"sv,
    "strreverse"sv, "execute"sv, "executeexcel4macro"sv, "vbproject"sv, "regwrite"sv, "kill"sv, "macscript"sv, "popen"sv, "appactivate"sv, "sendkeys"sv};

bool is_word(char c) { return is_alpha(c) || is_digit(c) || c == '_'; }

template <class Words>
bool is_one_of(std::string_view word, const Words& list) { return std::find(list.begin(), list.end(), word) != list.end(); }

void add_source_signs(std::string_view source, Signs& signs, std::vector<std::string>& suspicious) {
  bool behind_sub = false;
  for (std::size_t at = 0; at < source.size();) {
    if (!is_word(source[at])) {
      if (source[at] == '\n') behind_sub = false;
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < source.size() && is_word(source[end])) ++end;
    std::string_view written = source.substr(at, std::min<std::size_t>(end - at, 64));
    std::string word = ascii_lowered(written);
    at = end;
    if (behind_sub) {
      bool by_end = std::any_of(kAutoEnds.begin(), kAutoEnds.end(), [&](std::string_view tail) { return word.ends_with(tail); });
      if (is_one_of(word, kAuto) || by_end) signs.add(Sign::auto_macro, written);
    }
    behind_sub = word == "sub" || word == "function";
    if (is_one_of(word, kSuspicious) && !is_one_of(word, suspicious)) suspicious.push_back(word);
  }
}

}  // namespace

std::string decompress_vba(std::string_view container, std::size_t limit) {
  std::string out;
  if (container.empty() || container[0] != 1) return out;
  for (std::size_t at = 1; at + 2 <= container.size() && out.size() < limit;) {
    std::uint16_t header = u16_at(container, at);
    if ((header >> 12 & 7) != 3) break;   // 2.4.1.1.5: the signature of a chunk
    std::size_t size = (header & 0xfffU) + 3;
    std::string_view chunk = slice(container, at + 2, size - 2);
    at += size;
    if ((header & 0x8000) == 0) {
      out += chunk.substr(0, limit - out.size());
    } else if (!decompress_chunk(chunk, out, limit)) {
      break;
    }
  }
  return out;
}

VbaProject vba_of(const OleFile& file) {
  VbaProject out;
  Project project(file, out);
  std::size_t projects = 0;
  for (const auto& entry : file.entries()) {
    if (entry.kind != OleFile::Kind::stream || !iequals(entry.name, "_VBA_PROJECT") || ++projects > kMaxProjects) continue;
    std::string storage(parent_of(entry.path));
    project.read(storage, file.find(storage + "/dir"));
  }
  if (out.found) return out;
  for (const auto& entry : file.entries()) {
    // Without the version stream Office itself opens the source.
    if (entry.kind != OleFile::Kind::stream || !iequals(entry.name, "dir") || !iequals(last_of(parent_of(entry.path)), "VBA") ||
        ++projects > kMaxProjects) {
      continue;
    }
    project.read(parent_of(entry.path), &entry);
  }
  return out;
}

void add_vba_signs(const VbaProject& project, Signs& signs) {
  if (!project.found) return;
  signs.add(Sign::macro, std::to_string(project.sources.size()) + " modules");
  std::vector<std::string> suspicious;
  for (const auto& source : project.sources) add_source_signs(source, signs, suspicious);
  if (suspicious.size() > 8) suspicious.resize(8);
  if (!suspicious.empty()) signs.add(Sign::suspicious_macro, join(suspicious, ", "));
  if (project.source_missing) signs.add(Sign::macro_without_source);
}

}  // namespace postern::filters
