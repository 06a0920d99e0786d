#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "filters/attachment_sign.h"
#include "filters/ole_file.h"

// Visual Basic in Office documents.
namespace postern::filters {

constexpr std::size_t kMaxVbaModules = 200;
constexpr std::size_t kMaxVbaSource = 2 << 20;   // octets of source of one document

// Decompresses a container, MS-OVBA 2.4.1.  What stands before a damage is given; at most `limit` octets.
std::string decompress_vba(std::string_view container, std::size_t limit);

struct VbaProject {
  bool found = false;
  std::vector<std::string> sources;     // of modules, in the order of the directory
  bool source_missing = false;          // a module has code and no source: it was removed to hide it
  std::string problem;                  // "" or what could not be read
};

// All projects of a compound file: every storage that holds a stream "dir" and is called VBA, or has "_VBA_PROJECT".
VbaProject vba_of(const OleFile& file);

// Names that run without being asked for, and words of what macros do with programs and the network.
void add_vba_signs(const VbaProject& project, Signs& signs);

}  // namespace postern::filters
