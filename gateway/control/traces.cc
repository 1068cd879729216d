#include "gateway/control/traces.h"

#include <algorithm>
#include <utility>

namespace furrow::gateway {
namespace {

// Lines wait this long for others, so that a busy client does not make a write for each of them.
constexpr Duration kGatherTime = std::chrono::milliseconds(20);
// No more aliases than this are remembered of one end of a connection.
constexpr std::uint32_t kTracedAliasesMax = broker::TopicAliases::kAliasesMax;

// The alias that a PUBLISH gives to its topic, or stands for it; 0: none.
std::uint16_t alias_of(const mqtt::Publish& publish) {
  const auto alias = publish.properties.number(mqtt::PropertyId::TopicAlias).value_or(0);
  return alias <= kTracedAliasesMax ? static_cast<std::uint16_t>(alias) : std::uint16_t{0};
}

mqtt::Decoder decoder_for(mqtt::Role role, std::optional<mqtt::Version> version, std::uint32_t packet_bytes_max) {
  mqtt::Decoder decoder(role, packet_bytes_max);
  if (version) decoder.set_version(*version);
  return decoder;
}

bool begins_with_connect(ByteView bytes) {
  return !bytes.empty() && bytes.front() >> 4U == static_cast<unsigned>(mqtt::PacketType::Connect);
}

}  // namespace

class Traces::TraceAnswer final : public Answer {
 public:
  TraceAnswer(Traces& all, TraceChoice choice, Instant end) : all_(all), trace_(std::move(choice)), end_(end) {}
  ~TraceAnswer() override { all_.forget(*this); }

  Trace& trace() { return trace_; }
  Instant end() const { return end_; }
  // Lines may have been added.
  void note_lines(Instant now) {
    if (trace_.has_lines() && due_ == kNever) due_ = now + kGatherTime;
  }
  // Nothing is added from now on; what waits is still written.
  void stop(std::string_view why) {
    if (why_.empty()) why_ = why;
    all_.forget(*this);
  }

  Step next(ByteBuffer& out, Instant now) override {
    if (why_.empty() && now < due_ && trace_.waiting_bytes() < kSliceBytes) return Step::Wait;
    trace_.take_lines(out, kSliceBytes);
    if (trace_.has_lines()) return Step::More;
    due_ = kNever;
    if (why_.empty()) return Step::Wait;
    write_line(out, JsonObject()
                        .flag("ok", true)
                        .number("shown", trace_.shown())
                        .number("not_shown", trace_.not_shown())
                        .text("ended_by", why_));
    return Step::Done;
  }
  Instant next_deadline() const override { return why_.empty() ? due_ : Instant::min(); }
  void handle_reader_left() override { stop("reader"); }

