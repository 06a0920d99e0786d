#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "filters/attachment_sign.h"
#include "filters/file_type.h"

// What lies in an archive, one level of it.  Zip is read by our own code (zip_directory.h); 7z, RAR, tar, cab, ISO 9660, LHA, ar, cpio, xar and
// single compressed files by libarchive; ARJ, ACE, UDF, disk images and others by nobody, which is said.
namespace postern::filters {

// Shared by an archive and all archives in it: what is used up is gone.
struct ArchiveBudget {
  std::uint64_t octets = 48ULL << 20;        // that are unpacked
  std::size_t members = 5'000;
  std::uint64_t member_octets = 16ULL << 20; // of one member: of a longer one this much is looked at
  // libarchive has a long history of holes: leave it out where no jail is around.  Zip and gzip go on without.
  bool libarchive = true;
};

struct ArchiveMember {
  std::string name;            // UTF-8, "" for the content of a single compressed file without a name
  std::uint64_t size = 0;      // declared; when nothing is declared, what came out
  bool encrypted = false;
  bool directory = false;
  bool link = false;
};

// A member, and its content as far as it was unpacked: `whole` says whether that is all.  Encrypted ones and those that
// `wants_content` does not want come without.  Octets are valid during the call.
using TakeMember = std::function<void(const ArchiveMember&, std::string_view octets, bool whole)>;
// How much of a member is wanted: 0 nothing.
using WantsContent = std::function<std::uint64_t(const ArchiveMember&)>;

struct ArchiveContents {
  enum class State {
    listed,   // to its end
    partly,   // bounds were met or it is damaged: `problem` says which
    unread,   // nothing could be listed: `problem` says why
  } state = State::listed;
  Signs signs;              // encrypted_*, archive_*, path_traversal, link_in_archive, zip_confusion, ...
  std::string problem;
};

bool is_archive(FileKind kind);
ArchiveContents archive_contents(std::string_view octets, FileKind kind, ArchiveBudget& budget, const WantsContent& wants, const TakeMember& take);

}  // namespace postern::filters
