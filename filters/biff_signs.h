#pragma once

#include <string>
#include <string_view>

namespace postern::filters {

// What the stream "Workbook" of an Excel 97 file says (MS-XLS 2.3).
struct BiffSigns {
  bool encrypted = false;        // FilePass: what stands behind cannot be read
  std::string macro_sheet;       // name of the first Excel 4 macro sheet
  std::string hidden_sheet;      // of the first that is "very hidden": no menu shows it
  bool auto_name = false;        // a built-in name Auto_Open and its like
  std::string dde;               // application and topic of a DDE or OLE link
  std::string problem;           // more records than are read
};

// One pass over the records, at most kMaxBiffRecords (ole_signs.h).
BiffSigns biff_signs(std::string_view stream);

}  // namespace postern::filters
