// What the program asks of its process at start.
#pragma once

#include <cstdint>
#include <string>

namespace furrow::gateway {

// Allows as many open descriptors as the system lets us: the usual 1024 are fewer than a gateway has clients.
void raise_descriptor_limit();

// What it writes is nobody else's to read, whatever the caller's umask: SQLite would make its files for everybody.
void keep_files_private();

// What it holds in memory, such as keys and passwords, is never written to a core file, nor read by other programs of
// its user. LeakSanitizer would be one, so builds with it go without.
void keep_memory_private();

// A write to a connection that is gone is an error to look at, not the end of the program.
void ignore_broken_pipes();

// What the program has allocated and not freed. The resident set would not do: freed memory is not given back at once.
std::uint64_t allocated_bytes();

// The name of this machine; "gateway" if it has none.
std::string host_name();

// A number that peers cannot guess.
std::uint64_t random_seed();

}  // namespace furrow::gateway
