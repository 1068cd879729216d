// The page's connection to its gateway: MQTT 5 over the WebSocket of the host that the page came from.
//
// Credentials stay in the memory of this object. A connection that ends is made again, later and later up to ten
// seconds; one that is refused for its credentials waits for others.

import "./vendor/node_globals.js";
import MqttClient from "mqtt/lib/client";
import {browserStreamBuilder} from "mqtt/lib/connect/ws";

const STATUS = {filters: ["gateway", "alarms", "bridge/+"].map((name) => `$SYS/furrow/${name}`), identifier: 1};
const HISTORY = "$SYS/furrow/history"; // what was before this page was opened is asked for once
const EXPLORER_IDENTIFIER = 2;

const BAD_CREDENTIALS = 0x86;
const NOT_AUTHORIZED = 0x87;
const FAILURES = 0x80; // reason codes from here on

const RETRY_FIRST = 1000;
const RETRY_MAX = 10000;
const CONNECT_TIMEOUT = 10000;
// Browsers let the timers of a hidden page go once a minute: pings that are due more often would come too late.
const KEEP_ALIVE = 120; // seconds
// A connection that is gone without a word is noticed by a question that has no answer.
const ANSWER_TIMEOUT = 10000;

const random = () => Array.from(crypto.getRandomValues(new Uint8Array(6)), (one) => one.toString(16).padStart(2, "0"));

export class Link {
  state = "connecting"; // connecting, online, lost, refused
  hasBeenOnline = false;
  lostAt = null; // since when there is no connection, in milliseconds
  retryAt = null;
  reason = ""; // why it was refused; empty: nobody has said who he is
  explored = null; // the filter of the explorer, while that listens
  #where;
  #tell;
  #client = null;
  #credentials = {};
  #retry = RETRY_FIRST;
  #timer = null;
  #askedAt = null; // when the question was asked that has no answer yet

  // Calls `onChange()` when its state changes, `onStatus(topic, payload)` and `onExplored(topic, payload, packet)`.
  constructor(location, {onChange, onStatus, onExplored}) {
    this.#where = {
      protocol: location.protocol === "https:" ? "wss" : "ws",
      hostname: location.hostname,
      port: location.port || (location.protocol === "https:" ? 443 : 80),
      path: "/mqtt",
    };
    this.#tell = {onChange, onStatus, onExplored};
  }

  connect(credentials = this.#credentials) {
    clearTimeout(this.#timer);
    this.#drop();
    this.#credentials = credentials;
    this.#set("connecting");
    const options = {
      ...this.#where, ...credentials, protocolVersion: 5, clientId: `page-${random().join("")}`, clean: true,
      keepalive: KEEP_ALIVE, connectTimeout: CONNECT_TIMEOUT, reconnectPeriod: 0, resubscribe: false,
      timerVariant: "native",
    };
    const client = new MqttClient((one) => browserStreamBuilder(one, options), options);
    this.#client = client;
    const mine = (handle) => (...all) => client === this.#client && handle(...all);
    client.on("connect", mine(() => this.#connected()));
    client.on("error", mine((error) => this.#failed(error)));
    client.on("close", mine(() => this.#closed()));
    client.on("message", mine((topic, payload, packet) => this.#take(topic, payload, packet)));
  }

  // The documents anew: a subscription brings them as they are now, and not only each `status.interval`.
  refresh() {
    if (this.state !== "online") return;
    if (this.#askedAt !== null) {
      if (Date.now() - this.#askedAt > ANSWER_TIMEOUT) this.#closed();
      return;
    }
    this.#askedAt = Date.now();
    this.#subscribe(STATUS.filters, 0, STATUS.identifier, (isRefused) => {
      this.#askedAt = null;
      this.reason = "";
      if (isRefused) this.#refuse(this.#isSomebody() ? "This user may not read the status." : "");
    });
  }

  // Listens to `filter` until stopExploring(), at QoS 2, so that each message has the QoS of its publisher. Calls
  // `refused` where that is not allowed.
  explore(filter, refused) {
    this.stopExploring();
    this.explored = filter;
    if (this.state !== "online") return;
    this.#subscribe(filter, 2, EXPLORER_IDENTIFIER, (isRefused) => {
      if (isRefused && this.explored === filter) refused();
    });
  }

  stopExploring() {
    if (this.explored !== null && this.state === "online") this.#client.unsubscribe(this.explored);
    this.explored = null;
  }

  // `done(isRefused)` is called with the gateway's answer, and not where the connection ends before it comes.
  #subscribe(filters, qos, subscriptionIdentifier, done) {
    const client = this.#client;
    client.subscribe(filters, {qos, properties: {subscriptionIdentifier}}, (error, asked, answer) => {
      const isRefused = answer?.granted.some((code) => code >= FAILURES) || error?.message.startsWith("Invalid topic");
      if (client === this.#client && (!error || isRefused)) done(isRefused === true);
    });
  }

  #connected() {
    this.#retry = RETRY_FIRST;
    this.#askedAt = null;
    this.hasBeenOnline = true;
    this.lostAt = this.retryAt = null;
    this.#set("online");
    this.refresh();
    this.#subscribe(HISTORY, 0, STATUS.identifier, () => {});
    if (this.explored !== null) this.explore(this.explored, () => {});
  }

  #failed(error) {
    if (error?.code !== BAD_CREDENTIALS && error?.code !== NOT_AUTHORIZED) return; // its end follows
    this.#refuse(this.#isSomebody() ? "The gateway does not know this user and password." : "");
  }

  #isSomebody() {
    return this.#credentials.username !== undefined;
  }

  #refuse(reason) {
    this.reason = reason;
    this.#credentials = {};
    this.#drop();
    this.#set("refused");
  }

  #closed() {
    this.#drop();
    this.lostAt ??= Date.now();
    this.retryAt = Date.now() + this.#retry;
    this.#timer = setTimeout(() => this.connect(), this.#retry);
    this.#retry = Math.min(2 * this.#retry, RETRY_MAX);
    this.#set("lost");
  }

  #take(topic, payload, packet) {
    const identifiers = [packet.properties?.subscriptionIdentifier ?? []].flat();
    if (identifiers.includes(STATUS.identifier)) this.#tell.onStatus(topic, payload);
    if (identifiers.includes(EXPLORER_IDENTIFIER)) this.#tell.onExplored(topic, payload, packet);
  }

  #drop() {
    const client = this.#client;
    this.#client = null;
    if (client === null) return;
    client.on("error", () => {}); // an error that nobody handles would be thrown
    client.end(true);
  }

  #set(state) {
    this.state = state;
    this.#tell.onChange();
  }
}
