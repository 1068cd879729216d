// Whether the gateway is well, in words: what is wrong, what to do, and one sentence about all of it.

import {count, counted, duration, words} from "./format.js";
import {stateOf} from "./states.js";

const SEVERITIES = ["error", "warning", "info"];
const CERTIFICATE_DAYS = {error: 1, warning: 30};

// What `limits` of the configuration did when they were reached. The others say enough by their name.
const PACED = new Set(["publish", "connections_per_second", "commit_waiting"]);

// What asks for attention, the worst first: the alarms of the gateway, and what it raises none for; where it raises
// none at all, what its documents say. Each is {id, severity, about, what, todo, sinceAt}, of which `about` and `what` make a sentence.
export function concerns(status) {
  const all = status.alarms === null ? derived(status) : alarmed(status);
  return all.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}

// A region that is away for a moment is no alarm yet, but whoever looks at the page wants to know.
function alarmed(status) {
  const alarms = status.alarms.map(fromAlarm);
  const raised = new Set(alarms.map((one) => one.id));
  const away = [...status.bridges.values()]
    .filter(({name}) => !raised.has(`bridge_stalled/${name}`) && !raised.has(`bridge_away/${name}`))
    .flatMap(awayConcerns);
  return [...alarms, ...away, ...limitConcerns(status.gateway?.limits_reached)];
}

function fromAlarm(alarm) {
  const severity = {critical: "error", bad: "error", warn: "warning"}[alarm.severity] ?? alarm.severity;
  return {
    id: String(alarm.id ?? alarm.what),
    severity: SEVERITIES.includes(severity) ? severity : "warning",
    about: alarm.about ?? "",
    what: alarm.what ?? "",
    todo: asSentence(alarm.do ?? ""),
    sinceAt: alarm.since_at ?? null,
  };
}

