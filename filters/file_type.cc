// The table of magic numbers.  Our own, since it is short, needs no data file, knows what mail brings and answers in
// well under a microsecond.  Texts are told by their first words in file_type_text.cc, names in file_type_names.cc.
#include "filters/file_type.h"

#include <algorithm>
#include <array>

#include "filters/file_type_text.h"
#include "filters/little_endian.h"

namespace postern::filters {
namespace {

using namespace std::string_view_literals;

struct Magic {
  std::size_t offset;
  std::string_view octets;
  FileKind kind;
};

// The longer and the surer first.
constexpr std::array kMagics = {
    Magic{0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"sv, FileKind::ole},
    Magic{0, "\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46"sv, FileKind::shell_link},   // MS-SHLLINK 2.1
    Magic{0, "\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3"sv, FileKind::onenote},   // MS-ONESTORE 2.3.1
    Magic{0, "\xa1\x2f\xff\x43\xd9\xef\x76\x4c\x9e\xe2\x10\xea\x57\x22\x76\x5f"sv, FileKind::onenote},   // .onetoc2
    Magic{0, "\x7f" "ELF"sv, FileKind::elf},
    Magic{0, "\xfe\xed\xfa\xce"sv, FileKind::mach_o},
    Magic{0, "\xfe\xed\xfa\xcf"sv, FileKind::mach_o},
    Magic{0, "\xce\xfa\xed\xfe"sv, FileKind::mach_o},
    Magic{0, "\xcf\xfa\xed\xfe"sv, FileKind::mach_o},
    Magic{0, "dex\n0"sv, FileKind::android_dex},
    Magic{0, "\0asm\x01\0\0\0"sv, FileKind::webassembly},
    Magic{0, "7z\xbc\xaf\x27\x1c"sv, FileKind::sevenzip},
    Magic{0, "Rar!\x1a\x07"sv, FileKind::rar},
    Magic{0, "RE\x7e\x5e"sv, FileKind::rar},   // before 1.50
    Magic{257, "ustar"sv, FileKind::tar},
    Magic{0, "\x1f\x8b\x08"sv, FileKind::gzip},
    Magic{0, "\xfd" "7zXZ\0"sv, FileKind::xz},
    Magic{0, "\x28\xb5\x2f\xfd"sv, FileKind::zstd},
    Magic{0, "LZIP\x01"sv, FileKind::lzip},
    Magic{0, "\x1f\x9d"sv, FileKind::compress},
    Magic{0, "MSCF\0\0\0\0"sv, FileKind::cab},
    Magic{0, "ISc("sv, FileKind::cab},
    Magic{7, "**ACE**"sv, FileKind::ace},
    Magic{0, "!<arch>\n"sv, FileKind::ar},
    Magic{0, "070701"sv, FileKind::cpio},
    Magic{0, "070702"sv, FileKind::cpio},
    Magic{0, "070707"sv, FileKind::cpio},
    Magic{0, "\xed\xab\xee\xdb"sv, FileKind::rpm},
    Magic{0, "xar!"sv, FileKind::xar},
    Magic{20, "\xdc\xa7\xc4\xfd"sv, FileKind::zoo},
    Magic{0, "SZDD\x88\xf0\x27\x33"sv, FileKind::szdd},
    Magic{0, "KWAJ\x88\xf0\x27\xd1"sv, FileKind::szdd},
    Magic{0, "ITSF\x03\0\0\0"sv, FileKind::chm},
    Magic{0, "MSWIM\0\0\0"sv, FileKind::wim},
    Magic{0x8001, "CD001"sv, FileKind::iso},
    Magic{0x8001, "BEA01"sv, FileKind::udf},
    Magic{0, "vhdxfile"sv, FileKind::vhdx},
    Magic{0, "conectix"sv, FileKind::vhd},
    Magic{0, "KDMV"sv, FileKind::vmdk},
    Magic{0, "# Disk DescriptorFile"sv, FileKind::vmdk},
    Magic{0, "QFI\xfb"sv, FileKind::qcow},
    Magic{0, "%!PS"sv, FileKind::postscript},
    Magic{0, "\xc5\xd0\xd3\xc6"sv, FileKind::postscript},
    Magic{0, "AT&TFORM"sv, FileKind::djvu},
    Magic{0, "\x78\x9f\x3e\x22"sv, FileKind::tnef},   // MS-OXTNEF 2.1.3.1
    Magic{0, "HWP Document File"sv, FileKind::hwp},
    Magic{0, "\x89PNG\r\n\x1a\n"sv, FileKind::png},
    Magic{0, "\xff\xd8\xff"sv, FileKind::jpeg},
    Magic{0, "GIF87a"sv, FileKind::gif},
    Magic{0, "GIF89a"sv, FileKind::gif},
    Magic{8, "WEBPVP8"sv, FileKind::webp},
    Magic{0, "II\x2a\0"sv, FileKind::tiff},
    Magic{0, "MM\0\x2a"sv, FileKind::tiff},
    Magic{0, "8BPS\0"sv, FileKind::photoshop},
    Magic{4, "ftypheic"sv, FileKind::heic},
    Magic{4, "ftypheix"sv, FileKind::heic},
    Magic{4, "ftypmif1"sv, FileKind::heic},
    Magic{4, "ftypavif"sv, FileKind::heic},
    Magic{40, " EMF\0\0\x01\0"sv, FileKind::metafile},
    Magic{0, "\xd7\xcd\xc6\x9a"sv, FileKind::metafile},
    Magic{4, "ftypM4A"sv, FileKind::audio},
    Magic{8, "WAVEfmt "sv, FileKind::audio},
    Magic{0, "ID3\x02"sv, FileKind::audio},
    Magic{0, "ID3\x03"sv, FileKind::audio},
    Magic{0, "ID3\x04"sv, FileKind::audio},
    Magic{0, "OggS\0"sv, FileKind::audio},
    Magic{0, "fLaC\0\0\0"sv, FileKind::audio},
    Magic{0, "MThd\0\0\0\x06"sv, FileKind::audio},
    Magic{0, "#!AMR"sv, FileKind::audio},
    Magic{0, "FORM\0"sv, FileKind::audio},
    Magic{4, "ftyp"sv, FileKind::video},
    Magic{8, "AVI LIST"sv, FileKind::video},
    Magic{0, "\x1a\x45\xdf\xa3"sv, FileKind::video},
    Magic{0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11"sv, FileKind::video},
    Magic{0, "FLV\x01"sv, FileKind::video},
    Magic{0, "\0\0\x01\xba"sv, FileKind::video},
    Magic{0, "\0\0\x01\xb3"sv, FileKind::video},
    Magic{0, "wOFF\0"sv, FileKind::font},
    Magic{0, "wOF2\0"sv, FileKind::font},
    Magic{0, "OTTO\0"sv, FileKind::font},
    Magic{0, "SQLite format 3\0"sv, FileKind::database},
    Magic{4, "Standard Jet DB"sv, FileKind::access_database},
    Magic{4, "Standard ACE DB"sv, FileKind::access_database},
    Magic{0, "regf"sv, FileKind::registry},
};

bool is_windows_program(std::string_view octets) {
  std::uint32_t header = u32_at(octets, 0x3c);
  std::string_view signature = slice(octets, header, 2);
  return signature == "PE" || signature == "NE" || signature == "LE" || signature == "LX";
}

// MZ begins prose at times ("MZ 12 is ..."): the rest of the header must make sense.  A PE header may lie behind what we were given.
FileKind dos_kind(std::string_view octets) {
  if (is_windows_program(octets)) return FileKind::windows_program;
  if (octets.size() < 28) return FileKind::unknown;
  std::uint32_t header = u32_at(octets, 0x3c);
  if (octets.size() >= 64 && header > octets.size() && header < (1U << 24) && u16_at(octets, 8) * 16U >= 64) return FileKind::windows_program;
  std::uint16_t last_page = u16_at(octets, 2);
  std::uint16_t pages = u16_at(octets, 4);
  std::uint16_t header_paragraphs = u16_at(octets, 8);
  bool sound = last_page <= 512 && pages != 0 && header_paragraphs >= 2 && header_paragraphs < 4096;
  return sound ? FileKind::dos_program : FileKind::unknown;
}

// CAFEBABE is both a Java class and a fat Mach-O: a class has a version from 45 on, a fat file fewer than 20 machines.
FileKind cafebabe_kind(std::string_view octets) {
  if (octets.size() < 8) return FileKind::java_class;
  auto low = static_cast<unsigned char>(octets[7]);
  bool high_is_zero = octets[4] == 0 && octets[5] == 0 && octets[6] == 0;
  return high_is_zero && low < 40 ? FileKind::mach_o : FileKind::java_class;
}

FileKind zip_kind(std::string_view octets) {
  std::size_t at = 0;
  for (int entry = 0; entry < 8; ++entry) {
    if (slice(octets, at, 4) != "PK\x03\x04"sv) break;
    std::string_view entry_name = slice(octets, at + 30, u16_at(octets, at + 26));
    if (entry_name == "mimetype") {
      std::string_view content = slice(octets, at + 30 + entry_name.size() + u16_at(octets, at + 28), 64);
      return content.starts_with("application/epub") ? FileKind::epub : FileKind::odf;
    }
    if (entry_name == "[Content_Types].xml" || entry_name == "_rels/.rels") return FileKind::ooxml;
    if (entry_name.starts_with("word/")) return FileKind::word_xml;
    if (entry_name.starts_with("xl/")) return FileKind::excel_xml;
    if (entry_name.starts_with("ppt/")) return FileKind::powerpoint_xml;
    if (entry_name == "AndroidManifest.xml" || entry_name == "classes.dex") return FileKind::android_package;
    if (entry_name.starts_with("META-INF/MANIFEST.MF") || entry_name == "META-INF/") return FileKind::jar;
    if ((u16_at(octets, at + 6) & 8) != 0) break;   // its size stands behind it
    at += 30 + entry_name.size() + u16_at(octets, at + 28) + u32_at(octets, at + 18);
  }
  return FileKind::zip;
}

// A plain tar without "ustar" (before 1988): its checksum tells, POSIX.1 pax "ustar Interchange Format".
bool is_old_tar(std::string_view octets) {
  if (octets.size() < 512 || octets[0] == 0) return false;
  unsigned sum = 0;
  for (std::size_t i = 0; i < 512; ++i) sum += i >= 148 && i < 156 ? 32U : static_cast<unsigned char>(octets[i]);
  unsigned written = 0;
  bool any = false;
  for (char c : octets.substr(148, 8)) {
    if (c >= '0' && c <= '7') {
      written = written * 8 + static_cast<unsigned>(c - '0');
      any = true;
    } else if (any) {
      break;
    }
  }
  return any && written == sum;
}

// The boot sector of a FAT volume, or a partition table before one.
bool is_fat_image(std::string_view octets) {
  if (octets.size() < 1024 || slice(octets, 510, 2) != "\x55\xaa"sv) return false;
  bool jump = octets[0] == '\xeb' || octets[0] == '\xe9';
  if (jump) return slice(octets, 54, 3) == "FAT" || slice(octets, 82, 3) == "FAT" || slice(octets, 3, 4) == "NTFS" || slice(octets, 3, 5) == "EXFAT";
  return slice(octets, 512, 8) == "EFI PART";
}

// An MPEG audio frame: sync, a layer, a bit rate and a rate that exist.
bool is_mpeg_audio(std::string_view octets) {
  if (octets.size() < 4 || octets[0] != '\xff') return false;
  auto second = static_cast<unsigned char>(octets[1]);
  auto third = static_cast<unsigned char>(octets[2]);
  return (second & 0xe6) != 0xe0 && (second & 0xe0) == 0xe0 && (second & 6) != 0 && (second & 0x18) != 8 && (third >> 4) != 15 && (third >> 4) != 0 &&
         (third & 0xc) != 0xc;
}

// Formats whose magic is too short to be believed alone.
FileKind short_magic(std::string_view octets) {
  auto starts = [octets](std::string_view magic) { return octets.starts_with(magic); };
  if (starts("MZ") || starts("ZM")) return dos_kind(octets);
  if (starts("PK\x03\x04"sv)) return zip_kind(octets);
  if (starts("PK\x05\x06"sv) || starts("PK\x07\x08"sv) || starts("PK00PK\x03\x04"sv)) return FileKind::zip;
  if (starts("\xca\xfe\xba\xbe"sv)) return cafebabe_kind(octets);
  if (starts("BZh") && octets.size() > 9 && octets[3] >= '1' && octets[3] <= '9' && slice(octets, 4, 6) == "1AY&SY") return FileKind::bzip2;
  if (starts("\x60\xea"sv) && octets.size() > 10 && u16_at(octets, 2) <= 2600 && u16_at(octets, 2) > 20) return FileKind::arj;
  if (slice(octets, 2, 3) == "-lh" && slice(octets, 6, 1) == "-") return FileKind::lha;
  if (slice(octets, 2, 3) == "-lz" && slice(octets, 6, 1) == "-") return FileKind::lha;
  if (starts("\x5d\0\0"sv) && octets.size() > 13 && (u64_at(octets, 5) == ~0ULL || u64_at(octets, 5) < (1ULL << 38))) return FileKind::lzma;
  if (starts("\xc7\x71"sv) || starts("\x71\xc7"sv)) return FileKind::cpio;
  if (starts("BM") && octets.size() > 26 && u32_at(octets, 6) == 0 && u32_at(octets, 14) <= 124) return FileKind::bmp;
  if (starts("\0\0\x01\0"sv) && octets.size() > 22 && u16_at(octets, 4) > 0 && u16_at(octets, 4) < 100 && octets[9] == 0) return FileKind::icon;
  if ((starts("FWS") || starts("CWS") || starts("ZWS")) && octets.size() > 8 && octets[3] > 0 && octets[3] < 60) return FileKind::flash;
  if (starts("\0\x01\0\0\0"sv) && octets.size() > 12 && u16_at(octets, 4) != 0) return FileKind::font;
  if (starts("\x01\0\x09\0\0\x03"sv)) return FileKind::metafile;
  if (starts("\x30\x82"sv) && (slice(octets, 4, 11) == "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"sv || slice(octets, 4, 11) == "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"sv)) {
    return FileKind::pkcs7;
  }
  if (is_mpeg_audio(octets) && octets.size() > 256) return FileKind::audio;
  return FileKind::unknown;
}

}  // namespace

FileKind file_kind(std::string_view octets) {
  if (octets.empty()) return FileKind::empty;
  for (const Magic& magic : kMagics) {
    if (slice(octets, magic.offset, magic.octets.size()) == magic.octets) return magic.kind;
  }
  if (FileKind kind = short_magic(octets); kind != FileKind::unknown) return kind;
  if (FileKind kind = text_kind(octets); kind != FileKind::unknown) return kind;
  if (is_fat_image(octets)) return FileKind::fat_image;
  if (is_old_tar(octets)) return FileKind::tar;
  // These two stand at the end.
  std::string_view tail = octets.substr(octets.size() - std::min<std::size_t>(octets.size(), 512));
  if (tail.size() == 512 && tail.starts_with("koly")) return FileKind::dmg;
  if (tail.size() == 512 && tail.starts_with("conectix")) return FileKind::vhd;
  return is_plain_text(octets) ? FileKind::text : FileKind::unknown;
}

FileClass class_of(FileKind kind) {
  using enum FileKind;
  if (kind == unknown || kind == empty) return FileClass::unknown;
  if (kind == text) return FileClass::text;
  if (kind >= windows_program && kind <= webassembly) return FileClass::program;
  if (kind >= zip && kind <= wim) return FileClass::archive;
  if (kind >= iso && kind <= fat_image) return FileClass::disk_image;
  if (kind == html || kind == svg || kind == xml || kind == mht) return FileClass::page;
  if (kind >= ole && kind <= hwp) return FileClass::document;
  if (kind >= png && kind <= metafile) return FileClass::image;
  if (kind == audio) return FileClass::audio;
  if (kind == video || kind == flash) return FileClass::video;
  if (kind == mail || kind == mbox || kind == calendar || kind == vcard) return FileClass::mail;
  return FileClass::other;
}

bool runs(FileKind kind) {
  using enum FileKind;
  return class_of(kind) == FileClass::program || kind == jar || kind == android_package || kind == chm || kind == library_file || kind == desktop_entry;
}

}  // namespace postern::filters
