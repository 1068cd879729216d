// The certificates of this gateway: contexts of listeners, made from their files and made anew when these change, and
// who is told before one ends.
//
// Files are looked at once a minute, by their times, and read when those have changed. What they hold is taken when all
// files of a listener fit together, and the next handshake has it; whoever is connected stays. What does not fit is
// said once for each change, and the listener goes on with what it had: a certificate whose key is written a moment
// later is the usual case. A reload makes all entrances anew, or none (listeners.h).
//
// An end that comes near is said 30, 7 and 1 days before, once each, and on the day. Thread: loop.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker-core/base/log.h"
#include "broker-core/base/result.h"
#include "broker-core/base/time.h"
#include "config/config.h"
#include "gateway/net/tls_context.h"
#include "gateway/status/model.h"

namespace furrow::gateway {

// What a listener with TLS shows at the moment.
class TlsEntrance {
 public:
  // REQUIRES: listener.is_encrypted().
  // `before` is what the listener had until now, or nullptr.
  static Result<std::shared_ptr<TlsEntrance>> open(std::string name, const config::Listener& listener, WallTime now,
                                                   const TlsEntrance* before = nullptr);

  const std::string& name() const { return name_; }
  // For the next handshake.
  const std::shared_ptr<const TlsContext>& context() const { return context_; }

 private:
  friend class TlsWatch;

  TlsEntrance(std::string name, const config::Listener& listener) : name_(std::move(name)), listener_(listener) {}
  std::vector<std::filesystem::path> files() const;

  const std::string name_;
  const config::Listener listener_;
  std::shared_ptr<const TlsContext> context_;
  std::string seen_;  // times and sizes of its files as they were last looked at
};

class TlsWatch {
 public:
  // `log` must outlive this.
  explicit TlsWatch(Log& log) : log_(log) {}

  // All that there are. Certificates of bridges are watched for their end alone, since each connect reads them.
  void set(std::vector<std::shared_ptr<TlsEntrance>> entrances, const std::vector<config::Bridge>& bridges);
  // Once a minute, or when next_look() is due.
  void look(Instant now, WallTime wall);
  Instant next_look() const;

  std::vector<CertificateStatus> certificates(WallTime now) const;

 private:
  struct Ours {
    std::string name;
    CertificateInfo info;
  };
  struct OfBridge {
    std::string name;
    std::filesystem::path file;
    std::string seen;
    std::optional<CertificateInfo> info;
  };

  void look_at(TlsEntrance& entrance, WallTime wall);
  static void look_at(OfBridge& bridge);
  // Says that `now` takes the place of `before`, if anything of it is new.
  void note_change(const std::string& listener, const TlsContext& before, const TlsContext& now);
  void warn_before_end(WallTime wall);
  std::vector<Ours> all() const;

  Log& log_;
  std::vector<std::shared_ptr<TlsEntrance>> entrances_;
  std::vector<OfBridge> bridges_;
  std::map<std::string, int> warned_;  // by name and fingerprint: of how many days
  Instant looked_at_{};
};

}  // namespace furrow::gateway
