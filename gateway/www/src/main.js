// The status page: what comes over the link goes into the status, and the views draw it.

import {Link} from "./link.js";
import {Status} from "./model/status.js";
import {renderBridges} from "./view/bridges.js";
import {Explorer} from "./view/explorer.js";
import {renderFlow} from "./view/flow.js";
import {bindLogin, isStale, renderHeader, renderLogin} from "./view/header.js";
import {Plots} from "./view/plots.js";
import {renderTables} from "./view/tables.js";

const REFRESH_AFTER = 1900; // milliseconds without a document until the page asks for them

const status = new Status();
const utf8 = new TextDecoder();
let isDue = false;

const link = new Link(location, {
  onChange: draw,
  onStatus(topic, payload) {
    if (status.take(topic, utf8.decode(payload), Date.now())) draw();
  },
  onExplored: (topic, payload, packet) => explorer.take(topic, payload, packet),
});
const explorer = new Explorer(link);
const plots = new Plots();

// Once for all that came in one turn.
function draw() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(drawNow);
}

function drawNow() {
  isDue = false;
  const now = Date.now();
  const told = isStale(status, link, now) ? status.heardAt : now; // what is old does not grow older
  renderHeader(status, link, now, told);
  renderLogin(link);
  if (status.gateway === null) return;
  renderFlow(status);
  renderBridges(status, told);
  renderTables(status, told);
  plots.render(status);
}

// Ages grow each second. A page that nobody sees asks for nothing.
function tick() {
  if (document.visibilityState !== "visible") return;
  if (status.heardAt === null || Date.now() - status.heardAt >= REFRESH_AFTER) link.refresh();
  draw();
}

bindLogin(link);
link.connect();
setInterval(tick, 1000);
document.addEventListener("visibilitychange", tick);
