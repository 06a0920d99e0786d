// A message in the forms that SpamAssassin's rules are written for: rawbody, full, ALL, paragraphs.
#include "filters/source_text.h"

#include "gateway/mail/mime.h"
#include "gateway/mail/text.h"

namespace postern::filters {
namespace {

// CRLF becomes LF; a CR alone stays.
void append_lines(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    out += text[i];
  }
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

}  // namespace

std::string source_of(std::string_view message) {
  std::string out;
  append_lines(out, message.substr(0, kMaxSource));
  return out;
}

std::string header_source_of(std::string_view message) {
  message = message.substr(0, kMaxSource);
  mail::HeaderBlock header(message);
  std::string out;
  append_lines(out, message.substr(0, header.fields_end()));
  return out;
}

std::string header_text_of(const mail::HeaderBlock& header) {
  std::string out;
  std::size_t read = 0;
  for (const auto& field : header.fields()) {
    if ((read += field.end - field.begin) > kMaxSource) break;
    if (field.name.empty()) continue;
    ((out += field.name) += ": ") += mail::readable(field.raw);
    out += '\n';
  }
  return out;
}

std::string raw_text_of(std::string_view message) {
  message = message.substr(0, kMaxSource);
  mail::PartTable table = mail::parse(message);
  std::string out;
  for (const auto& part : table.parts) {
    if (part.kind != mail::Part::Kind::leaf || part.type.type != "text") continue;
    append_lines(out, mail::part_octets(message, part, kMaxSource));
    if (!out.empty() && out.back() != '\n') out += '\n';
    if (out.size() > kMaxSource) break;
  }
  if (out.size() > kMaxSource) out.resize(kMaxSource);
  return out;
}

std::string part_headers_of(std::string_view message) {
  message = message.substr(0, kMaxSource);
  mail::PartTable table = mail::parse(message);
  std::string out;
  for (const auto& part : table.parts) {
    mail::HeaderReader reader(mail::header_of(message, part));
    for (mail::HeaderField field; out.size() < kMaxSource && reader.next(field);) {
      if (field.name.empty()) continue;
      ((out += field.name) += ": ") += mail::unfolded(field.raw);
      out += '\n';
    }
  }
  return out;
}

std::string paragraphs_of(std::string_view subject, std::string_view text) {
  std::string out(subject);
  out += '\n';
  bool open = false, space = false;      // in a paragraph; white space was met in it
  std::size_t line_ends = 0;
  for (std::size_t i = 0; i < text.size() && i < kMaxSource; ++i) {
    bool hard_space = text.substr(i, 2) == "\xc2\xa0";
    if (hard_space) ++i;
    if (hard_space || is_blank(text[i])) {
      space = true;
      continue;
    }
    if (text[i] == '\n') {
      space = true;
      ++line_ends;
      continue;
    }
    if (open && line_ends > 1) {
      out += '\n';
    } else if (open && space) {
      out += ' ';
    }
    out += text[i];
    open = true;
    space = false;
    line_ends = 0;
  }
  if (open) out += '\n';
  return out;
}

}  // namespace postern::filters
