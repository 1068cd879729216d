// The lines of a mosquitto.conf by what they are about: the broker, who may come in, a listener, a bridge.
//
// An option belongs to the listener or the bridge that was named last in its file, and what stands before the first
// listener to the default listener, which listens only if something there is about it. With per_listener_settings, who
// may come in is a matter of each listener.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/import/mosquitto_lines.h"

namespace furrow::config {

// The options of one thing. Whoever translates an option takes it; what nobody took is to be remarked upon.
class MosquittoScope {
 public:
  void add(const MosquittoLine& line) { lines_.push_back({line, false}); }

  bool has(std::string_view option) const;
  // The last line of the option, which is the one that counts; null when there is none. Those before it are taken, too.
  const MosquittoLine* take(std::string_view option);
  std::vector<const MosquittoLine*> take_all(std::string_view option);
  std::vector<const MosquittoLine*> untaken() const;
  // What a flag says, or `standard`; a value that is neither true nor false is remarked upon.
  bool take_flag(std::string_view option, bool standard, Remarks& remarks);

 private:
  struct Entry {
    MosquittoLine line;
    bool taken;
  };
  std::vector<Entry> lines_;
};

struct MosquittoListener {
  MosquittoLine opened_by;  // `listener`, or the first line of the default listener; line 0: there is none
  bool is_default = false;
  MosquittoScope options;
  MosquittoScope security;
};

struct MosquittoBridge {
  MosquittoLine opened_by;
  MosquittoScope options;
};

struct MosquittoScopes {
  bool per_listener = false;
  bool local_only = true;  // no listener at all: clients of this machine may come in, without saying who they are
  MosquittoScope broker;
  MosquittoScope security;                   // of all listeners, unless it is a matter of each
  std::vector<MosquittoListener> listeners;  // the default one first, if it listens
  std::vector<MosquittoBridge> bridges;
};

MosquittoScopes sort_mosquitto_lines(const std::vector<MosquittoFile>& files, Remarks& remarks);

}  // namespace furrow::config
