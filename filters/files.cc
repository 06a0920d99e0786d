// The attachments as facts: from the reports on their octets.
#include "filters/files.h"

#include <algorithm>
#include <utility>

#include "filters/attachment_signs.h"

namespace postern::filters {
namespace {

// As rules have it: words, no enums.
File file_from(AttachmentReport report) {
  File out;
  out.name = std::move(report.name);
  out.type = std::move(report.declared_type);
  out.size = report.size;
  out.kind = name(report.kind);
  for (const auto& seen : report.signs.list()) out.signs.emplace_back(name(seen.sign), seen.detail);
  for (auto& member : report.members) out.inside.push_back(std::move(member.name));
  out.links = std::move(report.links);
  out.problem = std::move(report.problem);
  return out;
}

bool has_files(const mail::PartTable& table) {
  return std::any_of(table.parts.begin(), table.parts.end(), [](const mail::Part& part) {
    bool text = part.type.type == "text" && part.disposition.kind != "attachment";
    return part.kind == mail::Part::Kind::leaf && (!text || !part.file_name().empty());
  });
}

}  // namespace

Files files_of(std::string_view message, const mail::PartTable& table) {
  AttachmentLimits limits;
  limits.archives.libarchive = false;
  Files out;
  for (auto& report : attachment_reports(message, table, limits)) out.all.push_back(file_from(std::move(report)));
  return out;
}

io::Task<Files> find_files(Octets octets, std::shared_ptr<Parts> parts, io::WorkerPool* workers) {
  const mail::PartTable* table = co_await parts->get();
  Files out;
  if (!has_files(*table)) co_return out;
  // The job keeps the table, too: it may outlive who waits for it.
  auto job = [octets, parts, table] { return files_of(octets.view(), *table); };
  if (workers == nullptr) {
    out = job();
    co_return out;
  }
  Files found = co_await workers->run(std::move(job));
  co_return found;
}

}  // namespace postern::filters
