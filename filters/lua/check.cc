// Finds mistakes in compiled rules by following what each register holds along straight lines of
// code.  It says nothing where it is not sure: a rule set must not be refused for a guess.
#include "filters/lua/check.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "filters/lua/bind.h"
#include "filters/lua/bind_facts.h"
#include "filters/lua/bytecode.h"
#include "gateway/base/text.h"

namespace postern::filters::lua {
namespace {

std::vector<std::string_view> fields_of(std::string_view kind) {
  auto fact = fact_fields().find(kind);
  return fact != fact_fields().end() ? fact->second : field_names(kind);
}

// What reading `field` of a `kind` gives, as far as it has fields itself.
std::string kind_of_field(const std::string& kind, const std::string& field) {
  if (kind == "mail" && field == "conn") return "conn";
  std::string path = kind + "." + field;
  return fact_fields().contains(path) ? path : "";
}

std::optional<Word> verdict_word(std::string_view text) {
  for (Word word : {Word::score, Word::tag, Word::accept, Word::defer, Word::quarantine, Word::reject, Word::redirect, Word::journal}) {
    if (name(word) == text) return word;
  }
  return std::nullopt;
}

struct File {
  const std::string& name;
  const std::set<std::string, std::less<>>& globals;
  const std::vector<RuleInfo>& rules;
  std::vector<Mistake>& mistakes;
};

// What is known of a register or an upvalue.
struct Known {
  std::string kind;            // "conn", "mail", "rcpt" or a fact
  std::string shared;          // name of a variable of the file
  std::optional<Word> maker;   // the function that makes this verdict
};

class FunctionCheck {
 public:
  FunctionCheck(File& file, const Function& function, const FunctionCheck* outer, const RuleInfo* rule)
      : file_(file), function_(function), outer_(outer), rule_(rule), registers_(256) {
    resolve_upvalues();
    find_targets();
    set_parameters();
  }

  void run() {
    for (std::size_t pc = 0; pc < function_.code.size(); ++pc) {
      if (targets_.contains(pc)) forget_all();
      look(pc, function_.code[pc]);
    }
    for (const Function& child : function_.children) check_child(child);
  }

 private:
  void mistake(std::size_t pc, std::string what) {
    file_.mistakes.push_back({file_.name + ":" + std::to_string(function_.lines[pc]), std::move(what)});
  }

  // --- where values come from

  void resolve_upvalues() {
    for (const auto& upvalue : function_.upvalues) {
      Known known;
      if (outer_ != nullptr && upvalue.in_stack && upvalue.index < 256) {
        if (outer_->is_file()) {
          known.shared = upvalue.name;
        } else if (upvalue.index < outer_->parameters_.size()) {
          known.kind = outer_->parameters_[upvalue.index];
        }
      } else if (outer_ != nullptr && !upvalue.in_stack && upvalue.index < outer_->upvalues_.size()) {
        known = outer_->upvalues_[upvalue.index];
      }
      upvalues_.push_back(std::move(known));
    }
  }

  bool is_file() const { return outer_ == nullptr; }
  bool is_environment(unsigned upvalue) const { return upvalue < function_.upvalues.size() && function_.upvalues[upvalue].name == "_ENV"; }

  void find_targets() {
    for (std::size_t pc = 0; pc < function_.code.size(); ++pc) {
      Instruction code = function_.code[pc];
      auto at = static_cast<long>(pc) + 1;
      switch (code.op()) {
        case Op::jump: at += code.sj(); break;
        case Op::for_loop:
        case Op::tfor_loop: at -= static_cast<long>(code.bx()); break;
        case Op::for_prep: at += static_cast<long>(code.bx()) + 1; break;
        case Op::tfor_prep: at += static_cast<long>(code.bx()); break;
        default: continue;
      }
      targets_.insert(static_cast<std::size_t>(at));
    }
  }

  // A parameter that is assigned anywhere is not followed.
  void set_parameters() {
    if (rule_ == nullptr) return;
    using smtp::Stage;
    parameters_ = {rule_->stage == Stage::connect ? "conn" : "mail"};
    if (rule_->stage == Stage::rcpt || rule_->stage == Stage::deliver) parameters_.emplace_back("rcpt");
    parameters_.resize(std::min<std::size_t>(parameters_.size(), function_.parameters));
    for (Instruction code : function_.code) {
      if (sets_a(code.op()) && code.a() < parameters_.size()) parameters_[code.a()].clear();
    }
    forget_all();
  }

