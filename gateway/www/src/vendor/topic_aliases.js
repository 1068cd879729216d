// In place of lru-cache, with which MQTT.js chooses topic aliases for what it publishes: this page publishes nothing.
export class LRUCache {
  constructor() {
    throw new Error("this page sends no topic aliases");
  }
}
