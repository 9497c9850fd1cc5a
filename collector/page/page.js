// The page of one run: its figures, asked for now and then, and its activity as it comes.
// Everything from outside is set as textContent, never as markup. Addresses are relative, so that
// the page works behind any base URL or proxy.

const ROWS = 300;
const LONGEST = 300;
const ASK_EVERY_MS = 2000;
const ASK_IDLE_MS = 15000;
const AGAIN_MS = 5000;

const asked = new URLSearchParams(location.search);
const query = new URLSearchParams();
if (asked.has("source")) query.set("source", asked.get("source"));
// A token in the address is Jupyter's way in; its cookie takes over from here.
if (asked.has("token")) {
  asked.delete("token");
  const rest = asked.toString();
  history.replaceState(null, "", location.pathname + (rest ? `?${rest}` : ""));
}
const runId = location.pathname.split("/").filter(Boolean).pop();

const element = (id) => document.getElementById(id);
const feed = element("feed");
let lastId = null;
let waiting = [];
let askedAt = 0;
let asking = false;

function address(path, extra = {}) {
  const given = new URLSearchParams({ ...Object.fromEntries(query), ...extra }).toString();
  return given ? `${path}?${given}` : path;
}

function make(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

// What cannot be seen, or turns the reading direction of everything after it.
const UNPRINTABLE =
  /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/g;

function cut(text) {
  const shown = String(text ?? "").slice(0, 4 * LONGEST).replace(UNPRINTABLE, " ").trim();
  return shown.length > LONGEST ? `${shown.slice(0, LONGEST)}…` : shown;
}

const number = (value) => Number(value ?? 0).toLocaleString("en-US");

const SAID = {
  fetching: () => "Asking",
  found: (e) => `${number(e.items_count)} found`,
  error: (e) => `Error: ${cut(e.error_message || e.error_type || "unknown")}`,
  rate_limited: () => "Told to wait",
  uploading: () => "Saving",
  deduped: (e) => `Nothing new of ${number(e.items_count)}`,
  inserted: (e) => `${number(e.new_sellers_count)} new of ${number(e.items_count)}`,
  updated: () => "Brought up to date",
  paused: (e) => `Paused. ${cut(e.error_message)}`,
  resumed: (e) => `Resumed. ${cut(e.error_message)}`,
  cancelled: (e) => `Cancelled. ${cut(e.error_message)}`,
  complete: (e) => cut(e.error_message) || "Completed",
};

function sentence(entry) {
  const said = Object.hasOwn(SAID, entry.action) ? SAID[entry.action](entry) : cut(entry.action);
  const about = cut(entry.product_name || entry.category);
  return about ? `${said} · ${about}` : said;
}

function row(entry) {
  const node = document.createElement("li");
  if (/^[a-z_]+$/.test(entry.action)) node.className = entry.action;
  node.dataset.id = String(entry.id);
  const at = entry.timestamp ? new Date(entry.timestamp).toLocaleTimeString("en-GB") : "";
  const text = make("bdi", "text", sentence(entry));
  text.title = text.textContent;
  node.append(
    make("span", "time", at),
    make("span", "who", entry.worker_id > 0 ? `W${entry.worker_id}` : "–"),
    text,
  );
  return node;
}

function gapRow({ missed, last_id: last }) {
  const node = document.createElement("li");
  node.className = "gap";
  node.dataset.id = String(last);
  node.append(make("bdi", "text", `${number(missed)} entries are missing here`));
  return node;
}

// A hidden tab has no animation frames: what waits there is cut to what would be shown.
function show(node) {
  waiting.push(node);
  if (waiting.length === 1) requestAnimationFrame(paint);
  if (waiting.length > 2 * ROWS) waiting.splice(1, ROWS);
}

function paint() {
  feed.prepend(...waiting.splice(0).reverse());
  while (feed.childElementCount > ROWS) feed.lastElementChild.remove();
}

function say(text) {
  element("connection").textContent = text;
}

function figures(run) {
  element("name").textContent = cut(run.name);
  document.title = `${cut(run.name)} · ${run.status}`;
  element("status").textContent = run.interrupted ? "interrupted" : run.status;
  element("sandbox").hidden = run.source !== "sandbox";
  element("message").textContent = cut(run.message);
  const budget = run.budget === null ? "" : ` of ${number(run.budget)}`;
  const shown = [
    ["Lists", `${number(run.lists_done)} of ${number(run.lists_total)}`],
    ["Products searched", `${number(run.products_searched)} of ${number(run.products_total)}`],
    ...(run.products_covered ? [["Not due", number(run.products_covered)]] : []),
    ["Sellers found", number(run.sellers_found)],
    ["New sellers", number(run.sellers_new)],
    ["On the list", number(run.seller_count_snapshot ?? run.seller_count)],
    ["Requests", `${number(run.requests)}${budget}`],
    ...(run.plan_per_second ? [["Plan", `${number(run.plan_per_second)} jobs/s`]] : []),
    ["Failed items", number(run.failed_items)],
  ];
  element("figures").replaceChildren(
    ...shown.map(([name, value]) => {
      const pair = document.createElement("div");
      pair.append(make("dt", "", name), make("dd", "", value));
      return pair;
    }),
  );
}

async function ask() {
  const now = Date.now();
  if (asking || now - askedAt < ASK_EVERY_MS - 100) return;
  asking = true;
  askedAt = now;
  try {
    const answer = await fetch(address(`../${encodeURIComponent(runId)}`));
    const told = await answer.json();
    if (answer.ok) figures(told);
    else element("message").textContent = cut(told.message);
  } catch {
    element("message").textContent = "The server does not answer.";
  } finally {
    asking = false;
  }
}

function open() {
  const source = new EventSource(address("activity", lastId === null ? {} : { after: lastId }));
  source.onopen = () => say("Live.");
  source.onmessage = (event) => {
    lastId = event.lastEventId;
    show(row(JSON.parse(event.data)));
  };
  source.addEventListener("gap", (event) => {
    lastId = event.lastEventId;
    show(gapRow(JSON.parse(event.data)));
  });
  source.addEventListener("end", (event) => {
    source.close();
    say(`The run has ended: ${JSON.parse(event.data).status}.`);
    askedAt = 0;
    ask();
  });
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) {
      // A refusal ends an EventSource for good; the database may be back in a moment.
      say("Not connected; trying again …");
      setTimeout(open, AGAIN_MS);
    } else {
      say("The connection broke; connecting again …");
    }
  };
}

ask();
open();
setInterval(() => {
  if (document.hidden) return;
  if (feed.dataset.told !== lastId || Date.now() - askedAt > ASK_IDLE_MS) {
    feed.dataset.told = lastId;
    ask();
  }
}, ASK_EVERY_MS);
