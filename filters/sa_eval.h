#pragma once

#include <string>
#include <string_view>

#include "gateway/base/result.h"

namespace postern::filters::sa {

// SpamAssassin's functions that our facts answer: from "check_for_spf_pass()" to "mail.spf.result == \"pass\"", a Lua
// expression over `mail`.  An error is a clause that says what to use instead, where there is something.
Result<std::string> translate_eval(std::string_view call);

}  // namespace postern::filters::sa
