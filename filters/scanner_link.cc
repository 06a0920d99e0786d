// Talking to the loader and to scanners: sequenced packets, messages in memfds.
#include "filters/scanner_link.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>

#include "gateway/base/text.h"
#include "gateway/io/errors.h"

namespace postern::filters {
namespace {

Error system_error(const std::string& what) { return Error(what + ": " + std::strerror(errno)); }

// Sealed against shrinking, so that neither side can be made to touch memory that is gone.
Result<io::Fd> make_area() {
  io::Fd area(::memfd_create("postern-scan-area", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!area.valid() || ::ftruncate(area.get(), wire::kSharedArea) != 0) return system_error("cannot make shared memory");
  if (::fcntl(area.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) return system_error("cannot seal shared memory");
  return area;
}

// A message of its own memfd: read-only for ever once it is sealed.
Result<io::Fd> in_memfd(std::string_view message) {
  io::Fd memory(::memfd_create("postern-scan-message", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory.valid()) return system_error("cannot make memory for the scanner");
  while (!message.empty()) {
    ssize_t written = ::write(memory.get(), message.data(), message.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return system_error("cannot copy the message for the scanner");
    message.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
    return system_error("cannot seal the message for the scanner");
  }
  return memory;
}

// For a process that closed its socket: it is dead, or will be soon.
io::Task<std::string> how_it_ended(Loader& loader) {
  try {
    auto end = co_await loader.ended(in(std::chrono::seconds(5)));
    co_return end.to_string();
  } catch (const io::TimedOut&) {
    co_return "it closed its socket";
  }
}

std::string clean_text(std::string_view foreign) { return printable(foreign, 300); }

}  // namespace

ScannerLink::ScannerLink(io::PacketSocket socket, io::Fd area, void* mapped)
    : socket_(std::move(socket)), area_(std::move(area)), mapped_(static_cast<char*>(mapped)) {}

ScannerLink::~ScannerLink() {
  if (pidfd_.valid()) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  ::munmap(mapped_, wire::kSharedArea);
}

io::Task<ScanOutcome> ScannerLink::scan(std::string_view message, const std::vector<wire::Piece>& pieces, Deadline deadline) {
  CHECK(pieces.size() <= wire::kMaxPieces);
  wire::Request request;
  request.id = ++last_id_;
  request.octets = message.size();
  request.pieces = static_cast<std::uint32_t>(pieces.size());
  io::Fd memory;
  if (message.size() <= wire::kSharedArea) {
    if (!message.empty()) std::memcpy(mapped_, message.data(), message.size());
  } else {
    auto made = in_memfd(message);
    if (!made) {
      ScanOutcome outcome;
      outcome.kind = ScanOutcome::Kind::refused;
      outcome.text = made.error().text;
      co_return outcome;
    }
    memory = std::move(*made);
    request.in_memfd = 1;
  }
  std::string packet = wire::pack(request);
  packet.append(reinterpret_cast<const char*>(pieces.data()), pieces.size() * sizeof(wire::Piece));
  auto outcome = co_await exchange(std::move(packet), std::move(memory), deadline);
  co_return outcome;
}

io::Task<ScanOutcome> ScannerLink::exchange(std::string request, io::Fd memory, Deadline deadline) {
  ScanOutcome outcome;
  try {
    std::array<int, 1> descriptors{memory.get()};
    co_await socket_.send(request, std::span<const int>(descriptors.data(), memory.valid() ? 1 : 0), deadline);
    outcome.kind = ScanOutcome::Kind::crashed;
    auto packet = co_await socket_.receive(deadline);
    auto answer = wire::unpack<wire::Answer>(packet.octets);
    // A scanner that a message has taken over may say anything; what is no answer to this is a crash.
    if (!answer || answer->id != last_id_ || answer->state > wire::State::error) co_return outcome;
    outcome.kind = ScanOutcome::Kind::answered;
    outcome.state = answer->state;
    outcome.text = clean_text(wire::text_of<wire::Answer>(packet.octets));
    outcome.retire = answer->retire != 0;
  } catch (const io::TimedOut&) {
    outcome.kind = ScanOutcome::Kind::hung;
  } catch (const io::Closed&) {
    // gone or crashed, as it stands
  }
  co_return outcome;
}

io::Task<void> ScannerLink::broken() {
  for (;;) {
    bool readable = co_await socket_.readable(in(std::chrono::hours(1)));
    if (readable) co_return;
  }
}

io::Task<Result<std::shared_ptr<Loader>>> Loader::start(std::vector<std::string> command, ScannerOptions options, Deadline deadline) {
  auto pair = io::PacketSocket::pair();
  if (!pair) co_return pair.error();
  constexpr int kSocket = 3;
  options.socket = kSocket;
  io::ChildOptions child_options;
  child_options.argv = std::move(command);
  for (auto& argument : scanner_arguments(options)) child_options.argv.push_back(std::move(argument));
  child_options.environment = {"LC_ALL=C"};
  child_options.descriptors = {{pair->second.fd(), kSocket}};
  auto child = io::Child::start(child_options);
  if (!child) co_return child.error();
  auto loader = std::make_shared<Loader>(std::move(*child), std::move(pair->first));
  pair->second.close();

  bool closed = false;
  io::Packet packet;
  try {
    packet = co_await loader->socket_.receive(deadline);
  } catch (const io::TimedOut&) {
    co_return Error("the signature database in " + options.database + " was not loaded in time");
  } catch (const io::Closed&) {
    closed = true;
  }
  if (closed) {
    auto end = co_await how_it_ended(*loader);
    co_return Error("the process that loads the signature database ended: " + end);
  }
  auto hello = wire::unpack<wire::Hello>(packet.octets);
  if (!hello) co_return Error(child_options.argv[0] + " is no scanner");
  if (hello->loaded == 0) co_return Error(clean_text(wire::text_of<wire::Hello>(packet.octets)));
  loader->hello_ = *hello;
  co_return loader;
}

io::Task<Result<std::unique_ptr<ScannerLink>>> Loader::spawn(Deadline deadline) {
  auto pair = io::PacketSocket::pair();
  if (!pair) co_return pair.error();
  auto area = make_area();
  if (!area) co_return area.error();
  void* mapped = ::mmap(nullptr, wire::kSharedArea, PROT_READ | PROT_WRITE, MAP_SHARED, area->get(), 0);
  if (mapped == MAP_FAILED) co_return system_error("cannot map shared memory");
  auto link = std::make_unique<ScannerLink>(std::move(pair->first), std::move(*area), mapped);
  auto started = co_await ask_for_scanner(std::move(link), std::move(pair->second), deadline);
  co_return started;
}

io::Task<Result<std::unique_ptr<ScannerLink>>> Loader::ask_for_scanner(std::unique_ptr<ScannerLink> link, io::PacketSocket theirs,
                                                                       Deadline deadline) {
  bool answered = false;
  try {
    std::array<int, 2> descriptors{theirs.fd(), link->area_.get()};
    wire::Spawn wanted;
    wanted.id = ++last_id_;
    std::string request = wire::pack(wanted);
    co_await socket_.send(request, descriptors, deadline);
    theirs.close();
    auto packet = co_await socket_.receive(deadline);
    answered = true;
    auto spawned = wire::unpack<wire::Spawned>(packet.octets);
    // The pidfd of another scanner would be killed in place of this one.
    if (!spawned || spawned->id != wanted.id || (spawned->pid != 0 && packet.descriptors.size() != 1)) co_return Error("the loader talks nonsense");
    if (spawned->pid == 0) co_return Error("no scanner: " + clean_text(wire::text_of<wire::Spawned>(packet.octets)));
    link->pid_ = static_cast<pid_t>(spawned->pid);
    link->pidfd_ = std::move(packet.descriptors[0]);
    auto first = co_await link->socket_.receive(deadline);
    auto ready = wire::unpack<wire::Answer>(first.octets);
    std::string text = clean_text(wire::text_of<wire::Answer>(first.octets));
    if (!ready || ready->state != wire::State::ready) co_return Error("no scanner: " + (text.empty() ? "it talks nonsense" : text));
    link->confinement_ = text;
    co_return link;
  } catch (const io::TimedOut&) {
    // A late answer would be taken for the next one's, so a loader that is stuck is replaced.
    if (!answered) child_.kill(SIGKILL);
    co_return Error(answered ? "no scanner: it does not start in time" : "no scanner: the loader does not answer");
  } catch (const io::Closed&) {
    co_return Error("no scanner: it ended while starting");
  }
}

}  // namespace postern::filters
