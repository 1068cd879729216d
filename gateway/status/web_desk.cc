#include "gateway/status/web_desk.h"

#include <algorithm>
#include <utility>

namespace furrow::gateway {
namespace {

bool needs_welcome(const WebQuestion& question) {
  const WebPath path = web_path(question.path);
  return path == WebPath::Metrics || path == WebPath::Status;
}

}  // namespace

void WebDesk::ask(WebLinks::Number number, const Introduction& introduction) {
  asked_.push_back({.number = number,
                    .question = *introduction.question,
                    .arrival = {.address = introduction.address,
                                .port = introduction.port,
                                .program = introduction.peer,
                                .listener = introduction.listener,
                                .vouched_user = introduction.vouched_user}});
}

void WebDesk::withdraw(WebLinks::Number number) {
  std::erase_if(asked_, [number](const Asked& one) { return one.number == number; });
  const auto visitor =
      std::ranges::find_if(visitors_, [number](const auto& one) { return one.second.number == number; });
  if (visitor == visitors_.end()) return;
  broker_.visitors().handle_closed(visitor->first);
  visitors_.erase(visitor);
}

void WebDesk::answer(Instant now) {
  for (Asked& one : std::exchange(asked_, {})) {
    if (!needs_welcome(one.question)) {
      links_.answer(one.number, text_for(one.question, now));
      continue;
    }
    const auto credentials = credentials_of(std::exchange(one.question.authorization, {}));
    visitors_.emplace(broker_.visitors().handle_visit(one.arrival, credentials, now), std::move(one));
  }
  ConnectionId visitor;
  broker::Visitors::Answer answer{};
  while (broker_.visitors().poll(visitor, answer, now)) {
    const Asked asked = std::move(visitors_.extract(visitor).mapped());
    const bool is_welcome = answer == broker::Visitors::Answer::Welcome;
    links_.answer(asked.number, is_welcome ? text_for(asked.question, now) : answer_unwelcome(asked.question, answer));
  }
  model_.reset();
}

std::string WebDesk::text_for(const WebQuestion& question, Instant now) {
  switch (web_path(question.path)) {
    case WebPath::Health:
      return answer_health(question, model(now));
    case WebPath::Metrics:
      return answer_metrics(question, model(now));
    case WebPath::Status:
      return answer_status(question, model(now));
    case WebPath::File:
      break;
  }
  return answer_file(question, page_files());
}

const StatusModel& WebDesk::model(Instant now) {
  if (!model_) model_ = sources_.take(sources_.moment(++seq_, now));
  return *model_;
}

}  // namespace furrow::gateway
