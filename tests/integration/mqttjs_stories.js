// Stories that MQTT.js tells with a gateway: node mqttjs_stories.js PORT VERSION STORY [PROTOCOL]. PROTOCOL is mqtt,
// mqtts, ws or wss. Ends with 0 if it went as told.
// mqttjs_test.py runs them, one process each.
"use strict";

const assert = require("node:assert/strict");
const { once } = require("node:events");
const mqtt = require("mqtt");

const [port, version, story, protocol = "mqtt"] = process.argv.slice(2);
const V5 = version === "5";

// A connected client that notes what it gets, in `messages` as {topic, text, packet}, and every packet in `received`
// and `sent`.
async function client(clientId, options = {}) {
  const one = mqtt.connect({
    protocol, host: "127.0.0.1", port, path: "/mqtt", protocolVersion: V5 ? 5 : 4, clientId, reconnectPeriod: 0,
    ...options,
  });
  one.messages = [];
  one.received = [];
  one.sent = [];
  one.on("message", (topic, payload, packet) => one.messages.push({ topic, text: payload.toString(), packet }));
  one.on("packetreceive", (packet) => one.received.push({ ...packet }));
  one.on("packetsend", (packet) => one.sent.push({ ...packet }));
  one.on("error", (error) => { throw error; });
  one.on("disconnect", ({ reasonCode }) => { throw new Error(`${clientId} was sent DISCONNECT ${reasonCode}`); });
  const [connack] = await once(one, "connect");
  one.sessionPresent = connack.sessionPresent;
  return one;
}

// The first `count` messages, as soon as there are so many. mqttjs_test.py ends what does not end.
async function take(one, count) {
  while (one.messages.length < count) await once(one, "message");
  return one.messages.slice(0, count);
}

function texts(one) {
  return one.messages.map((message) => message.text);
}

// Everything that was published before on this gateway, and was for `one`, has come when this returns.
async function settle(one, writer) {
  await one.subscribeAsync("settled", { qos: 1 });
  await writer.publishAsync("settled", "", { qos: 1 });
  while (!one.messages.some((message) => message.topic === "settled")) await once(one, "message");
  one.messages = one.messages.filter((message) => message.topic !== "settled");
}

const stories = {
  async every_qos() {
    const reader = await client("reader");
    const writer = await client("writer");
    for (const qos of [0, 1, 2]) {
      const [granted] = await reader.subscribeAsync(`farm/+/${qos}`, { qos });
      assert.equal(granted.qos, qos);
    }
    const expected = {};
    for (const published of [0, 1, 2]) {
      for (const subscribed of [0, 1, 2]) {
        const topic = `farm/${published}/${subscribed}`;
        await writer.publishAsync(topic, "reading", { qos: published });
        expected[topic] = Math.min(published, subscribed);
      }
    }
    const found = (await take(reader, 9)).map(({ topic, packet }) => [topic, packet.qos]);
    assert.deepEqual(Object.fromEntries(found), expected);
  },

  async exactly_once_and_in_order() {
    const reader = await client("reader");
    const writer = await client("writer");
    await reader.subscribeAsync("count", { qos: 2 });
    const numbers = [...Array(500).keys()].map(String);
    // All at once: MQTT.js does not look at the receive maximum of its server.
    await Promise.all(numbers.map((number) => writer.publishAsync("count", number, { qos: 2 })));
    await settle(reader, writer);
    assert.deepEqual(texts(reader), numbers);
  },

  async will() {
    const reader = await client("reader");
    await reader.subscribeAsync("will/#", { qos: 1 });
    for (const name of ["leaves", "breaks"]) {
      const will = { topic: `will/${name}`, payload: Buffer.from("gone"), qos: 1, retain: false };
      if (V5) will.properties = { contentType: "text/plain", userProperties: { barn: "7" } };
      const sensor = await client(name, { will });
      if (name === "leaves") await sensor.endAsync();
      else sensor.stream.destroy();
    }
    const [message] = await take(reader, 1);
    assert.deepEqual([message.topic, message.text, message.packet.qos], ["will/breaks", "gone", 1]);
    if (V5) {
      assert.equal(message.packet.properties.contentType, "text/plain");
      assert.deepEqual({ ...message.packet.properties.userProperties }, { barn: "7" });
    }
    await settle(reader, await client("writer"));
    assert.equal(reader.messages.length, 1);
  },

  async retained() {
    const writer = await client("writer");
    for (const [value, expected] of [["first", ["first"]], ["second", ["second"]], ["", []]]) {
      await writer.publishAsync("farm/level", value, { qos: 1, retain: true });
      const reader = await client(`reader-of-${value}`);
      await reader.subscribeAsync("farm/#", { qos: 1 });
      await settle(reader, writer);
      assert.deepEqual(texts(reader), expected);
      assert.ok(reader.messages.every(({ packet }) => packet.retain));
      await reader.endAsync();
    }
  },

  async persistent_session() {
    const options = { clean: false, ...(V5 && { properties: { sessionExpiryInterval: 3600 } }) };
    const first = await client("reader", options);
    assert.equal(first.sessionPresent, false);
    await first.subscribeAsync("farm/#", { qos: 2 });
    await first.endAsync();
    const writer = await client("writer");
    for (const qos of [1, 2]) await writer.publishAsync("farm/level", `QoS ${qos}`, { qos });
    const second = await client("reader", options);
    assert.equal(second.sessionPresent, true);
    await take(second, 2);
    await writer.publishAsync("farm/level", "live", { qos: 1 });
    await settle(second, writer);
    assert.deepEqual(texts(second), ["QoS 1", "QoS 2", "live"]);
    await second.endAsync();
    const third = await client("reader", { clean: true });
    assert.equal(third.sessionPresent, false);
  },

  async shared_subscription() {
    const members = await Promise.all(["one", "two"].map((name) => client(name)));
    for (const member of members) await member.subscribeAsync("$share/crew/work/#", { qos: 1 });
    const writer = await client("writer");
    const numbers = [...Array(200).keys()].map(String);
    for (const number of numbers) await writer.publishAsync("work/item", number, { qos: 1 });
    while (members[0].messages.length + members[1].messages.length < numbers.length) {
      await Promise.race(members.map((member) => once(member, "message")));
    }
    for (const member of members) assert.notEqual(member.messages.length, 0, "one did all the work");
    // What settles the second reaches the first, too.
    for (const member of members) await settle(member, writer);
    const work = members.flatMap((member) => member.messages.filter(({ topic }) => topic === "work/item"));
    const all = work.map(({ text }) => text).sort((a, b) => a - b);
    assert.deepEqual(all, numbers);
  },
};

