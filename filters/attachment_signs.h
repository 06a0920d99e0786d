#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "filters/archive_contents.h"
#include "filters/attachment_sign.h"
#include "filters/file_type.h"
#include "gateway/mail/mime.h"

// What an attachment is, what lies in it at any depth, and what is odd about all of that.  Pure functions on octets, any thread.
namespace postern::filters {

struct AttachmentLimits {
  ArchiveBudget archives;                   // unpacking, all levels and attachments together
  std::uint64_t examined = 96ULL << 20;     // octets that are looked at, those of inner files again
  std::size_t files = 3'000;                // inner files that are looked at
  int depth = 8;                            // things in things
  std::size_t members = 500;                // that are listed; more are looked at
  std::size_t parts = 100;                  // attachments of one message
};

// A part as it came: decoded octets, what its header says.
struct AttachmentFile {
  std::string_view octets;
  std::string_view declared_type;           // "application/pdf", lower case, or ""
  std::vector<std::string> names;           // all of attachment_names(), the one to show first
  bool whole = true;                        // false: octets are only the beginning of it
};

struct InnerMember {
  std::string name;        // UTF-8; "" when it has none
  std::uint64_t size = 0;
  int depth = 1;           // 1: in the attachment itself
  FileKind kind = FileKind::unknown;   // unknown as well when it was not unpacked
  bool encrypted = false;
};

struct AttachmentReport {
  std::string name;                     // the first name, or ""
  std::string declared_type;
  std::uint64_t size = 0;               // octets that were given
  FileKind kind = FileKind::unknown;    // of the attachment itself
  Signs signs;                          // of it and of everything in it; details name where
  std::vector<InnerMember> members;     // archives and documents, in the order they were met
  bool more_members = false;            // than are listed
  std::vector<std::string> links;       // found inside, at most kMaxFoundLinks
  bool more_links = false;
  std::string problem;                  // "" = all of it was looked at; else why not: a password, a bound, damage, a format
};

// Memory: about what an archive's largest members unpack to; time: bounded by the limits, whatever the octets are.
AttachmentReport attachment_report(const AttachmentFile& file, const AttachmentLimits& limits = {});

// All attachments of a message, in the order of its parts: every leaf that has a name, is marked as an attachment or is no text, and
// embedded messages' as well, since those are parts.  The limits are for all together.  A message without attachments costs a look at its table.
// Of a declared and real image only the beginning is decoded.
std::vector<AttachmentReport> attachment_reports(std::string_view message, const mail::PartTable& table, const AttachmentLimits& limits = {});

}  // namespace postern::filters
