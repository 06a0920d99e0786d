// The words and sentences of the signs, one place for rules, logs and documentation.
#include "filters/attachment_sign.h"

#include "gateway/base/check.h"
#include "gateway/mail/charset.h"

namespace postern::filters {
namespace {

struct Text {
  std::string_view word;
  std::string_view reason;
};

constexpr std::array<Text, kSigns> kTexts = {{
    {"double_extension", "the name carries a harmless extension before a dangerous one"},
    {"long_blanks", "the name pushes its extension out of sight with blanks"},
    {"bidi_name", "the name turns its direction of writing, which shows another extension"},
    {"invisible_name", "the name holds invisible characters"},
    {"trailing_dots", "the name ends in dots or blanks, which Windows drops"},
    {"names_differ", "mail programs will show it under different extensions"},
    {"dangerous_extension", "the name's extension makes it run when it is opened"},
    {"clsid_extension", "the name ends in a class identifier, which Windows opens and hides"},
    {"path_in_name", "the name holds a path"},
    {"control_in_name", "the name holds control characters"},
    {"long_name", "the name is longer than any file system takes"},
    {"lookalike_dot", "the name holds a character that looks like a dot"},
    {"type_mismatch", "the content is not what its name or type says"},
    {"disguised_program", "a program or script under the name or type of something harmless"},
    {"program", "a program"},
    {"script", "a script"},
    {"shortcut", "a Windows shortcut"},
    {"installer", "an installer package"},
    {"encrypted_archive", "an archive with a password"},
    {"encrypted_names", "an archive whose names are encrypted, too"},
    {"nested_archive", "an archive inside an archive"},
    {"program_in_archive", "a program inside an archive"},
    {"dangerous_in_archive", "a file inside an archive runs when it is opened"},
    {"archive_bomb", "unpacks to far more than it should"},
    {"quine", "an archive that contains itself"},
    {"path_traversal", "an archive that would write outside of its folder"},
    {"link_in_archive", "an archive with links to other places"},
    {"zip_confusion", "a zip that different programs unpack differently"},
    {"data_before_zip", "a zip that stands behind other data"},
    {"archive_unread", "an archive that cannot be looked into"},
    {"archive_damaged", "an archive that is damaged"},
    {"disk_image", "a disk image, whose files escape the mark of the web"},
    {"too_deep", "too many things inside each other"},
    {"macro", "a document with macros"},
    {"auto_macro", "a macro that starts by itself"},
    {"suspicious_macro", "a macro that starts programs or loads files"},
    {"macro_without_source", "a macro whose source was removed"},
    {"excel4_macro", "an Excel 4 macro sheet"},
    {"hidden_sheet", "a sheet that Excel's menu cannot unhide"},
    {"embedded_object", "a document with an embedded object"},
    {"embedded_program", "a document with a program or script inside"},
    {"encrypted_document", "a document with a password"},
    {"dde", "a field that starts a program (DDE)"},
    {"external_template", "a document that loads its template from elsewhere"},
    {"external_object", "a document that loads an object from elsewhere"},
    {"activex", "a document with ActiveX controls"},
    {"document_damaged", "a document whose structure is broken"},
    {"equation_editor", "an object of the old equation editor, known for its holes"},
    {"rtf_object", "an RTF text with an embedded object"},
    {"rtf_object_update", "an RTF object that loads itself when the text is opened"},
    {"rtf_obfuscated", "an RTF text written to mislead scanners"},
    {"rtf_template", "an RTF text that loads its template from elsewhere"},
    {"pdf_javascript", "a PDF with JavaScript"},
    {"pdf_open_action", "a PDF that acts when it is opened"},
    {"pdf_launch", "a PDF that starts a program"},
    {"pdf_embedded_file", "a PDF with a file inside"},
    {"pdf_encrypted", "an encrypted PDF"},
    {"pdf_name_escapes", "a PDF that writes its names in escapes"},
    {"pdf_submit_form", "a PDF whose form goes elsewhere"},
    {"pdf_remote_goto", "a PDF that opens another file"},
    {"pdf_xfa", "a PDF with an XFA form"},
    {"pdf_rich_media", "a PDF with films or Flash"},
    {"pdf_hidden_objects", "a PDF whose objects cannot be unpacked"},
    {"html_smuggling", "a page that builds a file and saves it"},
    {"html_blob", "a page whose script makes files"},
    {"html_download", "a page whose link saves a file"},
    {"html_eval", "a page whose script runs text as code or writes the page"},
    {"html_decode", "a page whose script decodes text"},
    {"html_obfuscated", "a page written in escapes"},
    {"html_large_data", "a page with a large encoded text"},
    {"html_password_form", "a page that asks for a password"},
    {"html_form", "a page with a form that goes elsewhere"},
    {"html_redirect", "a page that goes elsewhere by itself"},
    {"html_frame", "a page with another page in it"},
    {"svg_script", "an image with a script"},
    {"formula_in_text", "a table whose cell starts a program"},
    {"onenote_file", "a OneNote section with a file inside"},
    {"remote_target", "points at a file on another machine"},
    {"shortcut_command", "a shortcut with a command line"},
    {"calendar_invitation", "an invitation to a meeting"},
    {"tnef", "wrapped by Outlook (winmail.dat)"},
    {"query_file", "a query that loads data from elsewhere"},
}};

const Text& text_of(Sign sign) {
  auto index = static_cast<std::size_t>(sign);
  CHECK(index < kSigns);
  return kTexts[index];
}

}  // namespace

std::string_view name(Sign sign) { return text_of(sign).word; }
std::string_view reason(Sign sign) { return text_of(sign).reason; }

void Signs::add(Sign sign, std::string_view detail) {
  bool& seen = seen_[static_cast<std::size_t>(sign)];
  if (seen) return;
  seen = true;
  // Cut inside a character the rest would be no UTF-8; what octets say is foreign anyway.
  std::string text = mail::valid_utf8(detail.substr(0, kMaxDetail));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  list_.push_back({sign, std::move(text)});
}

std::string_view Signs::detail(Sign sign) const {
  if (!has(sign)) return {};
  for (const Seen& seen : list_) {
    if (seen.sign == sign) return seen.detail;
  }
  return {};
}

void Signs::merge(const Signs& inner, std::string_view where) {
  for (const Seen& seen : inner.list_) {
    if (has(seen.sign)) continue;
    std::string detail(where);
    if (!where.empty() && !seen.detail.empty()) detail += ": ";
    add(seen.sign, detail + seen.detail);
  }
}

}  // namespace postern::filters
