// The part table as a blob for the message row, and back without trust: rows may be damaged or from another version.
#include <algorithm>
#include <array>

#include "gateway/mail/blob.h"
#include "gateway/mail/mime.h"

namespace postern::mail {

namespace {

constexpr std::uint64_t kVersion = 1;

void put_parameters(std::string& out, const Parameters& parameters) {
  put_number(out, parameters.raw().size());
  for (const Parameter& parameter : parameters.raw()) {
    put_text(out, parameter.name);
    put_text(out, parameter.value);
  }
}

Parameters read_parameters(BlobReader& reader) {
  Parameters parameters;
  auto count = reader.number(kMaxParameters);
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
    std::string name(reader.text());
    std::string value(reader.text());
    parameters.add(std::move(name), std::move(value));
  }
  return parameters;
}

// The rare texts share one octet that says which are there.
template <class PartType>
auto rare_texts(PartType& part) {
  return std::array{&part.encoding_word, &part.disposition.kind, &part.id, &part.description,
                    &part.md5, &part.language, &part.location, &part.envelope};
}

void put_part(std::string& out, const Part& part) {
  put_number(out, static_cast<unsigned>(part.kind) | (part.is_message ? 4U : 0U) | static_cast<unsigned>(part.encoding) << 3);
  put_number(out, part.parent);
  put_number(out, part.depth);
  put_number(out, part.header);
  put_number(out, part.body - part.header);
  put_number(out, part.end - part.body);
  put_number(out, part.lines);
  put_text(out, part.type.type);
  put_text(out, part.type.subtype);
  put_parameters(out, part.type.parameters);
  put_parameters(out, part.disposition.parameters);
  auto texts = rare_texts(part);
  std::uint64_t present = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) present |= texts[i]->empty() ? 0 : 1ULL << i;
  put_number(out, present);
  for (const std::string* text : texts) {
    if (!text->empty()) put_text(out, *text);
  }
}

Part read_part(BlobReader& reader, std::uint64_t size) {
  Part part;
  auto bits = reader.number(0x3f);
  part.kind = static_cast<Part::Kind>(std::min<std::uint64_t>(bits & 3, 2));
  part.is_message = (bits & 4) != 0;
  part.encoding = static_cast<TransferEncoding>(std::min<std::uint64_t>(bits >> 3, 4));
  part.parent = static_cast<std::uint16_t>(reader.number(kMaxParts - 1));
  part.depth = static_cast<std::uint8_t>(reader.number(kMaxDepth));
  part.header = static_cast<std::uint32_t>(reader.number(size));
  part.body = part.header + static_cast<std::uint32_t>(reader.number(size - part.header));
  part.end = part.body + static_cast<std::uint32_t>(reader.number(size - part.body));
  part.lines = static_cast<std::uint32_t>(reader.number(part.end - part.body));
  part.type.type = reader.text();
  part.type.subtype = reader.text();
  part.type.parameters = read_parameters(reader);
  part.disposition.parameters = read_parameters(reader);
  auto texts = rare_texts(part);
  auto present = reader.number(0xff);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if ((present >> i & 1) != 0) *texts[i] = reader.text();
  }
  return part;
}

// What every user of a table relies on: depth first order, children inside their parents.
bool fits(const PartTable& table, std::size_t index) {
  const Part& part = table.parts[index];
  if (index == 0) return part.parent == 0 && part.depth == 0 && part.is_message && part.header == 0;
  if (part.parent >= index) return false;
  const Part& parent = table.parts[part.parent];
  const Part& before = table.parts[index - 1];
  bool follows = part.parent == index - 1 || (before.depth >= part.depth && before.parent >= part.parent);
  return follows && parent.kind != Part::Kind::leaf && part.depth == parent.depth + 1 && part.header >= parent.body &&
         part.end <= parent.end && part.is_message == (parent.kind == Part::Kind::message);
}

bool has_its_message(const PartTable& table, std::size_t index) {
  if (table.parts[index].kind != Part::Kind::message) return true;
  return index + 1 < table.parts.size() && table.parts[index + 1].parent == index;
}

}  // namespace

std::string serialize(const PartTable& table) {
  std::string out;
  out.reserve(32 + table.parts.size() * 64);
  put_number(out, kVersion);
  put_number(out, table.size);
  put_number(out, table.truncated ? 1 : 0);
  put_number(out, table.parts.size());
  for (const Part& part : table.parts) put_part(out, part);
  return out;
}

Result<PartTable> deserialize(std::string_view blob) {
  BlobReader reader(blob);
  if (reader.number() != kVersion) return Error("part table: unknown version");
  PartTable table;
  table.size = static_cast<std::uint32_t>(reader.number(UINT32_MAX));
  table.truncated = reader.number(1) == 1;
  auto count = reader.number(kMaxParts);
  for (std::uint64_t i = 0; i < count; ++i) {
    table.parts.push_back(read_part(reader, table.size));
    if (!reader.ok() || !fits(table, i)) return Error("part table: damaged at part " + std::to_string(i));
  }
  for (std::size_t i = 0; i < table.parts.size(); ++i) {
    if (!has_its_message(table, i)) return Error("part table: a message/rfc822 without its message");
  }
  if (!reader.ok() || !reader.at_end() || table.parts.empty()) return Error("part table: damaged");
  return table;
}

}  // namespace postern::mail
