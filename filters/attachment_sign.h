#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What may be odd about an attachment: a closed list of signs, each seen or not, with a detail in words.  A sign is
// evidence, no verdict: rules weigh it.
namespace postern::filters {

enum class Sign : std::uint8_t {
  // the name
  double_extension, long_blanks, bidi_name, invisible_name, trailing_dots, names_differ, dangerous_extension, clsid_extension,
  path_in_name, control_in_name, long_name, lookalike_dot,
  // the octets against what is said of them
  type_mismatch, disguised_program, program, script, shortcut, installer,
  // archives
  encrypted_archive, encrypted_names, nested_archive, program_in_archive, dangerous_in_archive, archive_bomb, quine, path_traversal,
  link_in_archive, zip_confusion, data_before_zip, archive_unread, archive_damaged, disk_image, too_deep,
  // Office and its kin
  macro, auto_macro, suspicious_macro, macro_without_source, excel4_macro, hidden_sheet, embedded_object, embedded_program,
  encrypted_document, dde, external_template, external_object, activex, document_damaged, equation_editor,
  // RTF
  rtf_object, rtf_object_update, rtf_obfuscated, rtf_template,
  // PDF
  pdf_javascript, pdf_open_action, pdf_launch, pdf_embedded_file, pdf_encrypted, pdf_name_escapes, pdf_submit_form, pdf_remote_goto,
  pdf_xfa, pdf_rich_media, pdf_hidden_objects,
  // HTML, SVG
  html_smuggling, html_blob, html_download, html_eval, html_decode, html_obfuscated, html_large_data, html_password_form, html_form,
  html_redirect, html_frame, svg_script,
  // the rest
  formula_in_text, onenote_file, remote_target, shortcut_command, calendar_invitation, tnef, query_file,
  count_of_signs,
};

inline constexpr std::size_t kSigns = static_cast<std::size_t>(Sign::count_of_signs);

// The sign's word for rules and logs, "double_extension"; words never change once they are out.
std::string_view name(Sign sign);
// A sentence for humans: "the name ends in two extensions".
std::string_view reason(Sign sign);

// Each sign once, in the order they were seen, with the first detail that was given.  Details are UTF-8 and short.
class Signs {
 public:
  struct Seen {
    Sign sign;
    std::string detail;
  };

  void add(Sign sign, std::string_view detail = {});
  bool has(Sign sign) const { return seen_[static_cast<std::size_t>(sign)]; }
  std::string_view detail(Sign sign) const;   // "" when it was not seen, too
  const std::vector<Seen>& list() const { return list_; }
  bool empty() const { return list_.empty(); }
  // What was seen in something inside; its details get `where` in front.
  void merge(const Signs& inner, std::string_view where = {});

 private:
  static constexpr std::size_t kMaxDetail = 200;

  std::array<bool, kSigns> seen_{};
  std::vector<Seen> list_;
};

}  // namespace postern::filters
