#include "gateway/control/client_answers.h"

#include <algorithm>
#include <optional>

#include "broker-core/base/utc_text.h"
#include "broker-core/client_view.h"

namespace furrow::gateway {
namespace {

using broker::ClientView;

void add_network(JsonObject& object, const std::optional<ClientView::Network>& network, Instant now) {
  object.flag("connected", network.has_value());
  if (!network) {
    object.null("address").null("version").null("last_heard_s").flag("paced", false);
    return;
  }
  object.text("address", network->peer).text("version", broker::version_text(network->version));
  object.seconds("last_heard_s", now - network->last_heard).flag("paced", network->paced);
}

JsonObject client_json(const broker::Session& session, const HasTls& has_tls, const ClockStamp& now) {
  const ClientView view = view_of(session, now);
  JsonObject object;
  object.text("client", view.client_id);
  object.text_or_null("user", view.user != nullptr ? std::optional<std::string_view>(*view.user) : std::nullopt);
  object.text("listener", view.listener).flag("tls", has_tls(view.listener));
  add_network(object, view.network, now.monotonic);
  const Duration lasts = now.monotonic - view.since;
  object.text("since_at", utc_text(now.wall - lasts)).seconds("since_s", lasts);
  const bool expires = view.expires && *view.expires != kNever;
  object.seconds_or_null("expires_s", expires ? std::optional(*view.expires - now.monotonic) : std::nullopt);
  object.number("subscriptions", view.subscriptions);
  object.object("queue", JsonObject()
                             .number("messages", view.queue_messages)
                             .number("bytes", view.queue_bytes)
                             .number("inflight", view.inflight));
  object.number("dropped", view.dropped);
  return object;
}

JsonObject subscription_json(const broker::Subscription& subscription) {
  const broker::SubscriptionOptions options = subscription.options();
  JsonObject object;
  object.text("filter", subscription.filter()).number("qos", static_cast<std::uint64_t>(options.qos));
  object.flag("no_local", options.no_local).flag("retain_as_published", options.retain_as_published);
  if (options.subscription_id != 0) object.number("identifier", options.subscription_id);
  return object;
}

}  // namespace

Answer::Step ClientListAnswer::next(ByteBuffer& out, Instant now) {
  const ClockStamp stamp = broker_.journal().stamp(now);
  const broker::Sessions& sessions = broker_.client_sessions();
  std::size_t steps = kStepsMax;
  while (const broker::Session* const session = sessions.next(place_, steps)) {
    write_line(out, client_json(*session, has_tls_, stamp));
    ++count_;
  }
  if (!sessions.at_end(place_)) return Step::More;
  write_line(out, JsonObject().flag("ok", true).number("count", count_));
  return Step::Done;
}

Answer::Step ClientShowAnswer::next(ByteBuffer& out, Instant now) {
  const broker::Session* const session = broker_.client_sessions().find(client_id_);
  if (session == nullptr) {
    write_line(out,
               JsonObject()
                   .flag("ok", false)
                   .text("error", has_begun_ ? "the session has ended meanwhile" : "there is no client of this name"));
    return Step::Done;
  }
  if (!std::exchange(has_begun_, true)) {
    write_line(out, client_json(*session, has_tls_, broker_.journal().stamp(now)));
  }
  const auto& subscriptions = session->record().subscriptions;
  const std::size_t end = std::min(subscriptions.size(), place_ + kStepsMax);
  for (; place_ < end; ++place_) write_line(out, subscription_json(subscriptions[place_]));
  if (place_ < subscriptions.size()) return Step::More;
  write_line(out, JsonObject().flag("ok", true));
  return Step::Done;
}

}  // namespace furrow::gateway
