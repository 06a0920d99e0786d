#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "filters/attachment_sign.h"
#include "filters/file_type.h"
#include "filters/found_links.h"

// Compound files of Office: Word, Excel, PowerPoint, Outlook messages, installers, and what may be embedded in them.
namespace postern::filters {

constexpr std::size_t kMaxOleRead = 64 << 20;       // octets of streams that are looked at, in one file
constexpr std::size_t kMaxBiffRecords = 1'000'000;  // of a workbook

struct InnerFile {
  std::string name;            // as the document has it, UTF-8, or ""
  std::string_view octets;     // valid during the call alone
};
using TakeInner = std::function<void(const InnerFile&)>;

struct DocumentSigns {
  FileKind kind = FileKind::unknown;   // more exact than file_kind()
  Signs signs;
  std::string problem;                 // "" or why something was not looked at: damaged, encrypted, more than the bounds
};

// `inner` is given embedded files and the attachments of an Outlook message; links are added to `links`.
DocumentSigns ole_signs(std::string_view octets, FoundLinks& links, const TakeInner& inner);

// A stream "\1Ole10Native" or an RTF package, MS-OLEDS 2.3.6: names of the file and its content, which lies in `native`.  `with_size`: the size of the
// whole stands before it.
struct OlePackage {
  std::string label;
  std::string path;
  std::string_view content;
};
OlePackage ole_package(std::string_view native, bool with_size);

}  // namespace postern::filters
