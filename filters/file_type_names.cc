// What names and declared types promise, in words and in tables.
#include <algorithm>
#include <array>

#include "filters/file_type.h"
#include "gateway/base/check.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

struct Words {
  std::string_view name;
  std::string_view described;
};

constexpr std::array<Words, static_cast<std::size_t>(FileKind::count_of_kinds)> kWords = {{
    {"unknown", "unknown data"}, {"empty", "nothing"}, {"text", "plain text"},
    {"windows_program", "a Windows program"}, {"dos_program", "a DOS program"}, {"elf", "a Linux program"}, {"mach_o", "a macOS program"},
    {"java_class", "a Java class"}, {"android_dex", "Android code"}, {"script", "a shell script"}, {"windows_script", "a Windows script"},
    {"batch", "a batch file"}, {"hta", "an HTML application"}, {"shell_link", "a Windows shortcut"}, {"msi", "a Windows installer"},
    {"webassembly", "WebAssembly code"},
    {"zip", "a zip archive"}, {"jar", "a Java archive"}, {"android_package", "an Android package"}, {"sevenzip", "a 7z archive"}, {"rar", "a RAR archive"},
    {"tar", "a tar archive"}, {"gzip", "gzip data"}, {"bzip2", "bzip2 data"}, {"xz", "xz data"}, {"lzma", "LZMA data"}, {"zstd", "zstd data"},
    {"lzip", "lzip data"}, {"compress", "compress data"}, {"cab", "a cabinet"}, {"arj", "an ARJ archive"}, {"ace", "an ACE archive"},
    {"lha", "an LHA archive"}, {"ar", "an ar archive"}, {"cpio", "a cpio archive"}, {"rpm", "an RPM package"}, {"xar", "a xar archive"},
    {"zoo", "a zoo archive"}, {"szdd", "SZDD data"}, {"chm", "a compiled help file"}, {"wim", "a WIM image"},
    {"iso", "an ISO image"}, {"udf", "a UDF image"}, {"vhd", "a virtual disk (VHD)"}, {"vhdx", "a virtual disk (VHDX)"}, {"vmdk", "a virtual disk (VMDK)"},
    {"qcow", "a virtual disk (QCOW)"}, {"dmg", "a macOS disk image"}, {"fat_image", "a disk image"},
    {"ole", "an OLE2 file"}, {"word", "a Word document"}, {"excel", "an Excel table"}, {"powerpoint", "a PowerPoint presentation"},
    {"outlook_message", "an Outlook message"}, {"ooxml", "an Office document"}, {"word_xml", "a Word document"}, {"excel_xml", "an Excel table"},
    {"powerpoint_xml", "a PowerPoint presentation"}, {"odf", "an OpenDocument file"}, {"epub", "an EPUB book"}, {"rtf", "an RTF text"}, {"pdf", "a PDF"},
    {"postscript", "PostScript"}, {"onenote", "a OneNote section"}, {"tnef", "a TNEF file"}, {"html", "an HTML page"}, {"svg", "an SVG image"},
    {"xml", "XML"}, {"mht", "a saved page"}, {"djvu", "a DjVu document"}, {"url_file", "an Internet shortcut"}, {"library_file", "a Windows library"},
    {"sylk", "a SYLK table"}, {"query", "a web query"}, {"hwp", "a Hangul document"},
    {"png", "a PNG image"}, {"jpeg", "a JPEG image"}, {"gif", "a GIF image"}, {"bmp", "a BMP image"}, {"webp", "a WebP image"}, {"tiff", "a TIFF image"},
    {"icon", "an icon"}, {"photoshop", "a Photoshop image"}, {"heic", "an HEIF image"}, {"metafile", "a Windows metafile"}, {"audio", "sound"},
    {"video", "a film"}, {"flash", "Flash"}, {"font", "a font"}, {"mail", "a mail"}, {"mbox", "a mailbox"}, {"calendar", "a calendar"},
    {"vcard", "a visiting card"}, {"pgp", "PGP data"}, {"pkcs7", "a signature or encrypted data"}, {"database", "an SQLite database"},
    {"access_database", "an Access database"}, {"registry", "registry entries"}, {"desktop_entry", "a desktop entry"},
}};

struct Promise {
  std::string_view word;
  FileKind kind;
};

using enum FileKind;

