// Segments: where the octets of messages lie.  Design 5; the two halves of a commit are "octets
// synced" and then "rows synced", so octets without a row are garbage and nothing else is.
#include "gateway/store/body_store.h"

#include <algorithm>
#include <cstring>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/store/crc32c.h"

namespace postern::store {
namespace {

constexpr std::uint32_t kRecordMagic = 0x32425450;   // "PTB2"
constexpr std::string_view kSegmentMagic = "postern bodies\n1";
constexpr std::size_t kMaxOpenFiles = 64;
constexpr std::uint64_t kSmallRecord = 64 << 10;     // read whole, so that its checksum is always checked
constexpr std::uint64_t kMaxHead = 64 << 10;
constexpr std::string_view kSuffix = ".seg";

template <class T>
void put_number(char* to, T number) {
  for (std::size_t i = 0; i < sizeof(T); ++i) to[i] = static_cast<char>(number >> (8 * i));
}
template <class T>
T get_number(const char* from) {
  T number = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) number |= static_cast<T>(static_cast<unsigned char>(from[i])) << (8 * i);
  return number;
}

// What stands behind the checksum in the header.
std::string numbers_of(const RecordHeader& header) {
  std::string numbers(kRecordHeader - 8, '\0');
  put_number(numbers.data(), header.length);
  put_number(numbers.data() + 8, header.id);
  put_number(numbers.data() + 16, header.head_length);
  put_number(numbers.data() + 20, header.head_sum);
  return numbers;
}

// The checksum covers octets and numbers: a record that lies where another should is found.
std::uint32_t sealed(std::uint32_t octets_sum, const RecordHeader& header) { return crc32c(octets_sum, numbers_of(header)); }

std::string record_header(const NewBody& body) {
  RecordHeader header{.length = body.length, .id = body.id, .head_length = body.head_length, .head_sum = body.head_sum};
  std::string front(8, '\0');
  put_number(front.data(), kRecordMagic);
  put_number(front.data() + 4, sealed(body.sum, header));
  return front + numbers_of(header);
}

// How many of the octets are the message's header, empty line included; 0: more than kMaxHead.
std::uint32_t head_of(const std::vector<Octets>& pieces) {
  std::uint64_t at = 0;
  std::size_t matched = 2;   // of CR LF CR LF: at the start a line begins
  for (const auto& piece : pieces) {
    for (char c : piece.view()) {
      if (++at > kMaxHead) return 0;
      if (c == "\r\n\r\n"[matched]) ++matched;
      else matched = c == '\r' ? 1 : 0;
      if (matched == 4) return static_cast<std::uint32_t>(at);
    }
  }
  return 0;
}

// Whether `record`, header and octets, is that of `id` and as it was written.
bool is_sound(std::string_view record, BodyId id) {
  auto header = parse_record_header(record);
  if (!header || header->id != id || header->length != record.size() - kRecordHeader) return false;
  return sealed(crc32c(0, record.substr(kRecordHeader)), *header) == header->sum;
}

std::optional<std::uint64_t> number_of(std::string_view name) {
  if (name.size() != 16 + kSuffix.size() || !name.ends_with(kSuffix)) return {};
  auto octets = from_hex(name.substr(0, 16));
  if (!octets) return {};
  std::uint64_t number = 0;
  for (char c : *octets) number = (number << 8) | static_cast<unsigned char>(c);
  return number;
}

}  // namespace

void measure(NewBody& body) {
  body.length = 0;
  body.sum = 0;
  body.head_sum = 0;
  body.head_length = head_of(body.pieces);
  for (const auto& piece : body.pieces) {
    auto octets = piece.view();
    auto rest_of_head = body.head_length - std::min<std::uint64_t>(body.length, body.head_length);
    auto head = octets.substr(0, rest_of_head);
    body.sum = crc32c(body.sum, head);
    if (!head.empty()) body.head_sum = body.sum;
    body.sum = crc32c(body.sum, octets.substr(head.size()));
    body.length += octets.size();
  }
}

