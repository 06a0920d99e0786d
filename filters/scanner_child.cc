// The loader and the scanners that it forks.  Nothing here knows the event loop: one thread,
// blocking packets, and the end of the socket is the end of the process.
#include "filters/scanner_child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>

#include "filters/scanner_jail.h"
#include "filters/scanner_wire.h"
#include "filters/scanner_work.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

// A read-only mapping of a memfd.  The gateway seals what it sends, so it cannot shrink under us.
class Mapping {
 public:
  Mapping(int fd, std::size_t size) : size_(size) {
    struct stat status {};
    if (size == 0 || ::fstat(fd, &status) != 0 || static_cast<std::size_t>(status.st_size) < size) return;
    void* at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) at_ = at;
  }
  ~Mapping() {
    if (at_ != nullptr) ::munmap(at_, size_);
  }
  Mapping(const Mapping&) = delete;
  bool valid() const { return at_ != nullptr; }
  std::string_view view(std::size_t size) const { return {static_cast<const char*>(at_), std::min(size, size_)}; }

 private:
  void* at_ = nullptr;
  std::size_t size_ = 0;
};

// --- the scanner

bool wants_to_retire() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return used.ru_utime.tv_sec + used.ru_stime.tv_sec > wire::kRetireSeconds;
}

std::optional<std::vector<wire::Piece>> pieces_of(std::string_view packet, const wire::Request& request) {
  std::string_view table = wire::text_of<wire::Request>(packet);
  if (request.pieces > wire::kMaxPieces || table.size() != request.pieces * sizeof(wire::Piece)) return std::nullopt;
  std::vector<wire::Piece> pieces(request.pieces);
  if (!table.empty()) std::memcpy(pieces.data(), table.data(), table.size());
  return pieces;
}

WorkAnswer work_on(const Engine& engine, const WorkLimits& limits, const Mapping& shared, const io::Packet& packet,
                   const wire::Request& request) {
  auto pieces = pieces_of(packet.octets, request);
  if (!pieces) return {wire::State::error, "the request cannot be read"};
  if (request.in_memfd == 0) {
    if (request.octets > wire::kSharedArea) return {wire::State::error, "the request cannot be read"};
    return scan_pieces(engine, shared.view(request.octets), *pieces, limits);
  }
  if (packet.descriptors.size() != 1) return {wire::State::error, "the message did not come with its request"};
  Mapping message(packet.descriptors[0].get(), request.octets);
  if (!message.valid()) return {wire::State::error, "the message cannot be mapped: out of memory"};
  return scan_pieces(engine, message.view(request.octets), *pieces, limits);
}

int scanner_loop(const Engine& engine, const WorkLimits& limits, const io::PacketSocket& gateway, const Mapping& shared) {
  for (;;) {
    auto packet = gateway.receive_blocking();
    if (!packet) return 0;
    auto request = wire::unpack<wire::Request>(packet->octets);
    if (!request) return 1;
    WorkAnswer found = work_on(engine, limits, shared, *packet, *request);
    wire::Answer answer;
    answer.id = request->id;
    answer.state = found.state;
    answer.retire = wants_to_retire() ? 1 : 0;
    if (!gateway.send_blocking(wire::pack(answer, found.text))) return 0;
  }
}

// The self-test in the new jail; the gateway takes no scanner that can do more than it should.
wire::Answer readiness(Engine& engine, const Result<Jail>& jail, std::string& text) {
  wire::Answer answer;
  if (!jail) {
    text = jail.error().text;
    return answer;
  }
  auto holes = holes_in_jail();
  if (!holes.empty()) {
    text = "the jail has holes: " + join(holes, ", ");
    return answer;
  }
  if (!engine.use_folder(jail->folder)) {
    text = "ClamAV refuses its folder";
    return answer;
  }
  text = name(jail->confinement);
  answer.state = wire::State::ready;
  return answer;
}

int scanner(Engine& engine, const ScannerOptions& options, const io::Fd& socket, const io::Fd& area) {
  Mapping shared(area.get(), wire::kSharedArea);
  if (!shared.valid()) return 1;
  io::PacketSocket gateway(io::Fd(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 3)));
  JailOptions jail_options;
  jail_options.scratch = options.scratch;
  jail_options.keep_descriptor = gateway.fd();
  jail_options.allow_namespaces = options.allow_namespaces;
  jail_options.allow_landlock = options.allow_landlock;
  auto jail = enter_jail(jail_options);
  std::string text;
  wire::Answer ready = readiness(engine, jail, text);
  if (!gateway.send_blocking(wire::pack(ready, text)) || ready.state != wire::State::ready) return 1;
  WorkLimits limits;
  limits.message_milliseconds = options.milliseconds;
  return scanner_loop(engine, limits, gateway, shared);
}

