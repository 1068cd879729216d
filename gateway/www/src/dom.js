// The few things with which this page makes and changes elements. Texts are texts: nothing here reads markup.

const SVG = "http://www.w3.org/2000/svg";

// An element with attributes; `on…` are handlers, null and false leave an attribute out.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Only what differs is written, so that nothing is drawn, announced or selected anew without need.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

export function setHidden(node, isHidden) {
  if (node.hidden !== isHidden) node.hidden = isHidden;
}

const ICONS = {
  ok: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.5 5.2-4.2 4.6a.8.8 0 0 1-1.1.1L4.3 9.2l1-1.2 1.3 1.1 3.7-4Z",
  busy: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 2.8 3.6 3.9-1.1 1L8.8 6.9V12H7.2V6.9L5.5 8.7l-1.1-1Z",
  warn: "M8 1.2 15.5 14.5H.5Zm-.8 4.8v4.5h1.6V6Zm0 5.7v1.6h1.6v-1.6Z",
  bad: "M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1Zm.6 3.6L4.6 5.7 6.9 8l-2.3 2.3 1.1 1.1L8 9.1l2.3 2.3 "
    + "1.1-1.1L9.1 8l2.3-2.3-1.1-1.1L8 6.9Z",
  off: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1ZM4.5 7.2h7v1.6h-7Z",
  info: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm-.8 3h1.6v1.7H7.2Zm0 3h1.6v5H7.2Z",
};

// A picture of a level; the word beside it says the same.
export function icon(level) {
  const drawn = svg("svg", {class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false"});
  drawn.append(svg("path", {"fill-rule": "evenodd", d: ICONS[level] ?? ICONS.info}));
  return drawn;
}

// Puts the icon and colour of `level` on a holder that has an icon as its first child, or gets one.
export function setLevel(holder, level) {
  const old = holder.querySelector(":scope > .icon");
  if (old !== null && holder.dataset.level === level) return;
  holder.dataset.level = level;
  if (old !== null) old.replaceWith(icon(level));
  else holder.prepend(icon(level));
}

// Makes the children of `parent` those of `items`, in their order, and keeps the elements that are there: `make(item)`
// makes one, `update(element, item)` fills it.
export function setChildren(parent, items, {key, make, update}) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, index) => {
    const name = String(key(item));
    let child = old.get(name);
    old.delete(name);
    if (child === undefined) {
      child = make(item);
      child.dataset.key = name;
    }
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
    update(child, item);
  });
  for (const child of old.values()) child.remove();
}

// A row of a table whose first cell names it.
export function row(cells) {
  return element("tr", {}, element("th", {scope: "row"}),
    ...Array.from({length: cells}, () => element("td")));
}

// Fills the cells of a row with texts.
export function setCells(tr, texts) {
  texts.forEach((text, index) => setText(tr.children[index], text));
}
