#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "filters/attachment_sign.h"
#include "gateway/mail/mime.h"

// What the name of an attachment does to who reads it.
namespace postern::filters {

constexpr std::size_t kMaxNames = 16;
constexpr std::size_t kMaxNameLength = 4096;   // octets of UTF-8 that are looked at

// Every name that some mail program will show for a part, as UTF-8, each once: that of Part::file_name() first, then "name" and
// "filename", their plain and their RFC 2231 forms, those of repeated parameters and fields, doubly encoded ones, and the
// "begin" line of uuencode.  At most kMaxNames.
std::vector<std::string> attachment_names(std::string_view message, const mail::Part& part);

// The extension by which Windows opens it, lower case, without dot: trailing dots and blanks, invisible characters and
// an alternate stream ("a.exe::$DATA") do not count.  "" without one.
std::string effective_extension(std::string_view name);

// Why a file of this extension runs or leads away when it is opened, in words; "" when it does not.  Lower case, no dot.
std::string_view danger_of(std::string_view extension);

// The last component, behind the last "/" or "\".
std::string_view base_name(std::string_view name);

// The signs of one name: double extension, blanks, bidirectional and invisible characters and the rest of the first group of Sign.
void add_name_signs(std::string_view name, Signs& signs);

}  // namespace postern::filters
