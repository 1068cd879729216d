// Status documents for tests: a gateway that is well, and a bridge that is, but for what a test changes.

export const gateway = (changes = {}) => ({
  schema: 1, seq: 1, time: "2030-01-01T00:00:00.000Z", id: "barn-7", version: "1.2.3",
  started_at: "2029-12-31T00:00:00.000Z", acknowledge: "durable", clients: {connected: 3, sessions: 4},
  messages: {received: 100, sent: 50, dropped: 0},
  store: {state: "ok", reason: null, since_at: "2029-12-31T00:00:00.000Z"},
  listeners: [], certificates: [], limits_reached: {connections: 0, publish: 0}, ...changes,
});

export const bridge = (changes = {}) => ({
  schema: 1, seq: 1, time: "2030-01-01T00:00:00.000Z", name: "region", state: "online", reason: null,
  since_at: "2029-12-31T00:00:00.000Z", backlog: {messages: 0, bytes: 0, oldest_s: null, disk_messages: 0}, inflight: 0,
  accepted: 0, delivered: 0, expired: 0, quarantined: 0, dropped: {queue_full: 0, age: 0}, rules: [],
  rate: {up_per_s: 0, down_per_s: 0}, drain_eta_s: null, connects: 1, last_ack_s: null, next_attempt_s: null,
  ...changes,
});

export const backlog = (messages, onDisk = messages) => (
  {messages, bytes: 10 * messages, oldest_s: 1, disk_messages: onDisk});