 private:
  Traces& all_;
  Trace trace_;
  const Instant end_;
  Instant due_ = kNever;  // lines are written then, or earlier when they are many
  std::string_view why_;  // nothing is added any more; static text
};

// --- begin and end ---

std::unique_ptr<Answer> Traces::begin(TraceChoice choice, std::chrono::seconds length, Instant now) {
  if (running_.size() == kMax) return nullptr;
  if (!is_on_) forget_strands();
  auto answer = std::make_unique<TraceAnswer>(*this, std::move(choice), now + length);
  running_.push_back(answer.get());
  is_on_ = true;
  // What no trace has wanted until now is looked at anew; what is read along already goes on.
  const auto is_unwanted = [](const auto& one) { return !one.second.is_wanted; };
  std::erase_if(clients_, is_unwanted);
  std::erase_if(bridges_, is_unwanted);
  return answer;
}

void Traces::forget(TraceAnswer& answer) {
  std::erase(running_, &answer);
  is_on_ = !running_.empty();
}

// What was read along goes here and not in forget(), which may be called while it is read.
void Traces::forget_strands() {
  clients_.clear();
  bridges_.clear();
}

void Traces::handle_timeout(Instant now) {
  if (!is_on_) forget_strands();
  const std::vector<TraceAnswer*> running = running_;
  for (TraceAnswer* const one : running) {
    if (one->end() <= now) one->stop("time");
  }
}

Instant Traces::next_deadline() const {
  if (!is_on_ && !(clients_.empty() && bridges_.empty())) return Instant::min();
  Instant next = kNever;
  for (const TraceAnswer* const one : running_) next = std::min(next, one->end());
  return next;
}

// --- whom to read along ---

Traces::Strand& Traces::begin_strand(Strand& strand, const broker::StreamState& state, mqtt::Role role) {
  strand.link = ++links_;
  review(strand);
  if (!strand.is_wanted) return strand;
  strand.received.emplace(decoder_for(role, state.version, state.packet_bytes_max));
  if (state.received != nullptr) strand.received_aliases = *state.received;
  // Whole packets among this have come before the trace.
  mqtt::ProtocolError error;
  for (ByteView bytes : {state.unfinished, state.unread}) {
    while (!strand.is_spent) {
      const auto step = strand.received->next(bytes, packet_, error);
      strand.is_spent = step == mqtt::Decoder::Step::Malformed;
      if (step == mqtt::Decoder::Step::NeedMore) break;
    }
  }
  return strand;
}

// A decoder of another trace may be needed: who is read along once stays so.
void Traces::review(Strand& strand) const {
  const TraceParty party = strand.party();
  strand.is_wanted = std::ranges::any_of(running_, [&](TraceAnswer* one) { return one->trace().may_want(party); });
}

Traces::Strand& Traces::strand_of(ConnectionId connection) {
  const broker::Connection& known = broker_.connection(connection);
  const auto [place, is_new] = clients_.try_emplace(connection);
  Strand& strand = place->second;
  // An identifier that the broker assigns is known to its session alone.
  const bool gets_name = strand.name.empty() && known.session() != nullptr;
  if (gets_name) strand.name = known.session()->client_id();
  if (is_new) {
    strand.address = known.peer();
    strand.ip = known.address();
    return begin_strand(strand, known.stream_state(), mqtt::Role::Server);
  }
  if (gets_name) review(strand);
  return strand;
}

Traces::Strand& Traces::strand_of(const bridge::Bridge& bridge) {
  const auto [place, is_new] = bridges_.try_emplace(bridge.bridge_name());
  Strand& strand = place->second;
  if (!is_new) return strand;
  strand.is_bridge = true;
  strand.name = bridge.bridge_name();
  strand.address = bridge.remote();
  return begin_strand(strand, bridge.stream_state(), mqtt::Role::Client);
}

// --- reading along ---

template <typename Show>
void Traces::for_each(Show show, Instant now) {
  for (std::size_t i = running_.size(); i-- > 0;) {
    TraceAnswer& one = *running_[i];
    show(one.trace());
    one.note_lines(now);
    if (one.trace().is_complete()) one.stop("count");
  }
}

void Traces::see(Strand& strand, TraceDirection direction, const mqtt::Packet& packet, Instant now) {
  if (const auto* connect = std::get_if<mqtt::Connect>(&packet); connect != nullptr && !strand.is_bridge) {
    strand.name = connect->client_id;
    review(strand);
    if (!strand.is_wanted) return;
  }
  std::string_view topic;
  if (const auto* publish = std::get_if<mqtt::Publish>(&packet)) {
    auto& aliases = direction == TraceDirection::Received ? strand.received_aliases : strand.sent_aliases;
    const std::uint16_t alias = alias_of(*publish);
    if (alias != 0 && !publish->topic.empty()) aliases.set(alias, publish->topic);
    topic = publish->topic.empty() ? aliases.topic(alias) : publish->topic;
  }
  const TraceParty party = strand.party();
  const Trace::Sighting seen{.party = party, .direction = direction, .time = wall_()};
  for_each([&](Trace& trace) { trace.show(seen, packet, topic); }, now);
}

void Traces::read_received(Strand& strand, ByteView bytes, Instant now) {
  mqtt::ProtocolError error;
  while (strand.is_wanted && !strand.is_spent && is_on_) {
    switch (strand.received->next(bytes, packet_, error)) {
      case mqtt::Decoder::Step::NeedMore:
        return;
      case mqtt::Decoder::Step::Decoded:
        see(strand, TraceDirection::Received, packet_, now);
        break;
      case mqtt::Decoder::Step::Malformed: {
        strand.is_spent = true;
        const TraceParty party = strand.party();
        const Trace::Sighting seen{.party = party, .direction = TraceDirection::Received, .time = wall_()};
        for_each([&](Trace& trace) { trace.show_malformed(seen, error); }, now);
        break;
      }
    }
  }
}

void Traces::learn_assigned(Strand& strand, const broker::TopicAliases* assigned, ByteView bytes,
                            mqtt::Decoder decoder) {
  if (std::exchange(strand.knows_assigned, true) || assigned == nullptr) return;
  assigned->for_each([&](std::uint16_t number, std::string_view topic) { strand.sent_aliases.set(number, topic); });
  mqtt::ProtocolError error;
  while (decoder.next(bytes, packet_, error) == mqtt::Decoder::Step::Decoded) {
    const auto* const publish = std::get_if<mqtt::Publish>(&packet_);
    const std::uint16_t alias = publish != nullptr && !publish->topic.empty() ? alias_of(*publish) : std::uint16_t{0};
    if (alias != 0) strand.sent_aliases.set(alias, {});
  }
}

void Traces::read_sent(Strand& strand, ByteView bytes, mqtt::Decoder decoder, Instant now) {
  mqtt::ProtocolError error;
  while (strand.is_wanted && is_on_ && decoder.next(bytes, packet_, error) == mqtt::Decoder::Step::Decoded) {
    see(strand, TraceDirection::Sent, packet_, now);
  }
}

void Traces::note_received(ConnectionId from, ByteView bytes, Instant now) {
  read_received(strand_of(from), bytes, now);
}

void Traces::note_sent(ConnectionId to, ByteView bytes, Instant now) {
  Strand& strand = strand_of(to);
  if (!strand.is_wanted) return;
  const broker::StreamState state = broker_.connection(to).stream_state();
  const auto decoder = [&] { return decoder_for(mqtt::Role::Client, state.version, mqtt::kRemainingLengthMax); };
  learn_assigned(strand, state.assigned, bytes, decoder());
  read_sent(strand, bytes, decoder(), now);
}

void Traces::note_received(const bridge::Bridge& from, ByteView bytes, Instant now) {
  read_received(strand_of(from), bytes, now);
}

// CONNECT is the first of a new connection.
void Traces::note_sent(const bridge::Bridge& to, ByteView bytes, Instant now) {
  const bool is_first = begins_with_connect(bytes);
  if (is_first) {
    if (const auto old = bridges_.find(to.bridge_name()); old != bridges_.end()) bridges_.erase(old);
  }
  Strand& strand = strand_of(to);
  if (!strand.is_wanted) return;
  const broker::StreamState state = to.stream_state();
  const auto version = is_first ? std::nullopt : state.version;
  const auto decoder = [&] { return decoder_for(mqtt::Role::Server, version, mqtt::kRemainingLengthMax); };
  learn_assigned(strand, state.assigned, bytes, decoder());
  read_sent(strand, bytes, decoder(), now);
}

// --- the end of a connection ---

void Traces::end(Strand& strand, std::string_view reason, Instant now) {
  if (!strand.is_wanted) return;
  const TraceParty party = strand.party();
  const Trace::Sighting seen{.party = party, .direction = TraceDirection::Received, .time = wall_()};
  for_each([&](Trace& trace) { trace.show_end(seen, reason); }, now);
}

void Traces::note_ended(ConnectionId connection, std::string_view reason, Instant now) {
  end(strand_of(connection), reason, now);
  clients_.erase(connection);
}

void Traces::note_ended(const bridge::Bridge& bridge, std::string_view reason, Instant now) {
  const auto place = bridges_.find(bridge.bridge_name());
  if (place == bridges_.end()) return;
  end(place->second, reason, now);
  if (const auto left = bridges_.find(bridge.bridge_name()); left != bridges_.end()) bridges_.erase(left);
}

}  // namespace furrow::gateway
