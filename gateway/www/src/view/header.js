// The top of the page: which gateway, whether it is well, what asks for attention, and how fresh all of this is.

import {element, setChildren, setHidden, setLevel, setText} from "../dom.js";
import {counted, duration, timeOfDay} from "../model/format.js";
import {stateOf} from "../model/states.js";
import {concerns, verdict} from "../model/verdict.js";

const at = (id) => document.getElementById(id);
const LEVEL_OF = {error: "bad", warning: "warn", info: "info"};

// Documents come at least this often while the page asks for them; what is older is shown as old.
const STALE_AFTER = 15; // seconds

let announced = null;

// What is shown is old, and looks so.
export function isStale(status, link, now) {
  return status.heardAt !== null && (link.state !== "online" || now - status.heardAt > 1000 * STALE_AFTER);
}

// `told`: the moment as of which things are told; `now`, unless they are old.
export function renderHeader(status, link, now, told) {
  const isOld = isStale(status, link, now);
  document.body.dataset.view = link.state === "refused" ? "login" : status.heardAt === null ? "connecting" : "status";
  document.body.classList.toggle("stale", isOld);
  renderLink(link, isOld);
  renderLost(link, status, isOld, now);
  renderGateway(status, told);
  const judged = isOld ? {level: "off", text: "Not known: this page has no news from the gateway"} : verdict(status);
  renderVerdict(judged, status, link);
  renderConcerns(isOld ? [] : concerns(status), status, now);
  announce(status, link, judged);
}

function renderLink(link, isOld) {
  const [level, text] = {
    connecting: ["off", "connecting"],
    online: isOld ? ["warn", "no news"] : ["ok", "live"],
    lost: ["bad", "offline"],
    refused: ["off", "signed out"],
  }[link.state];
  const shown = at("link");
  setLevel(shown, level);
  shown.lastChild.nodeValue = text;
}

function renderLost(link, status, isOld, now) {
  const notice = at("lost");
  const lost = link.lostAt !== null && link.state !== "refused";
  setHidden(notice, link.state === "refused" || (!lost && !isOld));
  if (lost) {
    const since = duration((now - (status.heardAt ?? link.lostAt)) / 1000);
    const what = link.hasBeenOnline ? `This page lost the gateway ${since} ago.`
      : `This page does not reach the gateway, and has tried for ${since}.`;
    const next = link.state === "connecting" ? "Trying now."
      : `Trying again in ${duration(Math.max(1, (link.retryAt - now) / 1000))}.`;
    setText(notice, `${what} ${status.heardAt === null ? "" : "What you see is as it was then. "}${next}`);
  } else if (isOld) {
    const silence = duration((now - status.heardAt) / 1000);
    setText(notice, `The gateway has said nothing for ${silence}. What you see is that old.`);
  }
}

function renderGateway(status, now) {
  const gateway = status.gateway;
  if (gateway === null) return;
  setText(at("gateway-id"), gateway.id);
  setText(at("gateway-version"), gateway.version);
  setText(at("gateway-uptime"), duration(status.secondsSince(gateway.started_at, now)));
  const title = `${gateway.id} · furrow`;
  if (document.title !== title) document.title = title;
}

function renderVerdict(judged, status, link) {
  const section = at("verdict");
  setLevel(section, judged.level);
  setText(at("verdict-text"), status.heardAt === null && link.state !== "refused" ? "Connecting to the gateway"
    : judged.text);
  setText(at("verdict-time"), status.heardAt === null ? "" : `as of ${timeOfDay(status.heardAt)}`);
}

function renderConcerns(all, status, now) {
  setHidden(at("concerns"), all.length === 0);
  const notes = all.filter((one) => one.severity === "info");
  renderList(at("concern-list"), all.filter((one) => one.severity !== "info"), status, now);
  setHidden(at("notes"), notes.length === 0);
  setText(at("notes-title"), counted(notes.length, "limit was reached", "limits were reached"));
  renderList(at("note-list"), notes, status, now);
}

function renderList(list, all, status, now) {
  setHidden(list, all.length === 0);
  setChildren(list, all, {
    key: (one) => one.id,
    make: () => element("li", {class: "concern"}, element("div", {},
      element("p", {class: "what"}, element("strong"), " ", element("span")), element("p", {class: "todo"})),
      element("time")),
    update(item, one) {
      setLevel(item, LEVEL_OF[one.severity]);
      const [about, what] = item.querySelectorAll("strong, .what span");
      setText(about, one.about);
      setText(what, one.what);
      const todo = item.querySelector(".todo");
      setText(todo, one.todo);
      setHidden(todo, one.todo === "");
      const since = one.sinceAt === null ? null : status.secondsSince(one.sinceAt, now);
      setText(item.querySelector("time"), since === null ? "" : `for ${duration(since)}`);
    },
  });
}

// Screen readers hear of changes of states, and not of numbers.
function announce(status, link, judged) {
  const states = [...status.bridges.values()].map((one) => `${one.name} is ${stateOf(one).word}`).join(", ");
  const now = [link.state, judged.level, states].join("; ");
  if (now === announced) return;
  if (announced !== null && link.state !== "connecting") {
    setText(at("announcements"), [link.state === "lost" ? "This page lost the gateway" : judged.text, states]
      .filter(Boolean).join(". "));
  }
  announced = now;
}

export function renderLogin(link) {
  setHidden(at("login"), link.state !== "refused");
  setHidden(at("status"), link.state === "refused");
  setText(at("login-error"), link.state === "refused" ? link.reason : "");
}

export function bindLogin(link) {
  at("login-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const form = event.target;
    const username = form.elements.username.value;
    const password = form.elements.password.value;
    form.elements.password.value = "";
    link.connect({username, password});
  });
}
