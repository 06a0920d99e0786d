// Deflate with a bound, for formats that we read ourselves.
#include "filters/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

namespace postern::filters {
namespace {

class Stream {
 public:
  explicit Stream(Deflated form) : good_(::inflateInit2(&stream_, form == Deflated::raw ? -MAX_WBITS : MAX_WBITS) == Z_OK) {}
  ~Stream() {
    if (good_) ::inflateEnd(&stream_);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  bool good() const { return good_; }
  z_stream& get() { return stream_; }

 private:
  z_stream stream_{};
  bool good_;
};

}  // namespace

Inflated inflate(std::string_view octets, Deflated form, std::size_t limit) {
  Inflated out;
  Stream stream(form);
  if (!stream.good()) return out;
  z_stream& z = stream.get();
  octets = octets.substr(0, std::numeric_limits<uInt>::max());
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(octets.data()));   // zlib does not write there
  z.avail_in = static_cast<uInt>(octets.size());
  // One octet beyond the limit tells "whole" from "cut".
  std::size_t room = std::min(limit, std::numeric_limits<std::size_t>::max() - 1) + 1;
  std::size_t step = std::min(room, std::clamp<std::size_t>(octets.size() * 4, 1024, 256 * 1024));
  int answer = Z_OK;
  while (answer == Z_OK && out.octets.size() < room) {
    std::size_t before = out.octets.size();
    out.octets.resize(before + std::min(step, room - before));
    z.next_out = reinterpret_cast<Bytef*>(out.octets.data() + before);
    z.avail_out = static_cast<uInt>(out.octets.size() - before);
    answer = ::inflate(&z, Z_NO_FLUSH);
    out.octets.resize(out.octets.size() - z.avail_out);
    step = std::min<std::size_t>(step * 2, 4 << 20);
  }
  out.used = octets.size() - z.avail_in;
  if (out.octets.size() > limit) {
    out.octets.resize(limit);
    out.state = Inflated::State::cut;
  } else if (answer == Z_STREAM_END) {
    out.state = Inflated::State::whole;
  }
  return out;
}

}  // namespace postern::filters
