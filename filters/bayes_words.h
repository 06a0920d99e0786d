#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace postern::filters {

// A word of a text in the form in which Bayes learns it.
struct BayesWord {
  enum class Kind : std::uint8_t {
    word,      // in lower case
    number,    // digits alone: its class, "#4" = four digits; a year or an order's number says nothing, its shape may
    money,     // with a currency: "$7" = seven digits before the point
    percent,   // as written, "50%"
    code,      // letters and digits mixed, or too long: "code:12" (octets, in steps), what was random stays a class
    piece,     // two neighbours of an unspaced script
    picture,   // an emoji
  };
  Kind kind = Kind::word;
  std::string_view text;     // valid until the next call
  std::string_view folded;   // what was disguised as `text` ("viagra" of "v1agra"), or ""
  enum class Disguise : std::uint8_t { none, digits, look_alikes, invisible, spaced } disguise = Disguise::none;
  bool capitals = false;     // two or more letters, all of them capitals
};

// Reads the words of UTF-8 text one after the other; invalid octets part words.  No memory of its own but a few
// hundred octets; each octet of the text is looked at at most twice.  The text must outlive the reader.
class BayesWords {
 public:
  // Words of more octets are `code`.
  static constexpr std::size_t kMaxWord = 40;

  explicit BayesWords(std::string_view text) : text_(text) {}
  // False at the end.  A single letter is no word, unless letters were spaced out ("V I A G R A", one word).
  bool next(BayesWord& word);
  // Where reading goes on.
  std::size_t at() const { return at_; }

 private:
  struct Run;
  void take_run(Run& run);
  bool take_joiner(Run& run);
  void append(Run& run, char32_t small);
  bool finish(const Run& run, BayesWord& word);
  void number_form(const Run& run, BayesWord& word);
  void mixed_form(const Run& run, BayesWord& word);
  bool spaced_out(const Run& first, BayesWord& word);
  void take_piece(std::size_t length, BayesWord& word);

  std::string_view text_;
  std::size_t at_ = 0;
  bool after_piece_ = false;            // the unspaced character at at_ was the second of a piece
  std::array<char, 4 * kMaxWord> buffer_{};
  std::array<char, kMaxWord + 1> fold_{};
};

}  // namespace postern::filters
