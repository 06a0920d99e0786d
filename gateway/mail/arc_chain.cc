// The structure of an Authenticated Received Chain.  RFC 8617.
#include "gateway/mail/arc_chain.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/mail/authres_payload.h"
#include "gateway/mail/tag_list.h"

namespace postern::mail {
namespace {

enum class Kind { none, results, message_signature, seal };

Kind kind_of(std::string_view name) {
  if (iequals(name, "ARC-Authentication-Results")) return Kind::results;
  if (iequals(name, "ARC-Message-Signature")) return Kind::message_signature;
  if (iequals(name, "ARC-Seal")) return Kind::seal;
  return Kind::none;
}

// RFC 8617 3.9: one or two digits.  0 for what is none; what is beyond 50 is given as it is.
unsigned parse_instance(std::string_view text) {
  auto number = parse_number(text);
  return number && text.size() <= 2 ? static_cast<unsigned>(*number) : 0;
}

class Reader {
 public:
  ArcChain read(std::string_view message) {
    HeaderReader reader(message);
    HeaderField field;
    while (reader.next(field)) {
      Kind kind = kind_of(field.name);
      if (kind == Kind::none) continue;
      if (++out_.fields <= kMaxArcFields) add(kind, field);
    }
    if (out_.fields > kMaxArcFields) {
      out_.problem.clear();
      wrong(0, "there are more than " + std::to_string(kMaxArcFields) + " ARC fields");
      out_.highest = kMaxArcInstance + 1;
    }
    // RFC 8617 5.2 step 2: before the structure, and it alone decides whether the chain may be added to.
    out_.ended = out_.highest != 0 && out_.highest == ended_at_;
    if (out_.problem.empty() && out_.fields != 0) check();
    return std::move(out_);
  }

 private:
  void wrong(unsigned instance, std::string why) {
    if (!out_.problem.empty()) return;
    out_.broken = instance <= kMaxArcInstance ? instance : 0;
    out_.problem = std::move(why);
  }

  void add(Kind kind, const HeaderField& field) {
    std::string name(field.name.substr(0, 40));
    if (field.raw.size() > kMaxArcField) return wrong(0, "a field " + name + " is too long");
    unsigned instance = 0;
    bool ends = false;
    if (kind == Kind::results) {
      auto parts = split_arc_results(field.raw);
      instance = parts ? parts->instance : 0;
    } else {
      auto tags = TagList::parse(field.raw);
      if (!tags) return wrong(0, "a field " + name + " is malformed: " + tags.error().text);
      instance = parse_instance(tags->find("i").value_or(""));
      ends = kind == Kind::seal && tags->find("cv") == "fail";
    }
    if (instance == 0) return wrong(0, "a field " + name + " has no instance");
    out_.highest = std::max(out_.highest, instance);
    if (ends) ended_at_ = std::max(ended_at_, instance);
    if (instance > kMaxArcInstance) return wrong(0, "the instance " + std::to_string(instance) + " is too high");
    if (out_.sets.size() < instance) out_.sets.resize(instance);
    ArcFields& set = out_.sets[instance - 1];
    auto& place = kind == Kind::results ? set.results : kind == Kind::seal ? set.seal : set.message_signature;
    if (place) return wrong(instance, "set " + std::to_string(instance) + " has " + name + " twice");
    place = field;
  }

  // RFC 8617 5.2 step 3.
  void check() {
    for (unsigned instance = 1; instance <= out_.sets.size(); ++instance) {
      const ArcFields& set = out_.sets[instance - 1];
      std::string which = "set " + std::to_string(instance);
      if (!set.results && !set.seal && !set.message_signature) return wrong(instance, which + " is missing");
      if (!set.results) return wrong(instance, which + " has no ARC-Authentication-Results");
      if (!set.message_signature) return wrong(instance, which + " has no ARC-Message-Signature");
      if (!set.seal) return wrong(instance, which + " has no ARC-Seal");
    }
    for (unsigned instance = 1; instance <= out_.sets.size(); ++instance) {
      auto tags = TagList::parse(out_.sets[instance - 1].seal->raw);
      auto status = tags ? tags->find("cv").value_or("") : std::string_view();
      std::string which = "the seal of set " + std::to_string(instance);
      if (status == "fail") return wrong(instance, which + " says that the chain was broken before it (cv=fail)");
      std::string_view wanted = instance == 1 ? "none" : "pass";
      if (status != wanted) return wrong(instance, which + " has not cv=" + std::string(wanted));
    }
  }

  ArcChain out_;
  unsigned ended_at_ = 0;
};

}  // namespace

ArcChain read_arc_chain(std::string_view message) { return Reader().read(message); }

std::optional<ArcResults> split_arc_results(std::string_view raw) {
  skip_cfws(raw);
  if (!raw.starts_with('i')) return std::nullopt;
  raw.remove_prefix(1);
  skip_cfws(raw);
  if (!raw.starts_with('=')) return std::nullopt;
  raw.remove_prefix(1);
  skip_cfws(raw);
  std::size_t digits = 0;
  while (digits < raw.size() && is_digit(raw[digits])) ++digits;
  ArcResults out;
  out.instance = parse_instance(raw.substr(0, digits));
  raw.remove_prefix(digits);
  skip_cfws(raw);
  if (out.instance == 0 || !raw.starts_with(';')) return std::nullopt;
  out.payload = raw.substr(1);
  return out;
}

}  // namespace postern::mail
