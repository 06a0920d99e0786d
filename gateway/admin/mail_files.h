#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"

// Mail that lies in files, as `explain` and `rules fit` judge it.
namespace postern::admin {

// Every regular file below, sorted by path.
std::vector<std::string> files_below(const std::string& folder);

// The octets of a file, or of standard input for "-"; pipes and files that grow are read to their end.
Result<std::string> read_file(const std::string& file);

// As DATA would have brought it: no mbox "From " line, every line with CRLF.
std::string as_received(std::string_view text);

// The address in Return-Path, "" for none.
std::string return_path(std::string_view message);

}  // namespace postern::admin