std::optional<RecordHeader> parse_record_header(std::string_view header) {
  if (header.size() < kRecordHeader || get_number<std::uint32_t>(header.data()) != kRecordMagic) return {};
  return RecordHeader{.sum = get_number<std::uint32_t>(header.data() + 4),
                      .length = get_number<std::uint64_t>(header.data() + 8),
                      .id = get_number<std::uint64_t>(header.data() + 16),
                      .head_length = get_number<std::uint32_t>(header.data() + 24),
                      .head_sum = get_number<std::uint32_t>(header.data() + 28)};
}

BodyStore::BodyStore(Files& files, std::string directory, std::uint64_t segment_octets)
    : files_(files), directory_(std::move(directory)), segment_octets_(segment_octets) {}

std::string BodyStore::path_of(std::uint64_t segment) const {
  std::string octets(8, '\0');
  for (int i = 0; i < 8; ++i) octets[static_cast<std::size_t>(i)] = static_cast<char>(segment >> (56 - 8 * i));
  return directory_ + "/" + hex(octets) + std::string(kSuffix);
}

Status BodyStore::open(const std::map<std::uint64_t, SegmentRow>& rows, bool fresh, std::vector<std::string>& damage) {
  if (auto error = files_.make_directory(directory_)) return Error(directory_ + ": " + error.message());
  auto names = files_.list(directory_);
  if (!names.ok()) return Error(directory_ + ": " + names.error.message());
  std::map<std::uint64_t, bool> there;
  for (const auto& name : names.value) {
    if (auto number = number_of(name)) there[*number] = true;
  }
  if (fresh && !there.empty()) {
    return Error(directory_ + " holds bodies, but there are no rows for them: restore a backup, or move the folder away");
  }
  std::uint64_t highest = 0;
  for (const auto& [number, file] : there) {
    highest = std::max(highest, number);
    if (rows.contains(number)) continue;
    log::info("store.leftover", {{"segment", path_of(number)}});   // written, never acknowledged
    if (auto error = files_.remove(path_of(number))) return Error(path_of(number) + ": " + error.message());
  }
  for (const auto& [number, row] : rows) {
    highest = std::max(highest, number);
    auto file = files_.open(path_of(number), true);
    if (!file.ok()) {
      damage.push_back(path_of(number) + ": " + file.error.message());
      continue;
    }
    auto size = file.value->size();
    if (!size.ok()) return Error(path_of(number) + ": " + size.error.message());
    if (size.value < row.end) {
      damage.push_back(path_of(number) + " has " + std::to_string(size.value) + " octets, its rows name " + std::to_string(row.end));
    } else if (size.value > row.end) {
      if (auto error = file.value->truncate(row.end)) return Error(path_of(number) + ": " + error.message());
    }
  }
  next_number_ = highest + 1;
  abandon_open();
  return {};
}

IoResult<std::shared_ptr<File>> BodyStore::create(std::uint64_t& number) {
  number = next_number_++;
  auto file = files_.create(path_of(number));
  if (!file.ok()) return {file.error, nullptr};
  const std::string_view header[] = {kSegmentMagic};
  auto error = file.value->write_at(header, 0);
  // The entry must be on disk before the first acknowledgement from this segment.
  if (!error) error = files_.sync_directory(directory_);
  if (error) {
    file.value.reset();
    remove(number);
    return {error, nullptr};
  }
  return {{}, std::shared_ptr<File>(std::move(file.value))};
}

std::error_code BodyStore::begin_group() {
  planned_end_ = open_end_;
  if (open_ && open_end_ < segment_octets_) return {};
  std::uint64_t number = 0;
  auto file = create(number);
  if (!file.ok()) {
    open_.reset();
    return file.error;
  }
  open_ = std::move(file.value);
  open_number_ = number;
  open_end_ = planned_end_ = kSegmentHeader;
  std::lock_guard lock(cache_mutex_);
  recent_.push_front(open_number_);
  cache_[open_number_] = {open_, recent_.begin()};
  return {};
}

void BodyStore::plan(NewBody& body) {
  body.place = {.segment = open_number_, .offset = planned_end_, .length = body.length};
  planned_end_ += record_size(body.place);
}