// A command stays as it is, to be copied.
function asSentence(text) {
  return text === "" || text.startsWith("furrow ") ? text : `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function derived(status) {
  const gateway = status.gateway ?? {};
  return [
    ...storeConcerns(gateway.store),
    ...[...status.bridges.values()].flatMap(bridgeConcerns),
    ...(gateway.listeners ?? []).flatMap(listenerConcerns),
    ...(gateway.certificates ?? []).flatMap(certificateConcerns),
    ...limitConcerns(gateway.limits_reached),
  ];
}

function storeConcerns(store) {
  if (!store || store.state === "ok") return [];
  return [{
    id: "store", severity: store.state === "slow" || store.state === "salvaging" ? "warning" : "error", about: "store",
    what: `is ${words(store.state)}${store.reason ? `: ${store.reason}` : ""}`, sinceAt: store.since_at,
    todo: store.state === "full" ? "Make room on the disk; the gateway goes on by itself." : "",
  }];
}

function awayConcerns(bridge) {
  if (!stateOf(bridge).isAway || !wasThere(bridge)) return [];
  const what = bridge.state === "stalled" ? "is connected, but the region acknowledges nothing" : "is away";
  return [{
    id: `bridge/${bridge.name}`, severity: "error", about: `bridge ${bridge.name}`,
    what: bridge.reason ? `${what}: ${bridge.reason}` : what, todo: "", sinceAt: bridge.since_at,
  }];
}

function bridgeConcerns(bridge) {
  const all = awayConcerns(bridge);
  if (bridge.quarantined > 0) {
    all.push({
      id: `quarantine/${bridge.name}`, severity: "warning", about: `bridge ${bridge.name}`, sinceAt: null,
      what: `has ${counted(bridge.quarantined, "message")} in quarantine: the region does not take them`,
      todo: `furrow buffer show --quarantine --bridge ${bridge.name}`,
    });
  }
  return all;
}

function listenerConcerns(listener) {
  if (listener.state !== "waiting") return [];
  return [{
    id: `listener/${listener.name}`, severity: "warning", about: `listener ${listener.name}`, sinceAt: null,
    what: `waits for its address${listener.reason ? `: ${listener.reason}` : ""}`, todo: "",
  }];
}

export function certificateLevel(days) {
  if (days <= CERTIFICATE_DAYS.error) return "bad";
  return days <= CERTIFICATE_DAYS.warning ? "warn" : "ok";
}

function certificateConcerns(certificate) {
  const level = certificateLevel(certificate.days);
  if (level === "ok") return [];
  const end = certificate.days < 0 ? `expired ${counted(-certificate.days, "day")} ago`
    : `ends in ${counted(certificate.days, "day")}`;
  return [{
    id: `certificate/${certificate.file}`, severity: level === "bad" ? "error" : "warning", about: certificate.name,
    what: `has a certificate that ${end}`, todo: `Put a new one into ${certificate.file}; it is taken within a minute.`,
    sinceAt: null,
  }];
}

function limitConcerns(limits = {}) {
  return Object.entries(limits).filter(([, reached]) => reached > 0).map(([key, reached]) => ({
    id: `limit/${key}`, severity: "info", about: `limits.${key}`, sinceAt: null, todo: "",
    what: `${PACED.has(key) ? "slowed somebody down" : "reached"} ${reached === 1 ? "once" : `${count(reached)} times`}`
      + " since the start",
  }));
}

// One sentence and its level: `{level: "ok", text: "All well"}`.
export function verdict(status) {
  if (status.gateway === null) return {level: "off", text: "No status has come yet"};
  const bridges = [...status.bridges.values()];
  const store = status.gateway.store ?? {state: "ok"};
  const away = bridges.filter((one) => stateOf(one).isAway);
  if (store.state !== "ok" && store.state !== "slow") {
    return {level: "bad", text: `The store is ${words(store.state)}; ${waitingText(bridges, status.gateway)}`};
  }
  if (away.length > 0) {
    const level = away.some(wasThere) ? "bad" : "warn";
    return {level, text: `${awayText(away)}; ${waitingText(bridges, status.gateway)}`};
  }
  const draining = bridges.filter((one) => one.state === "draining");
  if (draining.length > 0) return {level: "busy", text: drainingText(draining)};
  const worst = concerns(status)[0]?.severity;
  if (worst === "error" || worst === "warning") {
    const number = concerns(status).filter((one) => one.severity !== "info").length;
    const text = `${counted(number, "thing needs", "things need")} attention`;
    return {level: worst === "error" ? "bad" : "warn", text: `${text}; ${waitingText(bridges, status.gateway)}`};
  }
  return {level: "ok", text: bridges.length === 0 ? "All well; no bridge is configured" : "All well"};
}

// A bridge that connects for the first time is not in trouble yet; one that does so again is.
function wasThere(bridge) {
  return bridge.state !== "connecting" || bridge.connects > 0;
}

function awayText(away) {
  const stalled = away.filter((one) => one.state === "stalled").length;
  const gone = away.length - stalled;
  const parts = [];
  if (gone > 0) parts.push(`${counted(gone, "region is", "regions are")} away`);
  if (stalled > 0) parts.push(`${counted(stalled, "region acknowledges", "regions acknowledge")} nothing`);
  return parts.join(", ");
}

// With durable acknowledgements a message that is not on disk yet has not been acknowledged, so its sender has it
// still. Of a stream there are always a few of these, and the sentence does not flicker for them.
const ON_ITS_WAY = 0.05;

function waitingText(bridges, gateway) {
  const waiting = sum(bridges, (one) => (one.backlog?.messages ?? 0) + (one.inflight ?? 0));
  if (waiting === 0) return "nothing waits";
  const onDisk = sum(bridges, (one) => one.backlog?.disk_messages ?? 0);
  const text = `${counted(waiting, "message waits", "messages wait")}`;
  const rest = waiting - onDisk;
  if (gateway.acknowledge === "durable" && rest <= Math.max(50, waiting * ON_ITS_WAY)) return `${text}, safe on disk`;
  return rest <= 0 ? `${text}, safe on disk` : `${text}, ${count(onDisk)} of them on disk`;
}

function drainingText(draining) {
  const waiting = sum(draining, (one) => one.backlog?.messages ?? 0);
  const etas = draining.map((one) => one.drain_eta_s);
  const through = etas.every((one) => typeof one === "number")
    ? `, through in about ${duration(Math.max(1, ...etas))}` : "";
  return `All connected; ${counted(waiting, "message waits", "messages wait")} and ${
    waiting === 1 ? "drains" : "drain"}${through}`;
}

function sum(all, value) {
  return all.reduce((total, one) => total + value(one), 0);
}
