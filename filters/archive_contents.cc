// The walk through one archive.  How much a zip's member unpacks to is declared, and only what is wanted is unpacked; of other
// formats all must be, since the next member stands behind.
#include "filters/archive_contents.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "filters/little_endian.h"
#include "filters/zip_directory.h"
#include "gateway/mail/charset.h"

namespace postern::filters {
namespace {

using namespace std::string_view_literals;

// Text shrinks to a twentieth, zeros to a thousandth: what unpacks to this many times its size and more than a few MiB was made to.
constexpr std::uint64_t kBombRatio = 150;
constexpr std::uint64_t kBombSize = 16ULL << 20;
constexpr std::uint64_t kHugeSize = 2ULL << 30;
constexpr std::size_t kMaxMemberName = 1024;

std::string size_text(std::uint64_t octets) { return std::to_string(octets >> 20) + " MiB"; }

void fail(ArchiveContents& out, ArchiveContents::State state, std::string problem) {
  if (out.state == ArchiveContents::State::listed) out.state = state;
  if (out.problem.empty()) out.problem = std::move(problem);
}

void check_bomb(std::uint64_t unpacked, std::uint64_t packed, ArchiveContents& out) {
  bool far = unpacked >= kBombSize && unpacked / kBombRatio >= std::max<std::uint64_t>(packed, 1);
  if (far || unpacked >= kHugeSize) out.signs.add(Sign::archive_bomb, size_text(packed) + " unpack to " + size_text(unpacked));
}

// Absolute, a drive, or a step upwards.
bool leaves_folder(std::string_view name) {
  if (name.starts_with('/') || name.starts_with('\\') || (name.size() > 1 && name[1] == ':')) return true;
  for (std::size_t at = 0; at <= name.size();) {
    auto end = std::min(name.find_first_of("/\\", at), name.size());
    if (name.substr(at, end - at) == "..") return true;
    at = end + 1;
  }
  return false;
}

void add_member_signs(const ArchiveMember& member, Signs& signs) {
  if (member.encrypted) signs.add(Sign::encrypted_archive, member.name);
  if (member.link) signs.add(Sign::link_in_archive, member.name);
  if (leaves_folder(member.name)) signs.add(Sign::path_traversal, member.name);
}

class ZipWalk {
 public:
  ZipWalk(std::string_view octets, ArchiveBudget& budget, const WantsContent& wants, const TakeMember& take)
      : octets_(octets), budget_(budget), wants_(wants), take_(take) {}

  ArchiveContents run() {
    ZipDirectory zip = zip_directory(octets_);
    if (!zip.confusion.empty()) out_.signs.add(Sign::zip_confusion, zip.confusion);
    if (zip.prefix != 0 && zip.found) out_.signs.add(Sign::data_before_zip, std::to_string(zip.prefix) + " octets");
    if (zip.names_encrypted) out_.signs.add(Sign::encrypted_names);
    if (zip.overlapping) {
      out_.signs.add(Sign::archive_bomb, "entries share their octets");
      fail(out_, ArchiveContents::State::partly, "its members share their octets and are not unpacked");
    }
    overlapping_ = zip.overlapping;
    if (!zip.damage.empty()) {
      out_.signs.add(Sign::archive_damaged, zip.damage);
      fail(out_, zip.entries.empty() ? ArchiveContents::State::unread : ArchiveContents::State::partly, zip.damage);
    }
    if (zip.truncated) fail(out_, ArchiveContents::State::partly, "more members than are read");
    std::uint64_t declared = 0;
    for (const auto& entry : zip.entries) declared += std::min<std::uint64_t>(entry.size, 1ULL << 50);
    check_bomb(declared, octets_.size(), out_);
    for (const auto& entry : zip.entries) {
      if (budget_.members == 0) {
        fail(out_, ArchiveContents::State::partly, "more members than are looked at");
        break;
      }
      --budget_.members;
      member(entry);
    }
    return std::move(out_);
  }

