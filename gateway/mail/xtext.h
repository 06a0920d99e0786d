#pragma once

#include <string>
#include <string_view>

// Octets that cannot stand in a command or a status field as they are: RFC 3461 4 (xtext), RFC 6533 3 (unitext).
namespace postern::mail {

// xtext: "+3D" is "=".  A "+" without two capital hexadecimal digits behind it stays.  The result may hold any octet.
std::string xtext_decoded(std::string_view text);

// utf-8-addr-xtext and utf-8-addr-unitext: "\x{E9}" is "é".  An escape that names no character stays.
std::string unitext_decoded(std::string_view text);

// All three want valid UTF-8 and write "\x{...}" for:
std::string addr_unitext(std::string_view utf8);    // control octets, space, "\", "+" and "="
std::string addr_xtext(std::string_view utf8);      // these and every character that is no ASCII
std::string ascii_escaped(std::string_view utf8);   // characters that are no ASCII alone: for words, not for addresses

}  // namespace postern::mail
