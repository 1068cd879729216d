// A sensor that counts, with MQTT.js: node counter.js PORT TOPIC. Publishes the next number at QoS 1 every 100 ms, over
// lost connections, and prints each that was acknowledged. SIGTERM: waits for the last acknowledgement, and ends.
"use strict";

const mqtt = require("mqtt");

const [port, topic] = process.argv.slice(2);
const client = mqtt.connect({ host: "127.0.0.1", port, clientId: "counter", clean: false, reconnectPeriod: 200 });
client.on("error", () => {}); // it tries again

let next = 0;
let waiting = 0;
const timer = setInterval(() => {
  const number = String(next++);
  ++waiting;
  client.publish(topic, number, { qos: 1 }, (error) => {
    --waiting;
    if (!error) console.log(number);
  });
}, 100);

process.on("SIGTERM", () => {
  clearInterval(timer);
  setInterval(() => waiting === 0 && process.exit(0), 50);
});