 private:
  void member(const ZipEntry& entry) {
    ArchiveMember found{entry.name.substr(0, kMaxMemberName), entry.size, entry.encrypted(), entry.directory(), entry.link()};
    if (entry.name.size() > kMaxMemberName) found.name = mail::valid_utf8(found.name);
    add_member_signs(found, out_.signs);
    std::uint64_t wanted = found.encrypted || found.directory || overlapping_ ? 0 : wants_(found);
    if (wanted == 0) return take_(found, {}, false);
    wanted = std::min(wanted, budget_.member_octets);
    if (budget_.octets == 0) {
      fail(out_, ArchiveContents::State::partly, "it unpacks to more than is looked at");
      return take_(found, {}, false);
    }
    auto content = zip_content(octets_, entry, static_cast<std::size_t>(std::min(wanted, budget_.octets)));
    budget_.octets -= std::min<std::uint64_t>(budget_.octets, content.octets.size() + content.used / 4);
    bool whole = content.state == Inflated::State::whole;
    if (content.state == Inflated::State::damaged) {
      bool known = entry.method == 0 || entry.method == 8;
      out_.signs.add(Sign::archive_damaged, known ? "a member cannot be unpacked: " + found.name : "packed in an unusual way: " + found.name);
      fail(out_, ArchiveContents::State::partly, "a member cannot be unpacked");
    } else if (whole ? content.octets.size() != entry.size : content.octets.size() > entry.size) {
      out_.signs.add(Sign::zip_confusion, "a member has another size than the zip says: " + found.name);
    }
    take_(found, content.octets, whole);
  }

  std::string_view octets_;
  ArchiveBudget& budget_;
  const WantsContent& wants_;
  const TakeMember& take_;
  ArchiveContents out_;
  bool overlapping_ = false;
};

struct CloseArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};
using Reader = std::unique_ptr<archive, CloseArchive>;

// One format, by what the magic said: libarchive's own guessing would open things that our table does not know.
Reader open_reader(std::string_view octets, FileKind kind) {
  Reader reader(archive_read_new());
  if (!reader) return reader;
  archive* a = reader.get();
  switch (kind) {
    case FileKind::sevenzip: archive_read_support_format_7zip(a); break;
    case FileKind::rar:
      archive_read_support_format_rar(a);
      archive_read_support_format_rar5(a);
      break;
    case FileKind::tar: archive_read_support_format_tar(a); break;
    case FileKind::cab: archive_read_support_format_cab(a); break;
    case FileKind::iso: archive_read_support_format_iso9660(a); break;
    case FileKind::lha: archive_read_support_format_lha(a); break;
    case FileKind::ar: archive_read_support_format_ar(a); break;
    case FileKind::cpio: archive_read_support_format_cpio(a); break;
    case FileKind::xar: archive_read_support_format_xar(a); break;
    default:
      archive_read_support_filter_gzip(a);
      archive_read_support_filter_bzip2(a);
      archive_read_support_filter_compress(a);
      archive_read_support_filter_lzma(a);
      archive_read_support_filter_xz(a);
      archive_read_support_filter_lzip(a);
      archive_read_support_filter_zstd(a);
      archive_read_support_format_raw(a);
      break;
  }
  if (archive_read_open_memory(a, octets.data(), octets.size()) != ARCHIVE_OK) reader.reset();
  return reader;
}

bool is_stream(FileKind kind) { return kind >= FileKind::gzip && kind <= FileKind::compress; }

class LibraryWalk {
 public:
  LibraryWalk(std::string_view octets, FileKind kind, ArchiveBudget& budget, const WantsContent& wants, const TakeMember& take)
      : octets_(octets), kind_(kind), budget_(budget), wants_(wants), take_(take) {}

  ArchiveContents run() {
    Reader reader = open_reader(octets_, kind_);
    if (!reader) {
      out_.signs.add(Sign::archive_unread, described(kind_));
      fail(out_, ArchiveContents::State::unread, "it cannot be opened");
      return std::move(out_);
    }
    std::size_t seen = 0;
    for (;;) {
      archive_entry* entry = nullptr;
      int got = archive_read_next_header(reader.get(), &entry);
      note_encryption(reader.get());
      if (got == ARCHIVE_EOF) break;
      if (got != ARCHIVE_OK && got != ARCHIVE_WARN) {
        broken(reader.get(), seen == 0);
        break;
      }
      ++seen;
      if (budget_.members == 0) {
        fail(out_, ArchiveContents::State::partly, "more members than are looked at");
        break;
      }
      --budget_.members;
      if (!member(reader.get(), entry)) break;
    }
    check_bomb(unpacked_, octets_.size(), out_);
    return std::move(out_);
  }

