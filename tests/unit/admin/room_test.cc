// How the protocols share the connections that there is room for.
#include "gateway/admin/room.h"

#include <vector>

#include "tests/support/catch.h"

using namespace postern::admin;

namespace {

// Opens connections until one is one too many; gives how many may stay.
std::size_t fill(Room& room, Service service, std::vector<Room::Seat>& seats) {
  for (std::size_t count = 0;; ++count) {
    seats.push_back(room.enter(service));
    if (!room.reason(service).empty()) {
      seats.pop_back();
      return count;
    }
  }
}

}  // namespace

TEST_CASE("a service may fill all the room but what the others keep") {
  Room room(80);
  std::vector<Room::Seat> seats;
  CHECK(fill(room, Service::imap, seats) == 60);
  CHECK(fill(room, Service::pop3, seats) == 10);
  CHECK(fill(room, Service::smtp, seats) == 10);
  CHECK(room.open() == 80);
}

TEST_CASE("the room that no service keeps is for whoever comes first") {
  Room room(80);
  std::vector<Room::Seat> readers, senders;
  CHECK(fill(room, Service::smtp, senders) == 60);
  CHECK(fill(room, Service::imap, readers) == 10);
  senders.clear();
  CHECK(fill(room, Service::imap, readers) == 50);
}

TEST_CASE("a connection that ends leaves its seat, whoever held it last") {
  Room room(8);
  {
    auto seat = room.enter(Service::pop3);
    auto moved = std::move(seat);
    CHECK(room.open(Service::pop3) == 1);
  }
  CHECK(room.open() == 0);
}

TEST_CASE("refusals are counted by service") {
  Room room(8);
  room.count_refused(Service::imap);
  CHECK(room.refused(Service::imap) == 1);
  CHECK(room.refused(Service::pop3) == 0);
}
