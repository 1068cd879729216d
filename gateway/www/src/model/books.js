// The books of a bridge: each message that it accepted is in exactly one place.

import {words} from "./format.js";

// The places of a bridge's document, each as {place, count, isLoss}; drops by their reasons, those that happened only.
export function places(bridge) {
  const dropped = Object.entries(bridge.dropped ?? {}).filter(([, number]) => number > 0);
  return [
    {place: "delivered", count: bridge.delivered ?? 0, isLoss: false},
    {place: "waiting", count: bridge.backlog?.messages ?? 0, isLoss: false},
    {place: "in flight", count: bridge.inflight ?? 0, isLoss: false},
    {place: "in quarantine", count: bridge.quarantined ?? 0, isLoss: true},
    {place: "expired", count: bridge.expired ?? 0, isLoss: true},
    ...dropped.map(([reason, number]) => ({place: `dropped: ${words(reason)}`, count: number, isLoss: true})),
  ];
}

// How many accepted messages are in no place; below zero: how many are in two. Zero: the books balance.
export function missing(bridge) {
  return (bridge.accepted ?? 0) - places(bridge).reduce((sum, one) => sum + one.count, 0);
}
