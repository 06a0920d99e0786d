#pragma once

#include "filters/lua/test_case.h"

struct lua_State;

// Each reads what the table on the stack says of one kind of fact.  A mistake raises an error of Lua.
namespace postern::filters::lua {

// From `given`.
void read_spf(lua_State* lua, int given, TestCase& test);
void read_dkim(lua_State* lua, int given, TestCase& test);
void read_dmarc(lua_State* lua, int given, TestCase& test);
void read_arc(lua_State* lua, int given, TestCase& test);
void read_links(lua_State* lua, int given, TestCase& test);   // and attachments
void read_files(lua_State* lua, int given, TestCase& test);
void read_signs(lua_State* lua, int given, TestCase& test);
// From the test's own table.
void read_scanner(lua_State* lua, int table, TestCase& test);

}  // namespace postern::filters::lua
