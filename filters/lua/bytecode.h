#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The compiled form of a Lua 5.4 function, read back from lua_dump: what the checker looks at.
// The compiler resolves names and scopes; reading its result is shorter and safer than a second parser.
namespace postern::filters::lua {

enum class Op : std::uint8_t {
  move = 0, load_nil = 8, get_upvalue = 9, set_upvalue = 10, get_tabup = 11, get_table = 12, get_i = 13, get_field = 14,
  set_tabup = 15, set_table = 16, set_i = 17, set_field = 18, self = 20, not_ = 51, close = 54, tbc = 55, jump = 56,
  eq = 57, eq_k = 60, ge_i = 65, test = 66, test_set = 67, call = 68, tail_call = 69, return_ = 70, return_1 = 72,
  for_loop = 73, for_prep = 74, tfor_prep = 75, tfor_call = 76, tfor_loop = 77, set_list = 78, vararg = 80, extra = 82,
};

struct Instruction {
  std::uint32_t raw = 0;
  Op op() const { return static_cast<Op>(raw & 0x7f); }
  unsigned a() const { return (raw >> 7) & 0xff; }
  unsigned b() const { return (raw >> 16) & 0xff; }
  unsigned c() const { return (raw >> 24) & 0xff; }
  bool k() const { return ((raw >> 15) & 1) != 0; }
  unsigned bx() const { return raw >> 15; }
  int sj() const { return static_cast<int>(raw >> 7) - ((1 << 24) - 1); }
};

struct Function {
  struct Upvalue {
    bool in_stack = false;   // a register of the enclosing function, else one of its upvalues
    unsigned index = 0;
    std::string name;
  };
  int line = 0;              // where it begins; 0: the file itself
  unsigned parameters = 0;
  std::vector<Instruction> code;
  std::vector<int> lines;    // of each instruction
  std::vector<std::optional<std::string>> constants;   // the texts among them
  std::vector<Upvalue> upvalues;
  std::vector<Function> children;
};

// `dump` is what lua_dump wrote without stripping; nothing if it is of another version.
std::optional<Function> read_bytecode(std::string_view dump);

}  // namespace postern::filters::lua
