#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

// Who pretends to be us: domains that can be taken for ours, names of our people over foreign addresses.
namespace postern::filters {

struct StaffMember {
  std::string name;                        // "Nguyễn Văn An"; of one word alone nobody is told from his namesakes: left out
  std::vector<std::string> addresses;      // all that are his, private ones as well
};

struct OwnNames {
  std::vector<std::string> domains;        // ours
  std::vector<std::string> known;          // of others that may look like ours: sisters, partners
  std::vector<StaffMember> staff;
};

enum class Likeness : std::uint8_t {
  same_look,             // another domain of the same skeleton: "c0rp.example"
  spelling,              // one or two letters differ, two are swapped, a hyphen came or went: "corqoration.example"
  other_suffix,          // our name below another suffix: "corporation.co"
  added_words,           // our name with words around it: "corporation-support.example", "mycorporation.example"
  own_inside,            // our whole domain in another one: "corporation.example.evil.test", "corporation-example.test"
  staff_name,            // a staff member's name over a foreign address
  own_address_in_name,   // the display name is or holds an address of ours, the real one is foreign
  own_name_in_name,      // the display name holds the name of a domain of ours
  reply_elsewhere,       // From is ours, or pretends to be, and answers go to somebody else
};
std::string_view name(Likeness likeness);

struct Resemblance {
  Likeness kind = Likeness::same_look;
  std::string what;      // the foreign domain, address or name; printable
  std::string whom;      // the domain, address or name of ours
  int distance = 0;      // of spelling: 1 or 2
  std::string reason;    // "the domain c0rp.example looks like our corp.example"
};

// What is asked of one message.
struct AskedSender {
  std::string name;              // display name of From, decoded
  std::string address;           // of From
  std::string reply_to;          // the first address of Reply-To, "" without one
  bool proved_ours = false;      // a user of ours wrote it, or our domain is proved: then nothing resembles anything
};

// Made once for a configuration; immutable then, so any thread may read it.  A look-up costs what the name is long,
// whatever the number of our domains and people.
class LookalikeIndex {
 public:
  static constexpr std::size_t kMaxDomains = 10'000;       // of each list; more are not looked for
  static constexpr std::size_t kMaxStaff = 100'000;
  static constexpr std::size_t kMinCloseLabel = 5;         // letters of a label whose spelling is compared
  static constexpr std::size_t kMinTwoLetters = 9;         // and of one in which two letters may differ
  static constexpr std::size_t kMaxCloseLabel = 32;

  explicit LookalikeIndex(const OwnNames& own);

  // Ours, or below one of ours.  Any case, A-labels or Unicode.
  bool is_ours(std::string_view domain) const;
  // How a domain resembles one of ours; nullopt for ours, known ones, free mail providers and those that resemble none.
  // For hosts of links as well.
  std::optional<Resemblance> domain(std::string_view domain) const;
  // All that From and Reply-To pretend, the worst first.
  std::vector<Resemblance> sender(const AskedSender& asked) const;

 private:
  struct Person {
    std::string name;
    std::unordered_set<std::string> addresses;
  };
  struct Close {
    std::string own;
    int distance;
  };

  void add_domain(const std::string& domain);
  void add_person(const StaffMember& member);
  std::optional<Close> closest(const std::string& label) const;
  std::optional<std::string> with_words_around(const std::string& label) const;
  std::optional<std::string> inside(const std::string& domain) const;
  const Person* person(std::string_view display_name, std::string_view address) const;
  std::optional<std::string> own_name_in(std::string_view display_name) const;

  std::unordered_set<std::string> domains_;                    // A-labels
  std::unordered_set<std::string> orgs_;                       // registrable ones of domains_
  std::unordered_set<std::string> known_;
  std::unordered_map<std::string, std::string> skeletons_;     // of a registrable domain -> the domain
  std::unordered_map<std::string, std::string> labels_;        // its first label -> the domain; no common words
  std::unordered_map<std::string, std::string> label_skeletons_;
  std::unordered_map<std::string, std::string> bare_;          // first labels without hyphens
  std::unordered_multimap<std::size_t, std::string> deletes_;  // hashes of labels with up to two letters taken out -> the label
  std::unordered_multimap<std::string, std::size_t> names_;    // both forms of a name -> people_
  std::vector<Person> people_;
};

}  // namespace postern::filters