  void forget_all() {
    std::fill(registers_.begin(), registers_.end(), Known());
    for (std::size_t i = 0; i < parameters_.size(); ++i) registers_[i].kind = parameters_[i];
  }
  void forget_from(unsigned first) {
    for (unsigned i = first; i < 256; ++i) registers_[i] = Known();
  }

  static bool sets_a(Op op) {
    switch (op) {
      case Op::set_upvalue:
      case Op::set_tabup:
      case Op::set_table:
      case Op::set_i:
      case Op::set_field:
      case Op::close:
      case Op::tbc:
      case Op::jump:
      case Op::test:
      case Op::return_:
      case Op::return_1:
      case Op::set_list:
      case Op::extra: return false;
      default: break;
    }
    auto number = static_cast<unsigned>(op);
    bool compares = number >= static_cast<unsigned>(Op::eq) && number <= static_cast<unsigned>(Op::ge_i);
    bool metamethod = number >= 46 && number <= 48;  // what follows an arithmetic instruction
    return !compares && !metamethod && number != 71;
  }

  const std::string* constant(unsigned index) const {
    return index < function_.constants.size() && function_.constants[index] ? &*function_.constants[index] : nullptr;
  }

  // --- what is wrong

  Known read_field(std::size_t pc, const std::string& kind, const std::string* field) {
    if (kind.empty() || field == nullptr) return {};
    auto known = fields_of(kind);
    if (std::find(known.begin(), known.end(), *field) == known.end()) {
      mistake(pc, "unknown field \"" + printable(*field, 40) + "\" of " + kind + did_you_mean(*field, known));
      return {};
    }
    Known out;
    out.kind = kind_of_field(kind, *field);
    return out;
  }

  Known read_global(std::size_t pc, const std::string* global) {
    Known out;
    if (global == nullptr) return out;
    if (!file_.globals.contains(*global)) {
      std::vector<std::string_view> known(file_.globals.begin(), file_.globals.end());
      mistake(pc, "unknown name \"" + printable(*global, 40) + "\"" + did_you_mean(*global, known));
      return out;
    }
    out.maker = verdict_word(*global);
    const RuleInfo* rule = rule_in_force();
    if (out.maker && rule != nullptr && !allowed(*out.maker, rule->stage)) {
      mistake(pc, *global + " is no verdict of stage " + std::string(smtp::name(rule->stage)) + ", which takes " + allowed_words(rule->stage));
    }
    return out;
  }

  const RuleInfo* rule_in_force() const {
    for (const FunctionCheck* one = this; one != nullptr; one = one->outer_) {
      if (one->rule_ != nullptr) return one->rule_;
    }
    return nullptr;
  }

  void assigned_shared(std::size_t pc, const std::string& variable) {
    if (variable.empty() || is_file()) return;
    mistake(pc, "\"" + variable + "\" belongs to the file and is changed in a function: messages would share it by chance; use count, remember and recall");
  }

  void fact_compared(std::size_t pc, const std::string& kind) {
    if (!fact_fields().contains(kind)) return;
    mistake(pc, kind + " is a table, so it never equals a text: compare " + kind + "." + std::string(fact_fields().find(kind)->second.front()));
  }

  void fact_tested(std::size_t pc, const std::string& kind) {
    if (kind == "mail.virus") mistake(pc, "mail.virus is always there: compare mail.virus.state with \"found\" or \"error\"");
  }

