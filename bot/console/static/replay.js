// The recording player, and the list of statements that follows it.

import { all, one } from "./page.js";

const box = one("#player");
const entries = all(".entry").map((node) => ({ node, offset: Number(node.dataset.offset) }));

const look = {
  fit: "width",
  theme: "asciinema",
  terminalFontFamily: '"JetBrains Mono", ui-monospace, Menlo, Consolas, monospace',
};

function watch() {
  box.replaceChildren();
  AsciinemaPlayer.create({ driver: "eventsource", url: box.dataset.live, bufferTime: 0 }, box, { ...look, autoPlay: true });
}

async function start() {
  const response = await fetch(box.dataset.cast).catch(() => null);
  if (!response?.ok) {
    one(".note", box).textContent = "There is no recording of this session yet.";
    return;
  }
  const cast = await response.text();
  box.replaceChildren();
  const player = AsciinemaPlayer.create({ data: cast }, box, {
    ...look,
    idleTimeLimit: 2,
    preload: true,
    poster: "npt:0:02",
    markers: entries.map((entry) => [entry.offset, ""]),
  });
  for (const button of all("[data-seek]")) {
    button.addEventListener("click", async () => {
      await player.seek(Number(button.dataset.seek));
      player.play();
      box.scrollIntoView({ block: "nearest" });
    });
  }
  setInterval(async () => follow(await player.getCurrentTime()), 400);
}

function follow(time) {
  let now = null;
  for (const entry of entries) if (entry.offset <= time + 0.05) now = entry;
  for (const entry of entries) entry.node.classList.toggle("now", time > 0 && entry === now);
}

if (box.dataset.live) watch();
else start();
