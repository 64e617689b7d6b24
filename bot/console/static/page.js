// What every part needs: the page's own facts, talking to the server, toasts.

export const page = document.body.dataset;
export const one = (selector, root = document) => root.querySelector(selector);
export const all = (selector, root = document) => [...root.querySelectorAll(selector)];

/** The element that `html` (drawn and escaped by the server) describes. */
export function element(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
}

/** POST as JSON; the answer, or null after a toast said what went wrong. */
export async function post(path, data) {
  let response;
  try {
    response = await fetch(page.base + path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": page.csrf },
      body: JSON.stringify(data),
    });
  } catch {
    toast("The console does not answer. Nothing was sent; try again in a moment.", "bad");
    return null;
  }
  const answer = await response.json().catch(() => ({ error: "The console answered with something odd." }));
  if (response.ok) return answer;
  toast([answer.error, answer.message].filter(Boolean).join("\n"), "bad");
  return null;
}

/** Say something in a corner. Bad news stays until it is put away. */
export function toast(text, tone = "good") {
  const icons = one("#icons").content.querySelectorAll("svg");
  const box = document.createElement("div");
  box.className = `toast ${tone}`;
  box.append(icons[{ good: 0, bad: 2 }[tone] ?? 3].cloneNode(true));
  const words = document.createElement("p");
  words.textContent = text;
  const away = document.createElement("button");
  away.type = "button";
  away.className = "icon-button";
  away.setAttribute("aria-label", "Dismiss");
  away.append(icons[1].cloneNode(true));
  away.addEventListener("click", () => box.remove());
  box.append(words, away);
  const toasts = one("#toasts");
  toasts.append(box);
  while (toasts.childElementCount > 3) toasts.firstElementChild.remove();
  if (tone !== "bad") setTimeout(() => box.remove(), 7000);
}

/** After a dialog: Chromium gives the focus back to a text field without its caret, and what is typed then goes nowhere. */
export function caret() {
  const field = document.activeElement;
  if (!field?.matches("input, textarea")) return;
  field.blur();
  field.focus();
}

/** For screen readers only. */
export function announce(text) {
  const line = document.createElement("p");
  line.textContent = text;
  const log = one("#announce");
  log.append(line);
  while (log.childElementCount > 5) log.firstElementChild.remove();
}
