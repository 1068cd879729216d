import {fileURLToPath} from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

// MQTT.js is made of Node's modules, and its build for browsers has all of them: 110 KB compressed, of which this page
// needs two thirds. So it is built from its sources here, without what only other programs use.
const mqtt = [
  {find: /^mqtt\/lib\/(.*)$/, replacement: path("node_modules/mqtt/build/lib/") + "$1.js"},
  {find: /^worker-timers$/, replacement: path("src/vendor/timers.js")},
  {find: /^(debug|ws)$/, replacement: path("src/vendor/nothing.js")},
  {find: /^lru-cache$/, replacement: path("src/vendor/topic_aliases.js")},
  {find: /^buffer$/, replacement: "buffer/"},
];

export default {
  root: path("."),
  resolve: {alias: mqtt},
  // Below `npm run dev`, the page speaks to the gateway that FURROW_GATEWAY names.
  server: {proxy: {"/mqtt": {target: process.env.FURROW_GATEWAY ?? "http://127.0.0.1:8083", ws: true,
                             changeOrigin: true, rewriteWsOrigin: true}}},
  build: {
    target: ["es2022", "chrome109", "firefox115", "safari16"],
    modulePreload: false,
    assetsInlineLimit: 0,
    commonjsOptions: {transformMixedEsModules: true},
    rollupOptions: {output: {entryFileNames: "page.js", assetFileNames: "page[extname]"}},
  },
};
