// Records of a workbook: BoundSheet8 2.4.28, FilePass 2.4.117, Lbl 2.4.150, SupBook 2.4.271.
#include "filters/biff_signs.h"

#include "filters/little_endian.h"
#include "filters/ole_signs.h"
#include "gateway/base/text.h"
#include "gateway/mail/charset.h"

namespace postern::filters {
namespace {

// ShortXLUnicodeString: the count stands before the flags.
std::string short_name(std::string_view record, std::size_t at) {
  if (at + 2 > record.size()) return {};
  std::size_t count = static_cast<unsigned char>(record[at]);
  bool wide = (record[at + 1] & 1) != 0;
  std::string_view text = slice(record, at + 2, wide ? count * 2 : count);
  return mail::to_utf8(text, wide ? "utf-16le" : "");
}

void sheet(std::string_view record, BiffSigns& out) {
  if (record.size() < 8) return;
  int state = record[4] & 3;
  int type = static_cast<unsigned char>(record[5]);
  std::string sheet_name = short_name(record, 6);
  if (sheet_name.empty()) sheet_name = "(without name)";
  if (type == 1 && out.macro_sheet.empty()) out.macro_sheet = sheet_name;
  if (state == 2 && out.hidden_sheet.empty()) out.hidden_sheet = sheet_name;
}

void defined_name(std::string_view record, BiffSigns& out) {
  if (record.size() < 16) return;
  bool built_in = (u16_at(record, 0) & 0x20) != 0;
  std::size_t count = static_cast<unsigned char>(record[3]);
  std::string_view text = slice(record, 14, count + 1);
  // 1 Auto_Open, 2 Auto_Close, 10 Auto_Activate, 11 Auto_Deactivate
  if (built_in && text.size() >= 2) {
    auto code = static_cast<unsigned char>(text[1]);
    out.auto_name = out.auto_name || code == 1 || code == 2 || code == 10 || code == 11;
  }
  if (!built_in && text.size() > 1 && istarts_with(text.substr(1), "auto_")) out.auto_name = true;
}

void supporting_book(std::string_view record, BiffSigns& out) {
  std::size_t count = u16_at(record, 2);
  if (record.size() < 6 || count == 0 || count > 255 || !out.dde.empty()) return;
  bool wide = (record[4] & 1) != 0;
  std::string path = mail::to_utf8(slice(record, 5, wide ? count * 2 : count), wide ? "utf-16le" : "");
  // Application, 0x03, topic.
  if (path.find('\x03') != std::string::npos) out.dde = printable(path, 120);
}

}  // namespace

BiffSigns biff_signs(std::string_view stream) {
  BiffSigns out;
  std::size_t records = 0;
  for (std::size_t at = 0; at + 4 <= stream.size();) {
    if (++records > kMaxBiffRecords) {
      out.problem = "more records than are read";
      break;
    }
    std::uint16_t type = u16_at(stream, at);
    std::uint16_t length = u16_at(stream, at + 2);
    std::string_view record = slice(stream, at + 4, length);
    at += 4 + std::size_t{length};
    switch (type) {
      case 0x002f:
        out.encrypted = true;   // sheet names are encrypted as well, except for their positions; nothing to read
        return out;
      case 0x0085: sheet(record, out); break;
      case 0x0018: defined_name(record, out); break;
      case 0x01ae: supporting_book(record, out); break;
      default: break;
    }
  }
  return out;
}

}  // namespace postern::filters