// Sorted; an extension that says little (dat, bin, tmp, log) is not here.
constexpr auto kExtensions = [] {
  std::array table = {
      Promise{"exe", windows_program}, Promise{"dll", windows_program}, Promise{"scr", windows_program}, Promise{"cpl", windows_program},
      Promise{"ocx", windows_program}, Promise{"sys", windows_program}, Promise{"pif", windows_program}, Promise{"com", dos_program},
      Promise{"class", java_class}, Promise{"dex", android_dex}, Promise{"sh", script}, Promise{"js", windows_script}, Promise{"jse", windows_script},
      Promise{"vbs", windows_script}, Promise{"vbe", windows_script}, Promise{"wsf", windows_script}, Promise{"wsh", windows_script},
      Promise{"ps1", windows_script}, Promise{"bat", batch}, Promise{"cmd", batch}, Promise{"hta", hta}, Promise{"lnk", shell_link}, Promise{"msi", msi},
      Promise{"zip", zip}, Promise{"jar", jar}, Promise{"apk", android_package}, Promise{"7z", sevenzip}, Promise{"rar", rar}, Promise{"r00", rar},
      Promise{"tar", tar}, Promise{"gz", gzip}, Promise{"tgz", gzip}, Promise{"bz2", bzip2}, Promise{"tbz", bzip2}, Promise{"xz", xz}, Promise{"txz", xz},
      Promise{"lzma", lzma}, Promise{"zst", zstd}, Promise{"lz", lzip}, Promise{"z", compress}, Promise{"cab", cab}, Promise{"arj", arj},
      Promise{"ace", ace}, Promise{"lzh", lha}, Promise{"lha", lha}, Promise{"deb", ar}, Promise{"cpio", cpio}, Promise{"rpm", rpm}, Promise{"xar", xar},
      Promise{"chm", chm}, Promise{"wim", wim}, Promise{"iso", iso}, Promise{"udf", udf}, Promise{"vhd", vhd}, Promise{"vhdx", vhdx},
      Promise{"vmdk", vmdk}, Promise{"qcow2", qcow}, Promise{"dmg", dmg}, Promise{"img", fat_image},
      Promise{"doc", word}, Promise{"dot", word}, Promise{"xls", excel}, Promise{"xlt", excel}, Promise{"xla", excel}, Promise{"ppt", powerpoint},
      Promise{"pps", powerpoint}, Promise{"msg", outlook_message}, Promise{"docx", word_xml}, Promise{"docm", word_xml}, Promise{"dotx", word_xml},
      Promise{"dotm", word_xml}, Promise{"xlsx", excel_xml}, Promise{"xlsm", excel_xml}, Promise{"xlsb", excel_xml}, Promise{"xltx", excel_xml},
      Promise{"xltm", excel_xml}, Promise{"xlam", excel_xml}, Promise{"pptx", powerpoint_xml}, Promise{"pptm", powerpoint_xml},
      Promise{"ppsx", powerpoint_xml}, Promise{"ppsm", powerpoint_xml}, Promise{"potx", powerpoint_xml}, Promise{"odt", odf}, Promise{"ods", odf},
      Promise{"odp", odf}, Promise{"odg", odf}, Promise{"epub", epub}, Promise{"rtf", rtf}, Promise{"pdf", pdf}, Promise{"ps", postscript},
      Promise{"eps", postscript}, Promise{"one", onenote}, Promise{"htm", html}, Promise{"html", html}, Promise{"shtml", html}, Promise{"xhtml", html},
      Promise{"svg", svg}, Promise{"xml", xml}, Promise{"mht", mht}, Promise{"mhtml", mht}, Promise{"url", url_file}, Promise{"slk", sylk},
      Promise{"iqy", query}, Promise{"png", png}, Promise{"jpg", jpeg}, Promise{"jpeg", jpeg}, Promise{"jpe", jpeg}, Promise{"jfif", jpeg},
      Promise{"gif", gif}, Promise{"bmp", bmp}, Promise{"webp", webp}, Promise{"tif", tiff}, Promise{"tiff", tiff}, Promise{"ico", icon},
      Promise{"psd", photoshop}, Promise{"heic", heic}, Promise{"avif", heic}, Promise{"emf", metafile}, Promise{"wmf", metafile},
      Promise{"mp3", audio}, Promise{"wav", audio}, Promise{"ogg", audio}, Promise{"flac", audio}, Promise{"m4a", audio}, Promise{"mid", audio},
      Promise{"wma", video}, Promise{"mp4", video}, Promise{"avi", video}, Promise{"mkv", video}, Promise{"mov", video}, Promise{"wmv", video},
      Promise{"flv", video}, Promise{"mpg", video}, Promise{"webm", video}, Promise{"swf", flash}, Promise{"ttf", font}, Promise{"otf", font},
      Promise{"woff", font}, Promise{"eml", mail}, Promise{"ics", calendar}, Promise{"vcf", vcard}, Promise{"p7s", pkcs7}, Promise{"p7m", pkcs7},
      Promise{"mdb", access_database}, Promise{"accdb", access_database}, Promise{"reg", registry}, Promise{"txt", text}, Promise{"csv", text},
      Promise{"hwp", hwp},
  };
  std::sort(table.begin(), table.end(), [](const Promise& a, const Promise& b) { return a.word < b.word; });
  return table;
}();

