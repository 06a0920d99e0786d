#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "filters/regex.h"

// The shape of a pattern that PCRE2 took, read from its text: what an automaton may be given of it, and what that costs.
namespace postern::filters {

// Why a pattern must stay out of the automaton, since the two read it differently or it is too dear; a clause.
// "": it may go in, as widened() writes it.
std::string alone_because(const Regex& regex);

// The pattern with counted repeats of many taken for endless ones: it matches more, never less.  Compiling takes a
// tenth of the time, the automaton a fifth of the memory.
std::string widened(std::string_view pattern);

// Positions that a pattern has once its counted repeats are written out, the dearest thing for an automaton:
// "(ab){1,50}" has 100.  An estimate, never below the number of its atoms.
std::size_t written_out(std::string_view pattern);

}  // namespace postern::filters
