// Two ways in which Microsoft's programs wrap files.  Both are lists of records, read in one pass.
#include "filters/wrapped_files.h"

#include <algorithm>

#include "filters/little_endian.h"
#include "gateway/base/text.h"
#include "gateway/mail/charset.h"

namespace postern::filters {
namespace {

using namespace std::string_view_literals;

constexpr auto kFileData = "\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac"sv;
constexpr std::size_t kMaxNameOctets = 1024;

// MS-OXTNEF 2.1.3.3: attribute identifiers.
constexpr std::uint32_t kRendering = 0x00069002;    // begins an attachment
constexpr std::uint32_t kTitle = 0x00018010;
constexpr std::uint32_t kData = 0x0006800f;
constexpr std::uint32_t kAttachment = 0x00069005;   // MAPI properties
constexpr std::uint32_t kBody = 0x0002800c;
constexpr std::uint32_t kProperties = 0x00069003;

// PidTagAttachLongFilename in a list of MAPI properties: type, identifier, a count of 1, a length, the text.
std::string long_name(std::string_view properties) {
  for (bool wide : {true, false}) {
    std::string_view tag = wide ? "\x1f\0\x07\x37"sv : "\x1e\0\x07\x37"sv;
    auto at = properties.find(tag);
    if (at == std::string_view::npos || u32_at(properties, at + 4) != 1) continue;
    std::string_view text = slice(properties, at + 12, std::min<std::uint64_t>(u32_at(properties, at + 8), kMaxNameOctets));
    std::string name = mail::to_utf8(text, wide ? "utf-16le" : "");
    name.resize(std::min(name.find('\0'), name.size()));
    return name;
  }
  return {};
}

class Tnef {
 public:
  Tnef(std::string_view octets, FoundLinks& links, const TakeInner& inner) : octets_(octets), links_(links), inner_(inner) {}

  DocumentSigns run() {
    out_.kind = FileKind::tnef;
    out_.signs.add(Sign::tnef);
    std::size_t at = 6;   // signature and key
    while (at + 9 <= octets_.size()) {
      auto level = static_cast<unsigned char>(octets_[at]);
      std::uint32_t id = u32_at(octets_, at + 1);
      std::uint32_t length = u32_at(octets_, at + 5);
      std::string_view content = slice(octets_, at + 9, length);
      if (level != 1 && level != 2) {
        damaged();
        break;
      }
      attribute(id, content);
      if (content.size() < length) {
        damaged();
        break;
      }
      at += 9 + std::size_t{length} + 2;   // a checksum
    }
    give();
    return std::move(out_);
  }

 private:
  void damaged() {
    out_.signs.add(Sign::document_damaged, "TNEF");
    if (out_.problem.empty()) out_.problem = "it is damaged";
  }

  void attribute(std::uint32_t id, std::string_view content) {
    if (id == kRendering) give();
    if (id == kTitle) title_ = mail::to_utf8(content.substr(0, std::min(content.find('\0'), kMaxNameOctets)), {});
    if (id == kData) data_ = content;
    if (id == kAttachment) {
      if (std::string name = long_name(content); !name.empty()) title_ = name;
    }
    if (id == kBody || id == kProperties) links_.scan(content.substr(0, 1 << 20));
  }

  void give() {
    if (!data_.empty() || !title_.empty()) {
      if (++files_ > kMaxWrappedFiles) {
        if (out_.problem.empty()) out_.problem = "more attachments than are looked at";
      } else {
        inner_({title_, data_});
      }
    }
    title_.clear();
    data_ = {};
  }

  std::string_view octets_;
  FoundLinks& links_;
  const TakeInner& inner_;
  DocumentSigns out_;
  std::string title_;
  std::string_view data_;
  std::size_t files_ = 0;
};

}  // namespace

DocumentSigns onenote_signs(std::string_view octets, FoundLinks& links, const TakeInner& inner) {
  DocumentSigns out;
  out.kind = FileKind::onenote;
  std::size_t files = 0;
  for (auto at = octets.find(kFileData); at != std::string_view::npos;) {
    std::uint64_t length = u64_at(octets, at + 16);
    std::string_view content = slice(octets, at + 36, length);
    if (++files > kMaxWrappedFiles) {
      out.problem = "more files than are looked at";
      break;
    }
    if (!content.empty()) {
      FileKind kind = file_kind(content);
      if (class_of(kind) != FileClass::image) out.signs.add(Sign::onenote_file, described(kind));
      inner({{}, content});
    }
    at = octets.find(kFileData, at + 16 + (length <= octets.size() ? content.size() : 0));
  }
  links.scan(octets.substr(0, 4 << 20));
  return out;
}

DocumentSigns tnef_signs(std::string_view octets, FoundLinks& links, const TakeInner& inner) { return Tnef(octets, links, inner).run(); }

}  // namespace postern::filters
