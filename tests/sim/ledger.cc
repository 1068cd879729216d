#include "tests/sim/ledger.h"

#include <algorithm>
#include <charconv>

namespace furrow::sim {

std::string make_payload(StreamId stream, std::uint32_t number, std::size_t padding) {
  return std::to_string(stream) + " " + std::to_string(number) + " " + std::string(padding, '.');
}

std::optional<std::pair<StreamId, std::uint32_t>> parse_payload(ByteView payload) {
  const std::string_view text = as_text(payload);
  std::pair<StreamId, std::uint32_t> parsed;
  const auto first = std::from_chars(text.data(), text.data() + text.size(), parsed.first);
  if (first.ec != std::errc{} || first.ptr == text.data() + text.size()) return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, text.data() + text.size(), parsed.second);
  if (second.ec != std::errc{}) return std::nullopt;
  return parsed;
}

StreamId Ledger::add_stream(Stream stream) {
  streams_.push_back({.options = std::move(stream), .messages = {}});
  return streams_.size() - 1;
}

AccountId Ledger::add_account(std::string name) {
  accounts_.push_back(std::move(name));
  return accounts_.size() - 1;
}

ReceiverId Ledger::add_receiver(std::string name, AccountId account) {
  receivers_.push_back({.name = std::move(name), .account = account, .flows = {}});
  return receivers_.size() - 1;
}

void Ledger::allow(StreamId stream, ReceiverId receiver, mqtt::Qos qos) {
  receivers_[receiver].flows[stream].qos = std::min(qos, streams_[stream].options.qos);
}

void Ledger::expect(StreamId stream, ReceiverId receiver) {
  Flow& flow = receivers_[receiver].flows.at(stream);
  if (!flow.expected_from) flow.expected_from = static_cast<std::uint32_t>(streams_[stream].messages.size());
}

void Ledger::forgive(ReceiverId receiver) {
  for (auto& [stream, flow] : receivers_[receiver].flows) {
    flow.repeats_allowed = true;
    flow.expected_from.reset();
  }
}

std::uint32_t Ledger::publish(StreamId stream, Instant now, bool deletes) {
  Book& book = streams_[stream];
  book.messages.push_back({.published = now, .deletes = deletes});
  book.deletions += deletes ? 1 : 0;
  book.messages.back().acknowledged = qos0_demanded_ && book.options.qos == mqtt::Qos::AtMostOnce;
  return static_cast<std::uint32_t>(book.messages.size() - 1);
}

void Ledger::note_crash() {
  for (Book& book : streams_) {
    book.revived_before = static_cast<std::uint32_t>(book.messages.size());
    if (!book.options.will) continue;
    for (Message& message : book.messages) {
      if (message.forbidden == Until::Crash) message.forbidden.reset();
    }
  }
}

void Ledger::forbid(StreamId stream, std::uint32_t number, Until until) {
  streams_[stream].messages[number].forbidden = until;
  for (const Receiver& receiver : receivers_) {
    const auto flow = receiver.flows.find(stream);
    if (flow == receiver.flows.end() || flow->second.arrivals.size() <= number) continue;
    if (flow->second.arrivals[number] == 0) continue;
    fail(receiver.name + " has will " + std::to_string(number) + " of stream " + std::to_string(stream) +
         ", whose client was back in time or had left in order");
  }
}

void Ledger::acknowledge(StreamId stream, std::uint32_t number) {
  Message& message = streams_[stream].messages[number];
  if (!message.acknowledged) ++acknowledged_;
  if (!message.acknowledged && streams_[stream].options.will) ++wills_acknowledged_;
  message.acknowledged = true;
}

void Ledger::arrive(ReceiverId receiver, StreamId stream, std::uint32_t number, std::string_view topic) {
  Receiver& to = receivers_[receiver];
  const auto what = [&] {
    return to.name + ": message " + std::to_string(number) + " of stream " + std::to_string(stream);
  };
  if (stream >= streams_.size() || number >= streams_[stream].messages.size()) {
    fail(what() + " was never published");
    return;
  }
  const auto found = to.flows.find(stream);
  if (found == to.flows.end()) {
    fail(what() + " came to somebody who did not ask for it");
    return;
  }
  if (topic != streams_[stream].options.topic) fail(what() + " came under the topic " + std::string(topic));
  Flow& flow = found->second;
  if (flow.arrivals.size() <= number) flow.arrivals.resize(number + 1);
  ++arrivals_;
  ++to.arrivals;
  std::uint8_t& count = flow.arrivals[number];
  count = static_cast<std::uint8_t>(std::min(count + 1, 255));
  const Book& book = streams_[stream];
  if (book.messages[number].forbidden) {
    fail(what() + ", a will, arrived, and its client was there, back in time or had left in order");
  }
  if (count > 1) {
    if (!may_repeat(flow, book, number)) {
      fail(what() + " arrived twice at QoS " + std::to_string(static_cast<int>(book.options.qos)));
    }
    return;
  }
  if (to.ordered && number + 1 < flow.next && !may_come_late(flow, book, number)) {
    fail(what() + " arrived first after message " + std::to_string(flow.next - 1));
  }
  flow.next = std::max(flow.next, number + 1);
}

