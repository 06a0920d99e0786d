#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filters/siphash.h"
#include "gateway/mail/mime.h"

// Hashes of parts that stay alike when names, numbers, links and some words of a part are changed.
namespace postern::filters {

constexpr std::size_t kFuzzyHashes = 32;
constexpr std::size_t kMaxFuzzyText = 64 * 1024;          // octets of a text that are looked at
constexpr std::size_t kMaxShingles = 4000;                // of these the first
constexpr std::size_t kMinShingles = 12;                  // fewer different ones: the text has an exact hash only
constexpr std::size_t kMinExactWords = 5;                 // words that a text must have to be hashed at all
constexpr std::size_t kMinFuzzyFile = 512;                // octets of a file that is hashed: smaller ones are signatures' pictures and the like
constexpr std::size_t kMaxFuzzyFile = 16 * 1024 * 1024;
constexpr std::size_t kMaxFuzzyParts = 20;                // digests of one message

struct FuzzyDigest {
  enum class Kind : std::uint8_t {
    text,     // `hashes`: the least hash of all shingles under each of 32 orders
    words,    // a short text: `exact` of its words
    file,     // an image or attachment: `exact` of its octets
  };
  Kind kind = Kind::words;
  std::array<std::uint32_t, kFuzzyHashes> hashes{};
  std::array<std::uint64_t, 2> exact{};

  bool operator==(const FuzzyDigest&) const = default;
};

// Of a readable text.  Left out before: quoted lines and the line that introduces them, what stands below "-- " or a line of
// underscores (signatures and the footers of lists), words with digits or at signs, links.  Then three words a shingle,
// without case and accents; a character of Chinese or Japanese is a word.  nullopt: nothing is left that is worth it.
std::optional<FuzzyDigest> text_digest(std::string_view text, const HashKey& key);
std::optional<FuzzyDigest> file_digest(std::string_view octets, const HashKey& key);

// All parts of a message: its plain texts together, its HTML texts together when they say something else, then files.
std::vector<FuzzyDigest> digests_of(std::string_view message, const mail::PartTable& table, const HashKey& key);
// An HTML page without what it quotes: <blockquote>, and all behind the marks that mail programs put before an answered message.
std::string without_quotes(std::string_view html);

// The share of the shingles that two texts have in common, estimated to about 0.09; 0 or 1 for exact hashes.
double similarity(const FuzzyDigest& one, const FuzzyDigest& other);

// The words that are hashed, for people who wonder why two mails are alike.
std::vector<std::string> fuzzy_words(std::string_view text);

}  // namespace postern::filters
