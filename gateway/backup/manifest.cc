// The manifest: one JSON object, and below it its own checksum.
#include "gateway/backup/manifest.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "gateway/store/crc32c.h"
#include "gateway/store/rows.h"

namespace postern::backup {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;
constexpr Time kLast{std::chrono::seconds(253'402'300'799)};   // of the year 9999
constexpr std::string_view kSum = "\ncrc32c ";

std::string hex_number(std::uint64_t number, int digits) {
  char text[17];
  std::snprintf(text, sizeof text, "%0*llx", digits, static_cast<unsigned long long>(number));
  return text;
}

// Names of files in one folder, and nothing that leads out of it.
bool is_plain(const std::string& name) {
  return !name.empty() && name.size() < 200 && name[0] != '.' && name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
}

Manifest read(const json& in) {
  Manifest out;
  out.version = in.at("version").get<std::string>();
  out.hostname = in.at("hostname").get<std::string>();
  out.moment = Time(std::chrono::microseconds(in.at("moment_us").get<std::int64_t>()));
  for (const auto& row : in.at("rows")) {
    out.rows.push_back({row.at("name").get<std::string>(), row.at("octets").get<std::uint64_t>(), row.at("crc32c").get<std::uint32_t>()});
  }
  for (const auto& one : in.at("segments")) {
    out.segments.push_back({one.at("number").get<std::uint64_t>(), one.at("octets").get<std::uint64_t>(),
                            one.at("crc32c").get<std::uint32_t>(), one.at("changed_ns").get<std::int64_t>()});
  }
  return out;
}

}  // namespace

std::string Segment::file() const { return hex_number(number, 16) + "-" + hex_number(sum, 8) + ".seg"; }

std::uint64_t Manifest::octets() const {
  std::uint64_t octets = 0;
  for (const auto& file : rows) octets += file.octets;
  for (const auto& segment : segments) octets += segment.octets;
  return octets;
}

std::string encode(const Manifest& manifest) {
  json out{{"format", kFormat},
           {"store", store::kFormat},
           {"version", manifest.version},
           {"hostname", manifest.hostname},
           {"moment", rfc3339(manifest.moment)},
           {"moment_us", manifest.moment.time_since_epoch().count()}};
  auto& rows = out["rows"] = json::array();
  for (const auto& file : manifest.rows) rows.push_back({{"name", file.name}, {"octets", file.octets}, {"crc32c", file.sum}});
  auto& segments = out["segments"] = json::array();
  for (const auto& one : manifest.segments) {
    segments.push_back({{"number", one.number}, {"octets", one.octets}, {"crc32c", one.sum}, {"changed_ns", one.changed}});
  }
  auto text = out.dump(1, ' ', false, json::error_handler_t::replace);
  return text + std::string(kSum) + hex_number(store::crc32c(0, text), 8) + "\n";
}

Result<Manifest> decode_manifest(std::string_view text) {
  auto end = text.rfind(kSum);
  if (end == std::string_view::npos) return Error("it is cut short");
  auto body = text.substr(0, end);
  if (text.substr(end) != std::string(kSum) + hex_number(store::crc32c(0, body), 8) + "\n") return Error("its checksum is wrong");
  auto parsed = json::parse(body, nullptr, false);
  if (!parsed.is_object()) return Error("it is no JSON object");
  try {
    auto format = parsed.at("format").get<int>();
    if (format != kFormat) return Error("it has the format " + std::to_string(format) + ", this program knows " + std::to_string(kFormat));
    auto store = parsed.at("store").get<std::string>();
    if (store != store::kFormat) return Error("its store has the format \"" + store + "\", this program knows \"" + std::string(store::kFormat) + "\"");
    auto manifest = read(parsed);
    if (manifest.moment < Time{} || manifest.moment > kLast) return Error("its moment is none");
    for (const auto& file : manifest.rows) {
      if (!is_plain(file.name)) return Error("it names a file that is none of a backup's");
    }
    return manifest;
  } catch (const json::exception& wrong) {
    return Error(wrong.what());
  }
}

}  // namespace postern::backup
