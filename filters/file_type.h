#pragma once

#include <cstdint>
#include <string_view>

// What a file really is, by its octets, and whether its name and its declared type say the same.
namespace postern::filters {

enum class FileKind : std::uint8_t {
  unknown,   // octets that no entry of our table knows
  empty, text,
  // what a machine runs
  windows_program, dos_program, elf, mach_o, java_class, android_dex, script, windows_script, batch, hta, shell_link, msi, webassembly,
  // archives
  zip, jar, android_package, sevenzip, rar, tar, gzip, bzip2, xz, lzma, zstd, lzip, compress, cab, arj, ace, lha, ar, cpio, rpm, xar,
  zoo, szdd, chm, wim,
  // disk images
  iso, udf, vhd, vhdx, vmdk, qcow, dmg, fat_image,
  // documents
  ole, word, excel, powerpoint, outlook_message, ooxml, word_xml, excel_xml, powerpoint_xml, odf, epub, rtf, pdf, postscript, onenote,
  tnef, html, svg, xml, mht, djvu, url_file, library_file, sylk, query, hwp,
  // harmless as such
  png, jpeg, gif, bmp, webp, tiff, icon, photoshop, heic, metafile, audio, video, flash, font, mail, mbox, calendar, vcard, pgp, pkcs7,
  database, access_database, registry, desktop_entry,
  count_of_kinds,
};

enum class FileClass : std::uint8_t { unknown, text, program, archive, disk_image, document, page, image, audio, video, mail, other };

// Its word, "windows_program"; the same in rules and logs.
std::string_view name(FileKind kind);
// A few words for humans: "Windows program".
std::string_view described(FileKind kind);
FileClass class_of(FileKind kind);
// Runs, when it is opened: programs, scripts, shortcuts, installers.
bool runs(FileKind kind);

// By magic numbers and, for text, by how it begins; reads at most the first 40 KiB and the last 512 octets.  Of a zip its
// first local headers are looked at: the zip's directory knows better (office_zip.h).  Never fails.
FileKind file_kind(std::string_view octets);

// What an extension ("pdf", without dot, any case) or a media type ("application/pdf") promises; unknown when it promises nothing.
FileKind kind_of_extension(std::string_view extension);
FileKind kind_of_media_type(std::string_view type);

// Whether a file that is `real` may go by what `promised` says: Word opens RTF and HTML under .doc, a zip may be many things.
// True when either is unknown: what cannot be told is no mismatch.
bool agrees(FileKind promised, FileKind real);

}  // namespace postern::filters