 private:
  void note_encryption(archive* a) {
    if (archive_read_has_encrypted_entries(a) > 0) encrypted_ = true;
  }

  void broken(archive* a, bool at_once) {
    const char* text = archive_error_string(a);
    std::string why = text == nullptr ? "it is damaged" : mail::valid_utf8(std::string_view(text).substr(0, 200));
    if (encrypted_ || why.find("ncrypt") != std::string::npos) {
      out_.signs.add(Sign::encrypted_archive);
      if (at_once) out_.signs.add(Sign::encrypted_names);
      fail(out_, at_once ? ArchiveContents::State::unread : ArchiveContents::State::partly, "it has a password");
      return;
    }
    out_.signs.add(at_once ? Sign::archive_unread : Sign::archive_damaged, why);
    fail(out_, at_once ? ArchiveContents::State::unread : ArchiveContents::State::partly, why);
  }

  ArchiveMember describe(archive_entry* entry) const {
    ArchiveMember out;
    const char* path = archive_entry_pathname_utf8(entry);
    if (path == nullptr) path = archive_entry_pathname(entry);
    if (path != nullptr && !is_stream(kind_)) out.name = mail::to_utf8(std::string_view(path).substr(0, kMaxMemberName), {});
    if (archive_entry_size_is_set(entry) != 0) out.size = static_cast<std::uint64_t>(std::max<la_int64_t>(archive_entry_size(entry), 0));
    out.encrypted = archive_entry_is_encrypted(entry) != 0;
    out.directory = archive_entry_filetype(entry) == AE_IFDIR;
    out.link = archive_entry_filetype(entry) == AE_IFLNK || archive_entry_hardlink(entry) != nullptr;
    return out;
  }

  // False: the walk ends.
  bool member(archive* a, archive_entry* entry) {
    ArchiveMember found = describe(entry);
    add_member_signs(found, out_.signs);
    // What it declares alone may be too much; no work is done to see whether it is true.
    if (found.size > budget_.octets) {
      check_bomb(found.size, octets_.size(), out_);
      fail(out_, ArchiveContents::State::partly, "it unpacks to more than is looked at");
      take_(found, {}, false);
      return false;
    }
    std::uint64_t wanted = found.encrypted || found.directory || found.link ? 0 : std::min(wants_(found), budget_.member_octets);
    if (wanted == 0) {
      budget_.octets -= found.directory || found.link ? 0 : found.size;
      take_(found, {}, false);
      return true;
    }
    std::string octets;
    bool whole = false;
    bool go_on = read(a, wanted, octets, whole);
    // To get to the next member the library unpacks the rest of this one.
    budget_.octets -= std::min(budget_.octets, found.size - std::min<std::uint64_t>(found.size, octets.size()));
    if (found.size == 0) found.size = octets.size();
    take_(found, octets, whole);
    if (is_stream(kind_) && !whole) {
      fail(out_, ArchiveContents::State::partly, "it unpacks to more than is looked at");
      return false;
    }
    return go_on;
  }

  bool read(archive* a, std::uint64_t wanted, std::string& octets, bool& whole) {
    std::vector<char> chunk(64 * 1024);
    for (;;) {
      la_ssize_t got = archive_read_data(a, chunk.data(), chunk.size());
      if (got == 0) {
        whole = true;
        return true;
      }
      if (got < 0) {
        broken(a, false);
        return true;   // the next header tells whether there is more
      }
      auto count = static_cast<std::uint64_t>(got);
      unpacked_ += count;
      octets.append(chunk.data(), static_cast<std::size_t>(std::min(count, wanted - octets.size())));
      if (count > budget_.octets) {
        budget_.octets = 0;
        fail(out_, ArchiveContents::State::partly, "it unpacks to more than is looked at");
        return false;
      }
      budget_.octets -= count;
      if (octets.size() >= wanted) return true;   // libarchive skips what is left
    }
  }