// --- the loader

void spawn(Engine& engine, const ScannerOptions& options, const io::PacketSocket& gateway, io::Packet packet, std::uint64_t id) {
  wire::Spawned spawned;
  spawned.id = id;
  if (packet.descriptors.size() != 2) {
    gateway.send_blocking(wire::pack(spawned, "the request came without its descriptors"));
    return;
  }
  pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGCHLD, SIG_DFL);
    // _exit: the loader's atexit handlers are not ours to run, and cannot in the jail.
    ::_exit(scanner(engine, options, packet.descriptors[0], packet.descriptors[1]));
  }
  if (child < 0) {
    gateway.send_blocking(wire::pack(spawned, std::string("cannot fork: ") + std::strerror(errno)));
    return;
  }
  io::Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  if (!pidfd.valid()) {
    ::kill(child, SIGKILL);
    gateway.send_blocking(wire::pack(spawned, std::string("cannot watch a scanner: ") + std::strerror(errno)));
    return;
  }
  spawned.pid = static_cast<std::uint32_t>(child);
  std::array<int, 1> descriptors{pidfd.get()};
  gateway.send_blocking(wire::pack(spawned), descriptors);
}

// Dead scanners are reaped before the next request, or a second after their end.
void reap_scanners() {
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

int loader_loop(Engine& engine, const ScannerOptions& options, const io::PacketSocket& gateway) {
  for (;;) {
    pollfd wait{.fd = gateway.fd(), .events = POLLIN, .revents = 0};
    int ready = ::poll(&wait, 1, 1000);
    reap_scanners();
    if (ready <= 0) continue;
    auto packet = gateway.receive_blocking();
    if (!packet) return 0;
    auto request = wire::unpack<wire::Spawn>(packet->octets);
    if (!request) return 1;
    sweep_scratch(options.scratch);
    spawn(engine, options, gateway, std::move(*packet), request->id);
  }
}

}  // namespace

std::vector<std::string> scanner_arguments(const ScannerOptions& options) {
  std::vector<std::string> out = {"--socket-fd", std::to_string(options.socket), "--database", options.database, "--scratch",
                                  options.scratch, "--milliseconds", std::to_string(options.milliseconds)};
  if (!options.allow_namespaces) out.emplace_back("--no-namespaces");
  if (!options.allow_landlock) out.emplace_back("--no-landlock");
  return out;
}

Result<ScannerOptions> parse_scanner_arguments(std::span<const std::string> arguments) {
  ScannerOptions options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--no-namespaces") {
      options.allow_namespaces = false;
      continue;
    }
    if (argument == "--no-landlock") {
      options.allow_landlock = false;
      continue;
    }
    bool known = argument == "--socket-fd" || argument == "--database" || argument == "--scratch" || argument == "--milliseconds";
    if (!known) return Error("unknown argument \"" + printable(argument) + "\"");
    if (i + 1 == arguments.size()) return Error(argument + " needs a value");
    const std::string& value = arguments[++i];
    if (argument == "--database") options.database = value;
    if (argument == "--scratch") options.scratch = value;
    if (argument != "--socket-fd" && argument != "--milliseconds") continue;
    auto number = parse_number(value);
    if (!number || *number > 100'000'000) return Error(argument + ": \"" + printable(value) + "\" is no number for it");
    if (argument == "--socket-fd") options.socket = static_cast<int>(*number);
    if (argument == "--milliseconds") options.milliseconds = static_cast<std::uint32_t>(*number);
  }
  if (options.socket < 3) return Error("--socket-fd is missing: the gateway starts this program, nobody else");
  if (options.database.empty()) return Error("--database is missing");
  return options;
}

int scanner_main(const ScannerOptions& options) {
  // With the gateway gone nobody needs us; the gateway may have gone before this line.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  ::fcntl(options.socket, F_SETFD, FD_CLOEXEC);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGINT, SIG_IGN);  // Ctrl-C in a terminal reaches the group; the gateway ends us when it has drained
  io::PacketSocket gateway{io::Fd(options.socket)};
  wire::Hello hello;
  hello.pid = static_cast<std::uint32_t>(::getpid());
  EngineLimits limits;
  limits.scan_milliseconds = options.milliseconds;
  auto engine = Engine::load(options.database, limits, options.scratch);
  if (!engine) {
    gateway.send_blocking(wire::pack(hello, engine.error().text));
    return 1;
  }
  hello.loaded = 1;
  hello.signatures = engine->signatures();
  hello.database_time = engine->database_time();
  if (!gateway.send_blocking(wire::pack(hello))) return 0;
  return loader_loop(*engine, options, gateway);
}

}  // namespace postern::filters