void BodyStore::drop_planned() { planned_end_ = open_end_; }
void BodyStore::keep_planned() { open_end_ = planned_end_; }

void BodyStore::abandon_open() {
  open_.reset();
  open_number_ = 0;
  open_end_ = planned_end_ = 0;
}

std::error_code BodyStore::write_records(File& file, std::span<const NewBody> bodies) {
  std::vector<std::string> headers;
  std::vector<std::string_view> pieces;
  headers.reserve(bodies.size());
  for (const auto& body : bodies) {
    headers.push_back(record_header(body));
    pieces.emplace_back(headers.back());
    for (const auto& piece : body.pieces) pieces.push_back(piece.view());
  }
  return file.write_at(pieces, bodies.front().place.offset);
}

BodyStore::Written BodyStore::write(const std::vector<NewBody>& bodies) {
  if (bodies.empty()) return {};
  if (auto error = write_records(*open_, bodies)) return {error, false};
  if (auto error = open_->sync()) return {error, true};
  return {};
}

std::error_code BodyStore::write_alone(NewBody& body) {
  std::uint64_t number = 0;
  auto file = create(number);
  if (!file.ok()) return file.error;
  body.place = {.segment = number, .offset = kSegmentHeader, .length = body.length};
  auto error = write_records(*file.value, std::span<const NewBody>(&body, 1));
  if (!error) error = file.value->sync();
  if (error) remove(number);
  return error;
}

BodyStore::Copy BodyStore::copy(const std::vector<Found>& records) {
  using State = Copy::State;
  std::uint64_t number = 0;
  auto target = create(number);
  auto unwritten = [&](const std::error_code& error) {
    return Copy{is_no_space(error) ? State::no_space : State::failed, {}, path_of(number) + ": " + error.message()};
  };
  if (!target.ok()) return unwritten(target.error);
  auto give_up = [&](Copy copy) {
    remove(number);
    return copy;
  };
  Copy made;
  std::uint64_t end = kSegmentHeader;
  for (const auto& record : records) {
    auto source = opened(record.place.segment);
    if (!source.ok()) return give_up({State::failed, {}, path_of(record.place.segment) + ": " + source.error.message()});
    auto octets = source.value->read_at(record.place.offset, record_size(record.place), Wait::disk);
    if (!octets.ok()) return give_up({State::damaged, {}, path_of(record.place.segment) + ": " + octets.error.message()});
    if (!is_sound(octets.value, record.id)) {
      return give_up({State::damaged, {}, "body " + std::to_string(record.id) + " in " + path_of(record.place.segment) + " is damaged"});
    }
    const std::string_view piece[] = {octets.value};
    if (auto error = target.value->write_at(piece, end)) return give_up(unwritten(error));
    made.places.push_back({.segment = number, .offset = end, .length = record.place.length});
    end += octets.value.size();
  }
  if (auto error = target.value->sync()) return give_up(unwritten(error));
  copy_number_ = number;
  return made;
}

IoResult<std::shared_ptr<File>> BodyStore::opened(std::uint64_t segment) {
  std::lock_guard lock(cache_mutex_);
  auto found = cache_.find(segment);
  if (found != cache_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second.use);
    return {{}, found->second.file};
  }
  auto file = files_.open(path_of(segment), false);
  if (!file.ok()) return {file.error, nullptr};
  std::shared_ptr<File> shared(std::move(file.value));
  recent_.push_front(segment);
  cache_[segment] = {shared, recent_.begin()};
  if (cache_.size() > kMaxOpenFiles) {
    cache_.erase(recent_.back());
    recent_.pop_back();
  }
  return {{}, shared};
}

void BodyStore::remove(std::uint64_t segment) {
  {
    std::lock_guard lock(cache_mutex_);
    auto found = cache_.find(segment);
    if (found != cache_.end()) {
      recent_.erase(found->second.use);
      cache_.erase(found);
    }
  }
  if (!pins_.may_go(segment)) return;
  if (auto error = files_.remove(path_of(segment))) {
    log::warning("store.unlink", {{"segment", path_of(segment)}, {"what", error.message()}});
  }
}

