// Not a broker: copies every PUBLISH unchanged to every connection that has subscribed to anything, with large reads
// and one write per receiver and turn. What it costs is what the sockets cost, whatever is done with the messages.
#pragma once

namespace furrow::load {

// Prints its port on a line `listening address=127.0.0.1:PORT` and runs until it is killed.
[[noreturn]] void run_relay();

}  // namespace furrow::load