bool Ledger::may_repeat(const Flow& flow, const Book& book, std::uint32_t number) const {
  if (book.options.qos == mqtt::Qos::AtMostOnce) return qos0_revival_allowed_ && number < book.revived_before;
  // That a will was published is stored later.
  if (book.options.will && number < book.revived_before) return true;
  return flow.qos != mqtt::Qos::ExactlyOnce || flow.repeats_allowed;
}

// Whether the message may arrive for the first time behind one that was published after it.
bool Ledger::may_come_late(const Flow& flow, const Book& book, std::uint32_t number) const {
  const bool revived = number < book.revived_before;
  if (book.options.qos == mqtt::Qos::AtMostOnce) return qos0_revival_allowed_ && revived;
  // What was published before the receiver asked for the stream may come when it is sent again.
  const bool expected = flow.expected_from && number >= *flow.expected_from;
  const bool came_again = (drops_allowed_ || refusals_allowed_) && book.messages[number].repeated;
  return !expected || came_again || ((drops_allowed_ || book.options.will) && revived);
}

void Ledger::arrive_deletion(ReceiverId receiver, std::string_view topic) {
  Receiver& to = receivers_[receiver];
  const auto found = std::ranges::find_if(to.flows, [&](const auto& flow) {
    const Book& book = streams_[flow.first];
    return book.deletions > 0 && book.options.topic == topic;
  });
  if (found == to.flows.end()) {
    fail(to.name + ": an empty message that nobody sent came under the topic " + std::string(topic));
    return;
  }
  Flow& flow = found->second;
  ++arrivals_;
  ++to.arrivals;
  ++flow.deletions;
  const bool once = flow.qos == mqtt::Qos::ExactlyOnce && !flow.repeats_allowed;
  if (once && flow.deletions > streams_[found->first].deletions) {
    fail(to.name + ": more deletions of " + std::string(topic) + " arrived than were published, at QoS 2");
  }
}

template <typename Visit>
void Ledger::visit_missing(AccountId account, Visit visit) const {
  for (const Receiver& receiver : receivers_) {
    if (receiver.account != account) continue;
    for (const auto& [stream, flow] : receiver.flows) {
      if (!flow.expected_from) continue;
      const Book& book = streams_[stream];
      std::uint64_t deletions = flow.deletions;
      for (std::size_t n = *flow.expected_from; n < book.messages.size(); ++n) {
        if (!book.messages[n].acknowledged) continue;
        if (book.messages[n].deletes && deletions > 0) {
          --deletions;
          continue;
        }
        const bool arrived = n < flow.arrivals.size() && flow.arrivals[n] > 0;
        if (!arrived) visit(receiver, stream, n, book);
      }
    }
  }
}

std::string Ledger::first_stale(ReceiverId receiver) const {
  for (const auto& [stream, flow] : receivers_[receiver].flows) {
    if (!flow.expected_from) continue;
    const std::vector<Message>& messages = streams_[stream].messages;
    const auto last = std::ranges::find_if(messages.rbegin(), messages.rend(), &Message::acknowledged);
    if (last == messages.rend() || last->deletes) continue;
    const auto number = static_cast<std::size_t>(messages.rend() - last) - 1;
    if (number < *flow.expected_from || flow.next > number) continue;
    return receivers_[receiver].name + " has nothing of stream " + std::to_string(stream) + " since message " +
           std::to_string(number) + ", its newest";
  }
  return {};
}

std::uint64_t Ledger::missing(AccountId account) const {
  std::uint64_t count = 0;
  visit_missing(account, [&](const Receiver&, StreamId, std::size_t, const Book&) { ++count; });
  return count;
}

std::uint64_t Ledger::missing(ReceiverId receiver, mqtt::Qos qos) const {
  std::uint64_t count = 0;
  const Receiver& wanted = receivers_[receiver];
  visit_missing(wanted.account, [&](const Receiver& each, StreamId stream, std::size_t, const Book&) {
    if (&each == &wanted && each.flows.at(stream).qos == qos) ++count;
  });
  return count;
}

std::string Ledger::first_missing(AccountId account) const {
  std::string text;
  visit_missing(account, [&](const Receiver& receiver, StreamId stream, std::size_t number, const Book& book) {
    if (!text.empty()) return;
    text = receiver.name + " lacks message " + std::to_string(number) + " of stream " + std::to_string(stream) + " (" +
           book.options.topic + ", QoS " + std::to_string(static_cast<int>(book.options.qos)) + ")";
  });
  return text;
}

std::uint64_t Ledger::missing_too_young(AccountId account, Instant now) const {
  std::uint64_t count = 0;
  visit_missing(account, [&](const Receiver&, StreamId, std::size_t number, const Book& book) {
    const auto& expiry = book.options.expiry_s;
    if (!expiry || now - book.messages[number].published < std::chrono::seconds(*expiry)) ++count;
  });
  return count;
}

std::optional<Ledger::Retained> Ledger::last_retained(StreamId stream) const {
  const std::vector<Message>& messages = streams_[stream].messages;
  for (std::size_t n = messages.size(); n-- > 0;) {
    if (!messages[n].acknowledged) continue;
    if (messages[n].deletes) return Retained{};
    return Retained{static_cast<std::uint32_t>(n)};
  }
  return std::nullopt;
}

}  // namespace furrow::sim