  void look(std::size_t pc, Instruction code) {
    Known result;
    switch (code.op()) {
      case Op::move: result = registers_[code.b()]; break;
      case Op::get_upvalue:
        if (is_environment(code.b())) mistake(pc, "_ENV is not available in rules");
        if (code.b() < upvalues_.size()) result = upvalues_[code.b()];
        break;
      case Op::get_tabup:
        result = is_environment(code.b()) ? read_global(pc, constant(code.c())) : read_field(pc, upvalues_[code.b()].kind, constant(code.c()));
        break;
      case Op::get_field: result = read_field(pc, registers_[code.b()].kind, constant(code.c())); break;
      case Op::self: {
        Known subject = registers_[code.b()];
        if (code.k()) read_field(pc, subject.kind, constant(code.c()));
        registers_[code.a() + 1] = subject;
        break;
      }
      case Op::set_upvalue: assigned_shared(pc, upvalues_[code.b()].shared); return;
      case Op::set_tabup:
        if (!is_environment(code.a())) {
          assigned_shared(pc, upvalues_[code.a()].shared);
        } else if (const std::string* global = constant(code.b())) {
          mistake(pc, "global variable \"" + printable(*global, 40) + "\" assigned: globals are frozen, write local " + printable(*global, 40));
        }
        return;
      case Op::set_table:
      case Op::set_i:
      case Op::set_field: assigned_shared(pc, registers_[code.a()].shared); return;
      case Op::eq_k:
        if (constant(code.b()) != nullptr) fact_compared(pc, registers_[code.a()].kind);
        return;
      case Op::tbc: mistake(pc, "<close> is not available in rules"); return;
      case Op::test: fact_tested(pc, registers_[code.a()].kind); return;
      case Op::test_set:
      case Op::not_: fact_tested(pc, registers_[code.b()].kind); break;
      case Op::call:
        if (registers_[code.a()].maker && code.c() == 1) {
          std::string word(name(*registers_[code.a()].maker));
          mistake(pc, "the verdict " + word + " is made and not returned: write return " + word + "(...)");
        }
        forget_from(code.a());
        return;
      case Op::load_nil:
        for (unsigned i = 0; i <= code.b() && code.a() + i < 256; ++i) registers_[code.a() + i] = Known();
        return;
      case Op::vararg:
      case Op::tfor_call:
      case Op::for_prep:
      case Op::for_loop: forget_from(code.a()); return;
      default:
        if (!sets_a(code.op())) return;
        break;
    }
    registers_[code.a()] = std::move(result);
  }

  void check_child(const Function& child) {
    const RuleInfo* rule = nullptr;
    std::size_t matches = 0;
    for (const RuleInfo& info : file_.rules) {
      if (info.file != file_.name || info.check_line != child.line) continue;
      rule = &info;
      ++matches;
    }
    // Two on one line cannot be told apart; neither is followed.
    bool certain = matches == 1 && is_file() &&
                   std::count_if(function_.children.begin(), function_.children.end(), [&child](const Function& one) { return one.line == child.line; }) == 1;
    FunctionCheck(file_, child, this, certain ? rule : nullptr).run();
  }

  File& file_;
  const Function& function_;
  const FunctionCheck* outer_;
  const RuleInfo* rule_;
  std::vector<std::string> parameters_;
  std::vector<Known> registers_;
  std::vector<Known> upvalues_;
  std::set<std::size_t> targets_;
};

int append(lua_State*, const void* octets, std::size_t size, void* out) {
  static_cast<std::string*>(out)->append(static_cast<const char*>(octets), size);
  return 0;
}

std::string compile(State& state, const SourceFile& file) {
  std::string dump;
  std::string problem;
  state.protect(
      [&](lua_State* lua) {
        std::string chunk = "@" + file.name;
        if (luaL_loadbufferx(lua, file.text.data(), file.text.size(), chunk.c_str(), "t") != LUA_OK) lua_error(lua);
        lua_dump(lua, append, &dump, 0);
      },
      problem);
  if (!problem.empty()) dump.clear();  // that it does not compile was said when it was loaded
  return dump;
}

std::set<std::string, std::less<>> known_globals(State& state) {
  std::set<std::string, std::less<>> names;
  std::string problem;
  state.protect(
      [&names](lua_State* lua) {
        lua_getfield(lua, LUA_REGISTRYINDEX, kGlobals);
        for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) {
          if (lua_type(lua, -2) == LUA_TSTRING) names.insert(lua_tostring(lua, -2));
        }
      },
      problem);
  return names;
}

}  // namespace

void check(State& state, std::vector<Mistake>& mistakes) {
  auto globals = known_globals(state);
  for (const SourceFile* source : state.generation().own_files()) {
    std::string dump = compile(state, *source);
    if (dump.empty()) continue;
    auto main = read_bytecode(dump);
    if (!main) {
      mistakes.push_back({source->name, "the compiled form cannot be checked: another version of Lua 5.4 than this program was made for"});
      continue;
    }
    File file{source->name, globals, state.rules(), mistakes};
    FunctionCheck(file, *main, nullptr, nullptr).run();
  }
}

}  // namespace postern::filters::lua