  std::string_view octets_;
  FileKind kind_;
  ArchiveBudget& budget_;
  const WantsContent& wants_;
  const TakeMember& take_;
  ArchiveContents out_;
  std::uint64_t unpacked_ = 0;
  bool encrypted_ = false;
};

// RFC 1952 2.3: octets of a header and the name in it.
std::size_t gzip_header(std::string_view octets, std::string& name) {
  auto flags = octets.size() < 10 ? 0U : static_cast<unsigned char>(octets[3]);
  std::size_t at = 10;
  if ((flags & 4) != 0) at += 2 + std::size_t{u16_at(octets, at)};
  if ((flags & 8) != 0) {
    std::string_view written = slice(octets, at, octets.size());
    written = written.substr(0, written.find('\0'));
    at += written.size() + 1;
    name = mail::to_utf8(written.substr(0, kMaxMemberName), {});
  }
  if ((flags & 16) != 0) at = std::min(octets.find('\0', std::min(at, octets.size())), octets.size()) + 1;
  if ((flags & 2) != 0) at += 2;
  return at;
}

// Own code: gzip is common and needs no jail.  Members behind each other are one file, RFC 1952 2.2.
ArchiveContents gzip_contents(std::string_view octets, ArchiveBudget& budget, const WantsContent& wants, const TakeMember& take) {
  constexpr int kMaxPieces = 1000;
  ArchiveContents out;
  ArchiveMember member;
  std::size_t at = gzip_header(octets, member.name);
  add_member_signs(member, out.signs);
  if (budget.members == 0 || budget.octets == 0) {
    fail(out, ArchiveContents::State::partly, "more than is looked at");
    return out;
  }
  --budget.members;
  const std::uint64_t wanted = std::min({wants(member), budget.member_octets, budget.octets});
  std::string content;
  auto state = Inflated::State::whole;
  for (int piece = 0; piece < kMaxPieces && state == Inflated::State::whole; ++piece) {
    auto one = inflate(slice(octets, at, octets.size()), Deflated::raw, static_cast<std::size_t>(wanted - content.size()));
    content += one.octets;
    state = one.state;
    at += one.used + 8;   // checksum and size
    std::string_view rest = slice(octets, at, octets.size());
    if (!rest.starts_with("\x1f\x8b\x08"sv)) break;
    std::string ignored;
    at += gzip_header(rest, ignored);
  }
  budget.octets -= std::min<std::uint64_t>(budget.octets, content.size());
  member.size = content.size();
  if (state == Inflated::State::cut) {
    member.size = std::max<std::uint64_t>(content.size(), u32_at(octets, octets.size() - 4));
    fail(out, ArchiveContents::State::partly, "it unpacks to more than is looked at");
  } else if (state == Inflated::State::damaged) {
    out.signs.add(Sign::archive_damaged, "gzip");
    fail(out, content.empty() ? ArchiveContents::State::unread : ArchiveContents::State::partly, "it is damaged");
  }
  check_bomb(member.size, std::min(at, octets.size()), out);
  take(member, content, state == Inflated::State::whole);
  return out;
}

}  // namespace

bool is_archive(FileKind kind) {
  FileClass c = class_of(kind);
  return c == FileClass::archive || c == FileClass::disk_image;
}

ArchiveContents archive_contents(std::string_view octets, FileKind kind, ArchiveBudget& budget, const WantsContent& wants, const TakeMember& take) {
  using enum FileKind;
  switch (kind) {
    case zip: case jar: case android_package: case ooxml: case word_xml: case excel_xml: case powerpoint_xml: case odf: case epub:
      return ZipWalk(octets, budget, wants, take).run();
    case gzip: return gzip_contents(octets, budget, wants, take);
    case sevenzip: case rar: case tar: case cab: case iso: case lha: case ar: case cpio: case xar: case bzip2: case xz: case lzma: case zstd: case lzip: case compress:
      if (budget.libarchive) return LibraryWalk(octets, kind, budget, wants, take).run();
      break;
    default: break;
  }
  ArchiveContents out;
  out.signs.add(Sign::archive_unread, described(kind));
  fail(out, ArchiveContents::State::unread, "nothing here reads " + std::string(described(kind)));
  return out;
}

}  // namespace postern::filters