constexpr auto kTypes = [] {
  std::array table = {
      Promise{"application/pdf", pdf}, Promise{"application/x-pdf", pdf}, Promise{"application/rtf", rtf}, Promise{"text/rtf", rtf},
      Promise{"application/zip", zip}, Promise{"application/x-zip-compressed", zip}, Promise{"application/x-zip", zip}, Promise{"application/java-archive", jar},
      Promise{"application/vnd.android.package-archive", android_package}, Promise{"application/x-7z-compressed", sevenzip},
      Promise{"application/x-rar-compressed", rar}, Promise{"application/vnd.rar", rar}, Promise{"application/x-rar", rar}, Promise{"application/x-tar", tar},
      Promise{"application/gzip", gzip}, Promise{"application/x-gzip", gzip}, Promise{"application/x-bzip2", bzip2}, Promise{"application/x-xz", xz},
      Promise{"application/vnd.ms-cab-compressed", cab}, Promise{"application/x-iso9660-image", iso}, Promise{"application/msword", word},
      Promise{"application/vnd.ms-excel", excel}, Promise{"application/vnd.ms-powerpoint", powerpoint}, Promise{"application/vnd.ms-outlook", outlook_message},
      Promise{"application/vnd.openxmlformats-officedocument.wordprocessingml.document", word_xml},
      Promise{"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", excel_xml},
      Promise{"application/vnd.openxmlformats-officedocument.presentationml.presentation", powerpoint_xml},
      Promise{"application/vnd.ms-word.document.macroenabled.12", word_xml}, Promise{"application/vnd.ms-excel.sheet.macroenabled.12", excel_xml},
      Promise{"application/vnd.ms-excel.sheet.binary.macroenabled.12", excel_xml}, Promise{"application/vnd.oasis.opendocument.text", odf},
      Promise{"application/vnd.oasis.opendocument.spreadsheet", odf}, Promise{"application/vnd.oasis.opendocument.presentation", odf},
      Promise{"application/epub+zip", epub}, Promise{"application/postscript", postscript}, Promise{"application/onenote", onenote},
      Promise{"application/ms-tnef", tnef}, Promise{"application/vnd.ms-tnef", tnef}, Promise{"text/html", html}, Promise{"application/xhtml+xml", html},
      Promise{"image/svg+xml", svg}, Promise{"text/xml", xml}, Promise{"application/xml", xml}, Promise{"image/png", png}, Promise{"image/jpeg", jpeg},
      Promise{"image/jpg", jpeg}, Promise{"image/pjpeg", jpeg}, Promise{"image/gif", gif}, Promise{"image/bmp", bmp}, Promise{"image/webp", webp},
      Promise{"image/tiff", tiff}, Promise{"image/vnd.microsoft.icon", icon}, Promise{"image/x-icon", icon}, Promise{"image/heic", heic},
      Promise{"audio/mpeg", audio}, Promise{"audio/wav", audio}, Promise{"audio/x-wav", audio}, Promise{"audio/ogg", audio}, Promise{"audio/mp4", audio},
      Promise{"video/mp4", video}, Promise{"video/mpeg", video}, Promise{"video/quicktime", video}, Promise{"video/x-msvideo", video},
      Promise{"application/x-shockwave-flash", flash}, Promise{"message/rfc822", mail}, Promise{"text/calendar", calendar}, Promise{"text/vcard", vcard},
      Promise{"text/x-vcard", vcard}, Promise{"application/pkcs7-signature", pkcs7}, Promise{"application/x-pkcs7-signature", pkcs7},
      Promise{"application/pkcs7-mime", pkcs7}, Promise{"application/x-msdownload", windows_program}, Promise{"application/x-dosexec", windows_program},
      Promise{"application/hta", hta}, Promise{"text/csv", text},
  };
  std::sort(table.begin(), table.end(), [](const Promise& a, const Promise& b) { return a.word < b.word; });
  return table;
}();