// The record's header and the first octets behind it, in one system call.
struct BodyStore::Front {
  Read::State state = Read::State::ok;
  std::string problem;
  RecordHeader header;
  std::string octets;   // kRecordHeader of them are the header's
  std::string_view view() const { return std::string_view(octets).substr(kRecordHeader); }
};

BodyStore::Front BodyStore::front_of(File& file, BodyId id, const Place& place, std::uint64_t length, Wait wait) {
  auto got = file.read_at(place.offset, kRecordHeader + length, wait);
  auto damaged = [](std::string what) { return Front{Read::State::damaged, std::move(what), {}, {}}; };
  if (got.error == std::errc::resource_unavailable_try_again) return {Read::State::would_block, {}, {}, {}};
  if (!got.ok()) return damaged(got.error.message());
  auto header = parse_record_header(got.value);
  if (!header || header->id != id || header->length != place.length) return damaged("no such record");
  if (got.value.size() != kRecordHeader + length) return damaged("cut short");
  return {Read::State::ok, {}, *header, std::move(got.value)};
}

BodyStore::Read BodyStore::read(BodyId id, const Place& place, std::uint64_t offset, std::uint64_t length, Wait wait) {
  auto file = opened(place.segment);
  if (file.error == std::errc::no_such_file_or_directory) return {Read::State::gone, {}, path_of(place.segment) + " is missing"};
  auto failed = [&](Read::State state, const std::string& what) {
    auto where = "body " + std::to_string(id) + " in " + path_of(place.segment) + " at " + std::to_string(place.offset);
    return Read{state, {}, where + ": " + what};
  };
  if (!file.ok()) return failed(Read::State::damaged, file.error.message());
  offset = std::min(offset, place.length);
  length = std::min(length, place.length - offset);
  bool small = place.length <= kSmallRecord;
  auto front = front_of(*file.value, id, place, offset == 0 ? length : small ? place.length : 0, wait);
  bool head = offset == 0 && length == front.header.head_length;
  // Any other part of a small record is cut out of the whole, for the sake of its checksum.
  bool again = front.state == Read::State::ok && small && !head && front.view().size() != place.length;
  if (again) front = front_of(*file.value, id, place, place.length, wait);
  if (front.state != Read::State::ok) return failed(front.state, front.problem);
  if (front.view().size() == place.length) {
    if (sealed(crc32c(0, front.view()), front.header) != front.header.sum) return failed(Read::State::damaged, "wrong checksum");
    if (length != place.length) return {Read::State::ok, std::string(front.view().substr(offset, length)), {}};
  } else if (head && crc32c(0, front.view()) != front.header.head_sum) {
    return failed(Read::State::damaged, "wrong checksum of the header");
  }
  if (offset == 0) return {Read::State::ok, std::move(front.octets), {}, kRecordHeader};
  auto rest = file.value->read_at(place.offset + kRecordHeader + offset, length, wait);
  if (rest.error == std::errc::resource_unavailable_try_again) return failed(Read::State::would_block, "");
  if (!rest.ok()) return failed(Read::State::damaged, rest.error.message());
  if (rest.value.size() != length) return failed(Read::State::damaged, "cut short");
  return {Read::State::ok, std::move(rest.value), {}};
}

Result<std::vector<BodyStore::Found>> BodyStore::records(std::uint64_t segment, std::uint64_t end) {
  auto file = opened(segment);
  if (!file.ok()) return Error(path_of(segment) + ": " + file.error.message());
  std::vector<Found> found;
  std::uint64_t at = kSegmentHeader;
  while (at + kRecordHeader <= end) {
    auto octets = file.value->read_at(at, kRecordHeader, Wait::disk);
    if (!octets.ok()) return Error(path_of(segment) + ": " + octets.error.message());
    auto header = parse_record_header(octets.value);
    if (!header || header->length > end - at - kRecordHeader) {
      return Error(path_of(segment) + " at " + std::to_string(at) + ": no record begins here");
    }
    found.push_back({header->id, {.segment = segment, .offset = at, .length = header->length}});
    at += record_size(found.back().place);
  }
  return found;
}

}  // namespace postern::store
