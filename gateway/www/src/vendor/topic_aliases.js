// In place of lru-cache, in which MQTT.js keeps topic aliases of what it publishes: this page publishes nothing.
export class LRUCache {
  clear() {}
}