template <class Table>
FileKind look_up(const Table& table, std::string_view word) {
  if (word.size() > 80) return unknown;
  std::string lowered = ascii_lowered(word);
  auto found = std::lower_bound(table.begin(), table.end(), std::string_view(lowered), [](const Promise& promise, std::string_view w) { return promise.word < w; });
  return found != table.end() && found->word == lowered ? found->kind : unknown;
}

const Words& words_of(FileKind kind) {
  auto index = static_cast<std::size_t>(kind);
  CHECK(index < kWords.size());
  return kWords[index];
}

bool is_any(FileKind kind, std::initializer_list<FileKind> kinds) { return std::find(kinds.begin(), kinds.end(), kind) != kinds.end(); }

// A family whose members stand in for each other.
bool same_family(FileKind a, FileKind b) {
  constexpr std::array kZips = {zip, jar, android_package, ooxml, word_xml, excel_xml, powerpoint_xml, odf, epub};
  auto in_zips = [&](FileKind k) { return std::find(kZips.begin(), kZips.end(), k) != kZips.end(); };
  // A zip that a table calls by what its first member tells is right under its general name, and nothing else.
  if (a == zip && in_zips(b)) return true;
  if (is_any(b, {zip, ooxml}) && is_any(a, {ooxml, word_xml, excel_xml, powerpoint_xml, odf, epub, jar, android_package})) return true;
  FileClass class_a = class_of(a);
  if (class_a == class_of(b) && (class_a == FileClass::audio || class_a == FileClass::video || class_a == FileClass::image)) return true;
  return false;
}

}  // namespace

std::string_view name(FileKind kind) { return words_of(kind).name; }
std::string_view described(FileKind kind) { return words_of(kind).described; }

FileKind kind_of_extension(std::string_view extension) { return look_up(kExtensions, extension); }
FileKind kind_of_media_type(std::string_view type) { return look_up(kTypes, type); }

bool agrees(FileKind promised, FileKind real) {
  if (promised == unknown || real == unknown || promised == real || real == empty || same_family(promised, real)) return true;
  switch (promised) {
    case word: return is_any(real, {ole, rtf, html, mht, word_xml, ooxml, zip, xml, text});
    case excel: return is_any(real, {ole, html, mht, xml, excel_xml, ooxml, zip, text, sylk});
    case powerpoint: return is_any(real, {ole, powerpoint_xml, ooxml, zip});
    case outlook_message: return is_any(real, {ole, mail});
    case msi: return is_any(real, {ole});
    case word_xml: case excel_xml: case powerpoint_xml: return is_any(real, {ole});   // with a password it is an OLE file
    case windows_program: return is_any(real, {dos_program, sevenzip});
    case dos_program: return is_any(real, {windows_program, text});
    case windows_script: case batch: case script: return is_any(real, {text, xml, html, windows_script, batch, script});
    case hta: return is_any(real, {html, text});
    case html: return is_any(real, {text, xml, mht, mail, svg});
    case xml: return is_any(real, {text, svg, html, word_xml, library_file});
    case svg: return is_any(real, {xml, text});
    case mht: return is_any(real, {mail, html, text});
    case mail: return is_any(real, {text, html, mbox, mht});
    case text: return class_of(real) == FileClass::text || class_of(real) == FileClass::page || class_of(real) == FileClass::mail ||
                      is_any(real, {script, windows_script, batch, pgp, url_file, rtf, sylk, desktop_entry, registry});
    case audio: case video: return class_of(real) == FileClass::audio || class_of(real) == FileClass::video;
    case iso: return is_any(real, {udf, fat_image});
    case fat_image: case udf: return is_any(real, {iso, udf, fat_image, vhd});
    case vhd: return is_any(real, {fat_image});
    case gzip: case bzip2: case xz: return is_any(real, {tar, gzip, bzip2, xz});
    case pkcs7: return is_any(real, {mail, text, pgp});
    case postscript: return is_any(real, {pdf, text});
    case calendar: case vcard: case url_file: case query: case sylk: case registry: return is_any(real, {text, xml});
    case tiff: case photoshop: return class_of(real) == FileClass::image;
    default: return false;
  }
}

}  // namespace postern::filters
