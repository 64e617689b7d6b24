// Messages on the page: put in place, replaced in place, scrolled to; threads opened beside the channel.

import { all, announce, element, one, page } from "./page.js";
import { tick } from "./clocks.js";

const near = 160;

const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < near;
const toEnd = (box) => { box.scrollTop = box.scrollHeight; };

export function settle(root = document) {
  for (const box of all(".stream", root)) toEnd(box);
  const hash = location.hash.slice(1);
  if (hash) document.getElementById(hash)?.scrollIntoView({ block: "center" });
}

/** Put a drawn message where it belongs, or replace every copy of it. */
export function show(message) {
  const copies = all(`[data-message="${CSS.escape(message.id)}"]`);
  for (const copy of copies) replace(copy, message);
  if (!copies.length && message.new && message.channel === page.channel) append(message);
  tick();
}

function replace(copy, message) {
  const fresh = element(message.html);
  fresh.id = copy.id;
  if (message.edited && message.edited !== copy.dataset.edited) {
    fresh.classList.add("changed");
    fresh.dataset.edited = message.edited;
    announce(message.plain);
  }
  const focused = copy.contains(document.activeElement) ? document.activeElement.dataset.do : null;
  copy.replaceWith(fresh);
  if (focused) (one(`[data-do="${focused}"]`, fresh) ?? one("button, a", fresh))?.focus();
}

function append(message) {
  const box = one(`[data-stream="${CSS.escape(message.thread)}"]`);
  if (!box) return;
  const stay = !atEnd(box);
  one("[data-welcome]", box)?.remove();
  const fresh = element(message.html);
  fresh.classList.add("fresh");
  if (!message.thread) fresh.id = message.id;
  box.append(fresh);
  announce(message.plain);
  if (!stay) requestAnimationFrame(() => toEnd(box));
}

/** An answer only this person sees: in place when its conversation is on the page. Returns false when it is not. */
export function answer(reply, thread) {
  const box = page.channel ? one(`[data-stream="${CSS.escape(thread)}"]`) : null;
  if (!box) return false;
  const old = one(`[data-message="${CSS.escape(reply.id)}"]`);
  const fresh = element(reply.html);
  if (old) old.replaceWith(fresh);
  else {
    one("[data-welcome]", box)?.remove();
    fresh.classList.add("fresh");
    box.append(fresh);
  }
  announce(reply.plain);
  requestAnimationFrame(() => fresh.scrollIntoView({ block: "nearest" }));
  tick();
  return true;
}

// ------------------------------------------------------------------------------------------------ threads

export async function openThread(link, push = true) {
  const address = new URL(link, location.href);
  const part = new URL(address);
  part.searchParams.set("part", "thread");
  const response = await fetch(part).catch(() => null);
  if (!response?.ok) { location.href = address; return; }
  place(await response.text(), address.searchParams.get("thread"));
  if (push) history.pushState({}, "", address);
  one("#aside textarea")?.focus({ preventScroll: true });
}

function place(html, thread) {
  one("#aside").innerHTML = html;
  page.thread = thread;
  document.body.classList.add("with-thread");
  settle(one("#aside"));
  tick();
}

export function closeThread(address, push = true) {
  const was = page.thread;
  one("#aside").innerHTML = "";
  page.thread = "";
  document.body.classList.remove("with-thread");
  if (push) history.pushState({}, "", address);
  one(`[data-thread-open="${CSS.escape(was)}"]`)?.focus({ preventScroll: true });
}

export function start() {
  document.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    const open = event.target.closest("[data-thread-open]");
    const close = event.target.closest("[data-thread-close]");
    if (open && page.channel) { event.preventDefault(); openThread(open.href); }
    if (close) { event.preventDefault(); closeThread(close.href); }
  });
  addEventListener("popstate", () => {
    const thread = new URLSearchParams(location.search).get("thread");
    if (thread) openThread(location.href, false);
    else if (page.thread) closeThread(location.href, false);
  });
  settle();
  one(".demo-bar [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
}
