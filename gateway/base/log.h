#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

// The log: one line an event, key=value, to standard error, in one write (lines never mix).
//   log::info("smtp.refused", {{"session", id}, {"ip", ip.to_string()}});
//   time=2026-11-24T03:59:02Z level=info event=smtp.refused session=... ip=...
// Values with a space, quote, '=' or control octet are quoted and escaped.  Safe from any thread.
namespace postern::log {

using Field = std::pair<std::string_view, std::string>;
using Fields = std::initializer_list<Field>;

enum class Level { debug, info, warning, error };

// Lines below the level are dropped; the default is info.
void set_level(Level level);
bool enabled(Level level);

void debug(std::string_view event, Fields fields = {});
void info(std::string_view event, Fields fields = {});
void warning(std::string_view event, Fields fields = {});
void error(std::string_view event, Fields fields = {});

// One line without its newline, as it would be written; for tests.
std::string line(Level level, std::string_view event, Fields fields);

}  // namespace postern::log
