// Live updates: one event stream, resumed by change number; closed while the tab is hidden for long, since a browser
// opens only six connections to one server.

import { all, element, one, page, toast } from "./page.js";
import { tick } from "./clocks.js";
import { show } from "./stream.js";

let source = null;
let last = page.change;
let hidden = 0;
let pulse = 0;
let retry = 0;

const seenKey = (channel) => `hoop ${page.base} ${channel}`;

export function start() {
  connect();
  mark();
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    if (document.visibilityState === "hidden") hidden = setTimeout(disconnect, 60_000);
    else if (!source) connect();
  });
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
}

function disconnect() {
  source?.close();
  source = null;
}

function connect() {
  disconnect();
  source = new EventSource(`${page.base}/events?after=${encodeURIComponent(last)}`);
  source.addEventListener("open", () => { retry = 0; document.body.classList.remove("offline"); });
  source.addEventListener("error", lost);
  on("message", (data) => { show(data); noticed(data); });
  on("side", side);
  on("pulse", () => { document.body.dataset.live = "yes"; refreshList(); });
  on("reload", () => location.reload());
  on("bye", () => location.assign(`${page.base}/`));
}

function on(name, handle) {
  source.addEventListener(name, (event) => {
    if (event.lastEventId) last = event.lastEventId;
    handle(JSON.parse(event.data));
  });
}

function lost() {
  document.body.classList.add("offline");
  // A refused stream (not a broken one) is not retried by the browser.
  if (source?.readyState === EventSource.CLOSED) {
    disconnect();
    retry = Math.min(30_000, (retry || 1_000) * 2);
    setTimeout(() => { if (!source && document.visibilityState === "visible") connect(); }, retry);
  }
}

// ------------------------------------------------------------------------------------------------ navigation

function side(data) {
  one("#side-live").innerHTML = data.html;
  waiting(data.waiting);
  mark();
  tick();
}

function waiting(count) {
  const link = one("[data-waiting-link]");
  if (link) { link.hidden = !count; one("[data-waiting-count]", link).textContent = count; }
  document.title = document.title.replace(/^\(\d+\) /, "");
  if (count) document.title = `(${count}) ${document.title}`;
}

/** Which page is open, and what is unread: remembered per browser. */
function mark() {
  for (const link of all("#side-live .nav a")) {
    const here = new URL(link.href).pathname === location.pathname;
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    if (!link.dataset.seen) continue;
    const key = seenKey(link.dataset.seen);
    const seen = Number(localStorage.getItem(key) ?? -1);
    if (here || seen < 0) localStorage.setItem(key, link.dataset.last);
    link.classList.toggle("unread", !here && seen >= 0 && seen < Number(link.dataset.last));
    one(".dot", link)?.remove();
    if (link.classList.contains("unread")) {
      link.append(element('<span class="dot" role="img" aria-label="unread"></span>'));
    }
  }
  waiting(Number(one("[data-waiting]")?.dataset.waiting ?? 0));
}

/** A private message that came while another page is open, unless the page shows what it is about. */
function noticed(data) {
  if (!data.new || data.mine || !data.channel.startsWith("@") || page.channel.startsWith("@")) return;
  setTimeout(() => {
    const shown = all(".stream .card-foot code").some((id) => data.plain.includes(id.textContent));
    if (!shown) toast(data.plain, "info");
  }, 400);
}

// ------------------------------------------------------------------------------------------------ lists

/** Pages with lists are drawn anew by the server when something happened, at most every second and a half. */
function refreshList() {
  if (!one("#live-list") || pulse) return;
  pulse = setTimeout(async () => {
    const response = await fetch(location.href).catch(() => null);
    pulse = 0;
    if (!response?.ok) return;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("#live-list");
    const list = one("#live-list");
    if (!fresh || plain(fresh) === plain(list)) return;
    const focused = list.contains(document.activeElement);
    list.replaceWith(fresh);
    fresh.tabIndex = -1;
    if (focused) fresh.focus({ preventScroll: true });
    tick();
  }, 1500);
}

const plain = (list) => {
  const copy = list.cloneNode(true);
  for (const time of copy.querySelectorAll("time")) time.remove();
  return copy.innerHTML;
};
