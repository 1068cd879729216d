// Answers what is asked by HTTP: from the picture of the gateway, and from the files of the status page.
//
// Questions are gathered and answered at the end of a turn, so that all of them get one picture. Data wait until the
// broker has said whether the visitor may have it (broker-core/visitors.h), which a password makes a later turn.
// Thread: loop. Time: passed in.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker-core/broker.h"
#include "gateway/net/web_links.h"
#include "gateway/status/sources.h"
#include "gateway/status/web_pages.h"

namespace furrow::gateway {

class WebDesk final : public WebLinks::Desk {
 public:
  // All of these must outlive this.
  WebDesk(const StatusSources& sources, broker::Broker& broker, WebLinks& links)
      : sources_(sources), broker_(broker), links_(links) {}
  WebDesk(const WebDesk&) = delete;
  WebDesk& operator=(const WebDesk&) = delete;

  void ask(WebLinks::Number number, const Introduction& introduction) override;
  void withdraw(WebLinks::Number number) override;

  // Answers what can be answered by now.
  void answer(Instant now);
  Instant next_deadline() const { return asked_.empty() ? broker_.visitors().next_deadline() : Instant::min(); }

 private:
  struct Asked {
    WebLinks::Number number;
    WebQuestion question;
    broker::Arrival arrival;
  };

  // The picture of this turn.
  const StatusModel& model(Instant now);
  std::string text_for(const WebQuestion& question, Instant now);

  const StatusSources& sources_;
  broker::Broker& broker_;
  WebLinks& links_;

  std::vector<Asked> asked_;                // in this turn
  std::map<ConnectionId, Asked> visitors_;  // about whom the broker was asked
  std::optional<StatusModel> model_;
  std::uint64_t seq_ = 0;
};

}  // namespace furrow::gateway
