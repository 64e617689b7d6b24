// The console's own script: small, no framework, no build. Everything it shows was drawn and escaped by the server.

import { all, caret, one, page, post, toast } from "./page.js";
import * as clocks from "./clocks.js";
import * as composer from "./composer.js";
import * as live from "./live.js";
import * as stream from "./stream.js";

async function press(button) {
  if (button.getAttribute("aria-busy")) return;
  if (button.dataset.confirm && !(await sure(button))) return;
  const place = composer.placeOf(button);
  const answer = button.closest(".only-you")?.dataset.message ?? "";
  const path = button.dataset.say ? "/say" : "/press";
  const data = button.dataset.say ? { text: `/hoop ${button.dataset.say}` } : { token: button.dataset.press, answer };
  const buttons = all("[data-press], [data-say]", button.closest(".message, .row, dialog") ?? document.body);
  buttons.forEach((b) => b.setAttribute("aria-busy", "true"));
  const inDialog = button.closest("dialog");
  const result = await post(path, { ...data, ...place });
  buttons.forEach((b) => b.removeAttribute("aria-busy"));
  if (result && inDialog && !result.form) inDialog.close();
  composer.take(result, place);
}

/** Ask once more, in the page's own words. */
function sure(button) {
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    dialog.className = "sure";
    dialog.setAttribute("aria-labelledby", "sure-text");
    const form = document.createElement("form");
    form.method = "dialog";
    form.className = "form";
    const body = document.createElement("p");
    body.className = "form-body";
    body.id = "sure-text";
    body.textContent = button.dataset.confirm;
    const foot = document.createElement("footer");
    foot.className = "form-foot";
    const no = choice("Not now", "button", "");
    const yes = choice(button.textContent.replace(/…$/, ""), `${button.className.replace("small", "")} primary`, "yes");
    foot.append(no, yes);
    form.append(body, foot);
    dialog.append(form);
    dialog.addEventListener("close", () => { resolve(dialog.returnValue === "yes"); dialog.remove(); caret(); });
    document.body.append(dialog);
    dialog.showModal();
    no.focus();
  });
}

function choice(text, css, value) {
  const button = document.createElement("button");
  button.className = css;
  button.value = value;
  button.textContent = text;
  return button;
}

async function copy(button) {
  const text = one("code", button.parentElement).textContent;
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.");
  } catch {
    getSelection().selectAllChildren(one("code", button.parentElement));
    toast("Copying is not allowed here; the text is selected instead.", "info");
  }
}

async function dismiss(button) {
  if (await post("/dismiss", { id: button.dataset.dismiss, channel: page.channel, thread: "" })) button.closest(".message").remove();
}

function theme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  document.cookie = `hoop-theme=${root.dataset.theme}; Path=/; SameSite=Lax; Max-Age=31536000`;
}

function menu(open = !document.body.classList.contains("side-open")) {
  document.body.classList.toggle("side-open", open);
  for (const button of all(".menu")) button.setAttribute("aria-expanded", String(open));
  if (open) one("#side a")?.focus();
}

document.addEventListener("click", (event) => {
  const on = (selector) => event.target.closest(selector);
  const pressed = on("[data-press], [data-say]");
  if (pressed) press(pressed);
  else if (on("[data-copy]")) copy(on("[data-copy]"));
  else if (on("[data-dismiss]")) dismiss(on("[data-dismiss]"));
  else if (on("[data-hide]")) post("/dismiss", { id: on("[data-hide]").dataset.hide });
  else if (on("[data-theme-switch]")) theme();
  else if (on("[data-menu]")) menu();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || one("dialog[open]")) return;
  if (document.body.classList.contains("side-open")) menu(false);
  else one("[data-thread-close]")?.click();
});

if (!clocks.moved()) {
  clocks.start();
  composer.start();
  stream.start();
  live.start();
}
