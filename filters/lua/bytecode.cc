// Reads what lua_dump of Lua 5.4 writes (ldump.c's format 0).
#include "filters/lua/bytecode.h"

#include <cstring>

namespace postern::filters::lua {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view octets) : rest_(octets) {}
  bool failed() const { return failed_; }

  std::string_view take(std::size_t count) {
    if (count > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    std::string_view out = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return out;
  }
  unsigned octet() {
    auto one = take(1);
    return one.empty() ? 0 : static_cast<unsigned char>(one[0]);
  }
  // Seven bits an octet, the highest first; the last one has its top bit set.
  std::size_t number() {
    std::size_t value = 0;
    for (int i = 0; i < 10 && !failed_; ++i) {
      unsigned next = octet();
      value = (value << 7) | (next & 0x7f);
      if ((next & 0x80) != 0) return value;
    }
    failed_ = true;
    return 0;
  }
  // How many things follow, each of at least `least` octets.
  std::size_t count(std::size_t least) {
    std::size_t value = number();
    if (value > rest_.size() / least) failed_ = true;
    return failed_ ? 0 : value;
  }
  std::string text() {
    std::size_t size = number();
    return size == 0 ? "" : std::string(take(size - 1));
  }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

void read_constants(Reader& reader, Function& out) {
  for (std::size_t i = reader.count(1); i > 0 && !reader.failed(); --i) {
    switch (reader.octet()) {
      case 0x13:                                             // float
      case 0x03: reader.take(8); break;                      // integer
      case 0x04:
      case 0x14: out.constants.emplace_back(reader.text()); continue;
      default: break;                                        // nil, false, true
    }
    out.constants.emplace_back();
  }
}

void read_debug(Reader& reader, Function& out) {
  std::string_view deltas = reader.take(reader.count(1));
  std::vector<std::pair<std::size_t, int>> fixed;
  for (std::size_t i = reader.count(2); i > 0; --i) {
    std::size_t pc = reader.number();
    fixed.emplace_back(pc, static_cast<int>(reader.number()));
  }
  int line = out.line;
  std::size_t next = 0;
  for (std::size_t pc = 0; pc < deltas.size(); ++pc) {
    auto delta = static_cast<signed char>(deltas[pc]);
    if (delta == -0x80 && next < fixed.size()) {
      line = fixed[next++].second;
    } else {
      line += delta;
    }
    out.lines.push_back(line);
  }
  for (std::size_t i = reader.count(3); i > 0; --i) {  // local variables
    reader.text();
    reader.number();
    reader.number();
  }
  std::size_t names = reader.count(1);
  for (std::size_t i = 0; i < names; ++i) {
    std::string name = reader.text();
    if (i < out.upvalues.size()) out.upvalues[i].name = std::move(name);
  }
}

Function read_function(Reader& reader, int depth) {
  Function out;
  if (depth > 200) reader.take(static_cast<std::size_t>(-1));
  if (reader.failed()) return out;
  reader.text();  // source; empty for children
  out.line = static_cast<int>(reader.number());
  reader.number();
  out.parameters = reader.octet();
  reader.octet();
  reader.octet();
  for (std::size_t i = reader.count(4); i > 0 && !reader.failed(); --i) {
    Instruction instruction;
    std::memcpy(&instruction.raw, reader.take(4).data(), 4);
    out.code.push_back(instruction);
  }
  read_constants(reader, out);
  for (std::size_t i = reader.count(3); i > 0; --i) {
    Function::Upvalue upvalue;
    upvalue.in_stack = reader.octet() != 0;
    upvalue.index = reader.octet();
    reader.octet();
    out.upvalues.push_back(std::move(upvalue));
  }
  for (std::size_t i = reader.count(8); i > 0 && !reader.failed(); --i) out.children.push_back(read_function(reader, depth + 1));
  read_debug(reader, out);
  if (out.lines.size() != out.code.size()) reader.take(static_cast<std::size_t>(-1));
  return out;
}

}  // namespace

std::optional<Function> read_bytecode(std::string_view dump) {
  static constexpr std::string_view kHead("\x1bLua\x54\x00\x19\x93\r\n\x1a\n\x04\x08\x08", 15);
  if (!dump.starts_with(kHead)) return std::nullopt;
  Reader reader(dump.substr(kHead.size()));
  reader.take(16);  // a known integer and a known float
  reader.octet();   // upvalues of the file
  Function main = read_function(reader, 0);
  if (reader.failed()) return std::nullopt;
  return main;
}

}  // namespace postern::filters::lua