const storiesOf5 = {
  async topic_aliases() {
    const reader = await client("reader", { properties: { topicAliasMaximum: 4 } });
    await reader.subscribeAsync("farm/#", { qos: 1 });
    const writer = await client("writer", { autoAssignTopicAlias: true });
    const topics = ["farm/a", "farm/b", "farm/a", "farm/b", "farm/a"];
    for (const topic of topics) await writer.publishAsync(topic, topic, { qos: 1 });
    const found = await take(reader, topics.length);
    assert.deepEqual(found.map(({ topic, text }) => [topic, text]), topics.map((topic) => [topic, topic]));
    const abbreviated = (packets) =>
      packets.filter(({ cmd, topic, properties }) => cmd === "publish" && topic === "" && properties.topicAlias > 0);
    assert.equal(abbreviated(writer.sent).length, 3, "on the way to the gateway");
    assert.equal(abbreviated(reader.received).length, 3, "on the way to the subscriber");
    assert.ok(reader.received.every(({ properties }) => (properties?.topicAlias ?? 0) <= 4));
  },

  async subscription_identifiers() {
    const reader = await client("reader");
    for (const [filter, subscriptionIdentifier] of [["farm/#", 7], ["farm/+/level", 268435455], ["other/#", 1]]) {
      await reader.subscribeAsync(filter, { qos: 1, properties: { subscriptionIdentifier } });
    }
    await reader.subscribeAsync("plain", { qos: 1 });
    const writer = await client("writer");
    const expected = { "farm/barn/level": [7, 268435455], "farm/barn": [7], "other/x": [1], plain: [] };
    for (const topic of Object.keys(expected)) await writer.publishAsync(topic, "", { qos: 1 });
    await settle(reader, writer);
    const found = {};
    for (const { topic, packet } of reader.messages) {
      (found[topic] ??= []).push(...[packet.properties?.subscriptionIdentifier ?? []].flat());
    }
    for (const identifiers of Object.values(found)) identifiers.sort((a, b) => a - b);
    assert.deepEqual(found, expected);
  },

  async request_and_response() {
    const answerer = await client("answerer");
    answerer.on("message", (topic, payload, { properties }) => {
      answerer.publish(properties.responseTopic, `${payload}, indeed`, {
        qos: 1, properties: { correlationData: properties.correlationData, userProperties: properties.userProperties },
      });
    });
    await answerer.subscribeAsync("questions", { qos: 1 });
    const asker = await client("asker");
    await asker.subscribeAsync("answers/asker", { qos: 1 });
    const properties = {
      responseTopic: "answers/asker", correlationData: Buffer.from([0, 1, 255, 254]), contentType: "text/plain",
      payloadFormatIndicator: true, messageExpiryInterval: 60,
      userProperties: { z: ["first", "second", "first"], a: "last" },
    };
    await asker.publishAsync("questions", "dry", { qos: 1, properties });
    const [question] = await take(answerer, 1);
    const { messageExpiryInterval, userProperties, ...others } = question.packet.properties;
    assert.ok(messageExpiryInterval > 0 && messageExpiryInterval <= 60, `expiry ${messageExpiryInterval}`);
    assert.deepEqual({ ...userProperties }, properties.userProperties);
    assert.deepEqual(others, {
      responseTopic: "answers/asker", correlationData: properties.correlationData, contentType: "text/plain",
      payloadFormatIndicator: true,
    });
    const [answer] = await take(asker, 1);
    assert.equal(answer.text, "dry, indeed");
    assert.deepEqual(answer.packet.properties.correlationData, properties.correlationData);
    assert.deepEqual({ ...answer.packet.properties.userProperties }, properties.userProperties);
  },
};

const known = V5 ? { ...stories, ...storiesOf5 } : stories;
if (story === undefined) {
  console.log(Object.keys(known).join("\n"));
} else {
  known[story]().then(
    () => process.exit(0),
    (error) => {
      console.error(error);
      process.exit(1);
    });
}
