// A region of aedes: node aedes_region.js. Prints `listening PORT`. What it keeps, it keeps in memory.
"use strict";

const { createServer } = require("node:net");
const aedes = require("aedes")();

const server = createServer(aedes.handle);
server.listen(0, "127.0.0.1", () => console.log(`listening ${server.address().port}`));
