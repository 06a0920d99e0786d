// Names in all their disguises.  Mail programs disagree about which of several names counts (RFC 2183 2.3, RFC 2231 3 and
// 4, RFC 2045 5.1 and what came before), so all of them are looked at.
#include "filters/attachment_names.h"

#include <algorithm>
#include <array>
#include <optional>

#include "filters/file_type.h"
#include "gateway/base/text.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/encoded_word.h"
#include "gateway/mail/headers.h"

namespace postern::filters {
namespace {

using namespace std::string_view_literals;

struct Danger {
  std::string_view extension;
  std::string_view why;
};

constexpr auto kDangers = [] {
  constexpr auto kProgram = "a program"sv, kScript = "a script"sv, kShortcut = "a shortcut"sv, kInstaller = "an installer"sv, kMacro = "may hold macros"sv,
                 kImage = "a disk image"sv, kSetting = "changes settings"sv, kRemote = "loads from elsewhere"sv, kHelp = "a help file with scripts"sv;
  std::array table = {
      Danger{"exe", kProgram}, Danger{"com", kProgram}, Danger{"scr", kProgram}, Danger{"pif", kProgram}, Danger{"cpl", kProgram}, Danger{"dll", kProgram},
      Danger{"ocx", kProgram}, Danger{"sys", kProgram}, Danger{"drv", kProgram}, Danger{"gadget", kProgram}, Danger{"jar", kProgram}, Danger{"jnlp", kProgram},
      Danger{"class", kProgram}, Danger{"app", kProgram}, Danger{"apk", kProgram}, Danger{"xap", kProgram}, Danger{"xbap", kProgram}, Danger{"command", kProgram},
      Danger{"elf", kProgram}, Danger{"run", kProgram},
      Danger{"bat", kScript}, Danger{"cmd", kScript}, Danger{"btm", kScript}, Danger{"vbs", kScript}, Danger{"vbe", kScript}, Danger{"vb", kScript},
      Danger{"js", kScript}, Danger{"jse", kScript}, Danger{"mjs", kScript}, Danger{"ws", kScript}, Danger{"wsf", kScript}, Danger{"wsc", kScript},
      Danger{"wsh", kScript}, Danger{"sct", kScript}, Danger{"hta", kScript}, Danger{"ps1", kScript}, Danger{"ps1xml", kScript}, Danger{"ps2", kScript},
      Danger{"psc1", kScript}, Danger{"psm1", kScript}, Danger{"psd1", kScript}, Danger{"cdxml", kScript}, Danger{"ksh", kScript}, Danger{"csh", kScript},
      Danger{"sh", kScript}, Danger{"bash", kScript}, Danger{"zsh", kScript}, Danger{"py", kScript}, Danger{"pyc", kScript}, Danger{"pyw", kScript},
      Danger{"pyz", kScript}, Danger{"rb", kScript}, Danger{"pl", kScript}, Danger{"php", kScript}, Danger{"au3", kScript}, Danger{"a3x", kScript},
      Danger{"ahk", kScript}, Danger{"applescript", kScript}, Danger{"scpt", kScript}, Danger{"desktop", kShortcut},
      Danger{"lnk", kShortcut}, Danger{"url", kRemote}, Danger{"website", kRemote}, Danger{"webloc", kRemote}, Danger{"scf", kShortcut}, Danger{"shb", kShortcut},
      Danger{"shs", kShortcut}, Danger{"library-ms", kRemote}, Danger{"searchconnector-ms", kRemote}, Danger{"search-ms", kRemote}, Danger{"theme", kRemote},
      Danger{"themepack", kRemote}, Danger{"rdp", kRemote}, Danger{"iqy", kRemote}, Danger{"oqy", kRemote}, Danger{"dqy", kRemote}, Danger{"rqy", kRemote},
      Danger{"slk", kRemote}, Danger{"appref-ms", kInstaller}, Danger{"application", kInstaller},
      Danger{"msi", kInstaller}, Danger{"msp", kInstaller}, Danger{"mst", kInstaller}, Danger{"msix", kInstaller}, Danger{"msixbundle", kInstaller},
      Danger{"appx", kInstaller}, Danger{"appxbundle", kInstaller}, Danger{"appinstaller", kInstaller}, Danger{"msu", kInstaller}, Danger{"deb", kInstaller},
      Danger{"rpm", kInstaller}, Danger{"pkg", kInstaller}, Danger{"xpi", kInstaller}, Danger{"crx", kInstaller},
      Danger{"reg", kSetting}, Danger{"inf", kSetting}, Danger{"ins", kSetting}, Danger{"isp", kSetting}, Danger{"msc", kSetting}, Danger{"job", kSetting},
      Danger{"settingcontent-ms", kSetting}, Danger{"diagcab", kSetting}, Danger{"diagcfg", kSetting}, Danger{"diagpkg", kSetting}, Danger{"grp", kSetting},
      Danger{"mobileconfig", kSetting}, Danger{"wpk", kSetting},
      Danger{"chm", kHelp}, Danger{"hlp", kHelp}, Danger{"cnt", kHelp}, Danger{"mshelp-ms", kHelp},
      Danger{"docm", kMacro}, Danger{"dotm", kMacro}, Danger{"xlsm", kMacro}, Danger{"xltm", kMacro}, Danger{"xlam", kMacro}, Danger{"xll", kProgram},
      Danger{"wll", kProgram}, Danger{"xla", kMacro}, Danger{"pptm", kMacro}, Danger{"potm", kMacro}, Danger{"ppsm", kMacro}, Danger{"ppam", kMacro},
      Danger{"ppa", kMacro}, Danger{"sldm", kMacro}, Danger{"xlsb", kMacro}, Danger{"ade", kMacro}, Danger{"adp", kMacro}, Danger{"mdb", kMacro},
      Danger{"mde", kMacro}, Danger{"accde", kMacro}, Danger{"accdb", kMacro}, Danger{"mad", kMacro}, Danger{"maf", kMacro}, Danger{"mam", kMacro},
      Danger{"one", "may hold programs"sv}, Danger{"onepkg", "may hold programs"sv}, Danger{"pub", kMacro}, Danger{"osd", kInstaller},
      Danger{"iso", kImage}, Danger{"img", kImage}, Danger{"vhd", kImage}, Danger{"vhdx", kImage}, Danger{"udf", kImage}, Danger{"dmg", kImage},
      Danger{"wim", kImage}, Danger{"vmdk", kImage}, Danger{"daa", kImage}, Danger{"mds", kImage}, Danger{"nrg", kImage},
  };
  std::sort(table.begin(), table.end(), [](const Danger& a, const Danger& b) { return a.extension < b.extension; });
  return table;
}();

// A harmless extension in front of the last one is a disguise only if a reader takes it for the type.
constexpr std::array kDecoys = {"7z"sv,  "avi"sv, "bmp"sv,  "csv"sv, "doc"sv, "docx"sv, "eml"sv, "gif"sv,  "htm"sv, "html"sv, "jpeg"sv, "jpg"sv, "mov"sv,
                                "mp3"sv, "mp4"sv, "odt"sv,  "pdf"sv, "png"sv, "ppt"sv,  "pptx"sv, "rar"sv, "rtf"sv, "svg"sv,  "tif"sv, "tiff"sv, "txt"sv,
                                "wav"sv, "webp"sv, "xls"sv, "xlsx"sv, "xml"sv, "zip"sv};

struct Character {
  char32_t value;
  std::size_t length;
};

// Of valid UTF-8, at `at`.
Character character_at(std::string_view text, std::size_t at) {
  auto u = [&](std::size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U; };
  unsigned first = u(0);
  if (first < 0x80) return {first, 1};
  if (first < 0xe0) return {(first & 0x1f) << 6 | (u(1) & 0x3f), 2};
  if (first < 0xf0) return {(first & 0xf) << 12 | (u(1) & 0x3f) << 6 | (u(2) & 0x3f), 3};
  return {(first & 7) << 18 | (u(1) & 0x3f) << 12 | (u(2) & 0x3f) << 6 | (u(3) & 0x3f), 4};
}

// UAX #9: embeddings, overrides, isolates and marks.
bool is_bidi(char32_t c) { return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069); }
bool is_invisible(char32_t c) {
  return (c >= 0x200b && c <= 0x200f) || (c >= 0x2060 && c <= 0x2064) || c == 0xad || c == 0x61c || c == 0x180e || c == 0xfeff || c == 0x3164 || c == 0x115f ||
         c == 0x1160 || (c >= 0xe0000 && c <= 0xe007f) || c == 0x2800 || c == 0x34f || (c >= 0xfff9 && c <= 0xfffb);
}
bool is_blank(char32_t c) { return c == ' ' || c == '\t' || c == 0xa0 || (c >= 0x2000 && c <= 0x200a) || c == 0x202f || c == 0x205f || c == 0x3000 || c == 0x2800; }
bool is_lookalike_dot(char32_t c) { return c == 0x2024 || c == 0xff0e || c == 0xfe52 || c == 0xb7 || c == 0x3002 || c == 0xff61 || c == 0x2e33 || c == 0xa4f8 || c == 0x6d4 || c == 0x701; }

// Without characters that nobody sees.
std::string visible(std::string_view name) {
  std::string out;
  for (std::size_t at = 0; at < name.size();) {
    auto [c, length] = character_at(name, at);
    if (!is_bidi(c) && !is_invisible(c) && c != 0) out += name.substr(at, length);
    at += length;
  }
  return out;
}

std::string_view without_tail(std::string_view name) {
  while (!name.empty() && (name.back() == '.' || static_cast<unsigned char>(name.back()) <= ' ')) name.remove_suffix(1);
  return name;
}

// "a.exe:stream", "a.exe::$DATA": NTFS drops what stands behind, but a drive letter is a path.
std::string_view without_stream(std::string_view name) {
  auto colon = name.find(':', 2);
  return colon == std::string_view::npos ? name : name.substr(0, colon);
}

std::string_view extension_of(std::string_view name) {
  auto dot = name.rfind('.');
  return dot == std::string_view::npos ? std::string_view{} : name.substr(dot + 1);
}

// "{21EC2020-3AEA-1069-A2DD-08002B30309D}"
bool is_clsid(std::string_view text) {
  if (text.size() != 38 || text.front() != '{' || text.back() != '}') return false;
  for (std::size_t i = 1; i < 37; ++i) {
    bool hyphen = i == 9 || i == 14 || i == 19 || i == 24;
    char c = ascii_lower(text[i]);
    if (hyphen ? c != '-' : !(is_digit(c) || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

void add_double_extension(std::string_view name, std::string_view extension, Signs& signs) {
  if (danger_of(extension).empty()) return;
  std::string_view stem = without_tail(name.substr(0, name.size() - extension.size() - 1));
  // Blanks, underlines or a hyphen stand for the dot at times: "invoice_pdf .exe".
  auto cut = stem.find_last_of("._- ");
  if (cut == std::string_view::npos) return;
  std::string decoy = ascii_lowered(stem.substr(cut + 1));
  if (std::binary_search(kDecoys.begin(), kDecoys.end(), std::string_view(decoy))) signs.add(Sign::double_extension, decoy + "." + std::string(extension));
}

void add_character_signs(std::string_view name, Signs& signs) {
  std::size_t blanks = 0;
  for (std::size_t at = 0; at < name.size();) {
    auto [c, length] = character_at(name, at);
    at += length;
    if (is_bidi(c)) signs.add(Sign::bidi_name, name);
    if (is_invisible(c)) signs.add(Sign::invisible_name, visible(name));
    if (is_lookalike_dot(c) && at < name.size() && name.size() - at <= 16) signs.add(Sign::lookalike_dot, name);
    if (c < 0x20 || c == 0x7f) signs.add(Sign::control_in_name, name);
    // With something behind that they push away; twelve do not happen by accident.
    blanks = is_blank(c) ? blanks + 1 : 0;
    if (blanks >= 12 && at < name.size()) signs.add(Sign::long_blanks, name.substr(at));
  }
}

void add_name(std::vector<std::string>& names, std::string name) {
  if (name.size() > kMaxNameLength) name = mail::valid_utf8(std::string_view(name).substr(0, kMaxNameLength));
  if (name.empty() || names.size() >= kMaxNames || std::find(names.begin(), names.end(), name) != names.end()) return;
  names.push_back(std::move(name));
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    auto octet = text[at] == '%' && text.size() - at >= 3 ? from_hex(text.substr(at + 1, 2)) : std::nullopt;
    out += octet ? *octet : std::string(1, text[at]);
    if (octet) at += 2;
  }
  return out;
}

void add_parameters(const mail::Parameters& parameters, std::string_view word, std::vector<std::string>& names) {
  if (auto name = parameters.get(word)) add_name(names, *name);
  std::string_view plain = parameters.plain(word);
  if (!plain.empty()) add_name(names, mail::decode_words(plain));
}

// The segments between ";" that stand outside of quotes.
std::vector<std::string_view> segments_of(std::string_view field) {
  std::vector<std::string_view> out;
  std::size_t begin = 0;
  bool quoted = false;
  for (std::size_t at = 0; at < field.size() && out.size() < mail::kMaxParameters * 2; ++at) {
    if (field[at] == '\\' && quoted) ++at;
    else if (field[at] == '"') quoted = !quoted;
    else if (field[at] == ';' && !quoted) {
      out.push_back(field.substr(begin, at - begin));
      begin = at + 1;
    }
  }
  out.push_back(field.substr(std::min(begin, field.size())));
  return out;
}

// A parameter that stands twice: our parser keeps the first, others the last.
void add_repeated(std::string_view raw, std::vector<std::string>& names) {
  std::size_t count = 0;
  for (auto segment : segments_of(raw)) {
    if (ifind(segment, "name") == std::string_view::npos) continue;
    ++count;
    auto one = mail::parse_disposition("x;" + std::string(segment.substr(0, kMaxNameLength * 4)));
    for (const auto& parameter : one.parameters.raw()) {
      // Pieces of a split value say nothing alone.
      if (parameter.name == "name" || parameter.name == "filename" || parameter.name == "name*" || parameter.name == "filename*") {
        add_parameters(one.parameters, std::string_view(parameter.name).substr(0, parameter.name.find('*')), names);
      }
    }
    if (count >= mail::kMaxParameters) return;
  }
}

}  // namespace

std::vector<std::string> attachment_names(std::string_view message, const mail::Part& part) {
  std::vector<std::string> names;
  add_name(names, part.file_name());
  add_parameters(part.disposition.parameters, "filename", names);
  add_parameters(part.type.parameters, "name", names);
  add_parameters(part.disposition.parameters, "name", names);     // in the wrong field: some programs look there, too
  add_parameters(part.type.parameters, "filename", names);
  mail::HeaderReader reader(mail::header_of(message, part));
  mail::HeaderField field;
  std::size_t seen = 0;
  while (seen < 16 && reader.next(field)) {
    bool type = iequals(field.name, "Content-Type");
    bool disposition = iequals(field.name, "Content-Disposition");
    if (!type && !disposition) continue;
    ++seen;
    std::string_view raw = field.raw.substr(0, mail::kMaxReadableField);
    const auto whole = type ? mail::parse_content_type(raw).parameters : mail::parse_disposition(raw).parameters;
    add_parameters(whole, "filename", names);
    add_parameters(whole, "name", names);
    add_repeated(raw, names);
  }
  if (part.encoding == mail::TransferEncoding::uuencode) {
    std::string_view body = mail::body_of(message, part).substr(0, 4096);
    auto begin = body.starts_with("begin ") ? 0 : body.find("\nbegin ");
    if (begin != std::string_view::npos) {
      std::string_view line = body.substr(body.find('b', begin));
      line = line.substr(0, line.find_first_of("\r\n"));
      auto after_mode = line.find(' ', 6);
      if (after_mode != std::string_view::npos) add_name(names, mail::to_utf8(trimmed(line.substr(after_mode)), {}));
    }
  }
  // What a program decodes once more.
  for (std::size_t i = 0, count = names.size(); i < count; ++i) {
    if (names[i].find("=?") != std::string::npos) add_name(names, mail::decode_words(std::string(names[i])));
    if (names[i].find('%') != std::string::npos) add_name(names, mail::to_utf8(percent_decoded(names[i]), {}));
  }
  return names;
}

std::string_view base_name(std::string_view name) {
  auto cut = name.find_last_of("/\\");
  return cut == std::string_view::npos ? name : name.substr(cut + 1);
}

std::string effective_extension(std::string_view name) {
  std::string seen = visible(mail::valid_utf8(name.substr(name.size() - std::min(name.size(), kMaxNameLength))));
  std::string_view base = without_tail(without_stream(base_name(without_tail(seen))));
  std::string_view extension = extension_of(base);
  if (extension.size() > 40) return {};
  return ascii_lowered(trimmed(extension));
}

std::string_view danger_of(std::string_view extension) {
  auto found = std::lower_bound(kDangers.begin(), kDangers.end(), extension, [](const Danger& danger, std::string_view e) { return danger.extension < e; });
  return found != kDangers.end() && found->extension == extension ? found->why : std::string_view{};
}

void add_name_signs(std::string_view raw_name, Signs& signs) {
  if (raw_name.empty()) return;
  std::string name = mail::valid_utf8(raw_name.substr(0, kMaxNameLength));
  if (raw_name.size() > 255) signs.add(Sign::long_name, std::to_string(raw_name.size()) + " octets");
  add_character_signs(name, signs);
  if (name.find_first_of("/\\") != std::string::npos) signs.add(Sign::path_in_name, name);
  std::string extension = effective_extension(raw_name);
  std::string seen = visible(name);
  std::string_view base = base_name(without_tail(seen));
  if (without_tail(base_name(seen)).size() != base_name(seen).size() && !extension.empty()) signs.add(Sign::trailing_dots, extension);
  if (is_clsid(extension)) signs.add(Sign::clsid_extension, extension);
  if (auto why = danger_of(extension); !why.empty()) signs.add(Sign::dangerous_extension, extension + ", " + std::string(why));
  if (!extension.empty()) add_double_extension(without_tail(without_stream(base)), extension, signs);
}

}  // namespace postern::filters
