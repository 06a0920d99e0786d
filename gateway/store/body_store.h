#pragma once

#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/base/bytes.h"
#include "gateway/base/result.h"
#include "gateway/store/file.h"
#include "gateway/store/pins.h"
#include "gateway/store/rows.h"

namespace postern::store {

// A record as it lies in a segment (numbers little-endian): magic u32, crc32c u32, length u64, id u64,
// head_length u32, head_sum u32, octets.
inline constexpr std::size_t kRecordHeader = 32;
inline constexpr std::size_t kSegmentHeader = 16;
inline std::uint64_t record_size(const Place& place) { return kRecordHeader + place.length; }

// A body that is to be written.
struct NewBody {
  BodyId id = 0;
  std::vector<Octets> pieces;
  std::uint64_t length = 0;
  std::uint32_t sum = 0;   // crc32c of the octets alone
  // How many of the first octets are the message's header, up to and with the empty line, and their
  // crc32c.  0: the header has no end, or none within 64 KiB.
  std::uint32_t head_length = 0;
  std::uint32_t head_sum = 0;
  Place place;             // filled in by plan()
};
// Lengths and checksums of the pieces; worth doing before the committer's turn.
void measure(NewBody& body);

// Append-only segments of bodies: `<directory>/<16 hex digits>.seg`.
//
// Written by the committer (plan, write, drop) and by workers (write_alone); read by any thread.
// What no body row names is garbage: the tail of a segment behind SegmentRow::end, and whole
// files without a row, are removed by open().
class BodyStore {
 public:
  BodyStore(Files& files, std::string directory, std::uint64_t segment_octets);

  // At the start of the process, before anything is written: brings the files in step with the rows.  A segment that is missing or shorter than its row says
  // is damage: reported in `damage`, its readable part stays.  `fresh`: the rows were just made, so
  // that bodies without rows are somebody's mail and not garbage.
  Status open(const std::map<std::uint64_t, SegmentRow>& rows, bool fresh, std::vector<std::string>& damage);

  // Ids of bodies; any thread.  One that no row names may be given again after a restart.
  BodyId new_id() { return next_id_++; }
  BodyId next_id() const { return next_id_; }
  // Never back: ids may be out that no row names yet.
  void raise_next_id(BodyId id) {
    if (id > next_id_) next_id_ = id;
  }

  // --- the committer's, in this order.  The bodies of a group go one behind the other into the
  // open segment; a new one is begun before the first if the open one is full.
  std::error_code begin_group();
  void plan(NewBody& body);
  // Writes and syncs.  no_space before the sync: the group may be given up and the store goes on.
  // Anything else: the segment is never written again, see abandon_open().
  struct Written {
    std::error_code error;
    bool sync_failed = false;
  };
  Written write(const std::vector<NewBody>& bodies);
  void drop_planned();
  void keep_planned();
  // The next group begins a new segment.
  void abandon_open();
  std::uint64_t open_segment() const { return open_number_; }
  // Whether more records may yet be named in it: the open segment, and the newest copy until end_copy().
  bool is_growing(std::uint64_t segment) const { return segment == open_number_ || segment == copy_number_; }

  // --- any thread
  // Writes `body` durably into a segment of its own.
  std::error_code write_alone(NewBody& body);
  // Copies records durably into one new segment, each with its checksum tested; leaves nothing behind
  // unless it is done.  One at a time: until end_copy() the new segment is kept, whatever lives in it.
  struct Found {
    BodyId id = 0;
    Place place;
  };
  struct Copy {
    enum class State { done, damaged, no_space, failed };
    State state = State::done;
    std::vector<Place> places;   // the new ones, in the order of the records
    std::string problem;
  };
  Copy copy(const std::vector<Found>& records);
  void end_copy() { copy_number_ = 0; }
  // Octets [offset, offset+length) of the record, cut at its end.  The record's place is checked always;
  // the octets when the record is small, or asked for whole, or just the message's header is asked for.
  struct Read {
    enum class State { ok, would_block, gone, damaged };
    State state = State::ok;
    std::string octets;
    std::string problem;
    std::size_t skip = 0;   // of `octets`, before those that were asked for

    std::string text() && { return std::move(octets.erase(0, skip)); }
    Octets shared() && {   // nothing is copied
      auto whole = std::make_shared<const std::string>(std::move(octets));
      return Octets(whole, std::string_view(*whole).substr(skip));
    }
  };
  Read read(BodyId id, const Place& place, std::uint64_t offset, std::uint64_t length, Wait wait);
  // Forgets and unlinks, or waits with that for the end of a pin; readers that have it open read on.
  void remove(std::uint64_t segment);
  // Until the value dies none of them goes.  One at a time.
  std::shared_ptr<const void> pin(std::set<std::uint64_t> segments) {
    return pins_.hold(std::move(segments), [this](std::uint64_t segment) { remove(segment); });
  }
  // The records of a segment up to `end` in order, by their headers.  An Error: there is something else.
  Result<std::vector<Found>> records(std::uint64_t segment, std::uint64_t end);
  std::string path_of(std::uint64_t segment) const;

 private:
  struct Opened {
    std::shared_ptr<File> file;
    std::list<std::uint64_t>::iterator use;
  };
  IoResult<std::shared_ptr<File>> create(std::uint64_t& number);
  IoResult<std::shared_ptr<File>> opened(std::uint64_t segment);
  struct Front;
  static Front front_of(File& file, BodyId id, const Place& place, std::uint64_t length, Wait wait);
  static std::error_code write_records(File& file, std::span<const NewBody> bodies);

  Files& files_;
  std::string directory_;
  std::uint64_t segment_octets_;
  std::atomic<std::uint64_t> next_number_{1};
  std::atomic<BodyId> next_id_{1};

  std::shared_ptr<File> open_;
  std::atomic<std::uint64_t> open_number_ = 0;
  std::atomic<std::uint64_t> copy_number_ = 0;
  std::uint64_t open_end_ = 0;      // behind the last record of a committed group
  std::uint64_t planned_end_ = 0;

  std::mutex cache_mutex_;          // guards the two below
  std::unordered_map<std::uint64_t, Opened> cache_;
  std::list<std::uint64_t> recent_;
  Pins pins_;                       // last: a pin that ends after us must find nobody
};

// Reads the record header at `header`; nothing if it is none.  For recovery and the fuzz target.
struct RecordHeader {
  std::uint32_t sum = 0;
  std::uint64_t length = 0;
  BodyId id = 0;
  std::uint32_t head_length = 0;
  std::uint32_t head_sum = 0;
};
std::optional<RecordHeader> parse_record_header(std::string_view header);

}  // namespace postern::store
