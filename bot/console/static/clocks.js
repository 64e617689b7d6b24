// Countdowns tick once a second and write what the server writes (render.left).

import { all, page } from "./page.js";

export function left(seconds) {
  if (seconds <= 0) return "over";
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (seconds < 600) return `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
  if (seconds < 3600) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} days`;
}

export function tick() {
  const now = Date.now();
  for (const time of all("time[data-countdown]")) {
    const words = left(Math.floor((Date.parse(time.dateTime) - now) / 1000));
    if (time.textContent !== words) time.textContent = words;
  }
  for (const bar of all("progress[data-ends]")) {
    const rest = (Date.parse(bar.dataset.ends) - now) / 1000;
    bar.value = Math.max(0, rest);
    bar.closest(".access")?.classList.toggle("soon", rest < 600);
  }
}

/** Tell the server this browser's time zone, once, where nobody wrote down the person's own. True: the page comes again in it. */
export function moved() {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (page.zone === undefined || !here || (page.zone || "UTC") === here || !/^[A-Za-z0-9_+/-]+$/.test(here)) return false;
  const told = `hoop-zone=${here}`;
  const known = () => document.cookie.split("; ").includes(told);
  if (known()) return false;  // and the server knows no such zone
  document.cookie = `${told}; Path=/; SameSite=Lax; Max-Age=31536000`;
  if (known()) location.reload();
  return known();
}

export function start() {
  tick();
  setInterval(tick, 1000);
}
