// The composer: completion of commands, history, sending. And the dialog for forms.

import { all, caret, element, one, page, post, toast } from "./page.js";
import { tick } from "./clocks.js";
import { answer } from "./stream.js";

const history = [];

/** Where something was done: in a thread when it is inside one. */
export function placeOf(node) {
  const form = node.closest?.("[data-composer]");
  if (form) return { channel: form.dataset.channel, thread: form.dataset.thread };
  const box = node.closest?.("[data-stream]");
  return { channel: page.channel, thread: box ? box.dataset.stream : "" };
}

/** Show what the server answered to one action. */
export function take(result, place) {
  if (!result) return;
  for (const reply of result.answers ?? []) {
    if (answer(reply, place.thread)) continue;
    if (reply.short) toast(reply.line, { bad: "bad", good: "good" }[reply.tone] ?? "info");
    else panel(reply);
  }
  if (result.form) openForm(result.form, place);
}

/** On pages without a conversation an answer is shown over the page. */
function panel(reply) {
  const dialog = one("#dialog");
  dialog.innerHTML = '<div class="form"><header class="form-head"><h2 id="dialog-title">Only you see this</h2>' +
    '<button type="button" class="button small" data-close>Close</button></header><div class="form-body"></div></div>';
  const message = element(reply.html);
  one(".form-body", dialog).append(one(".card", message) ?? message);
  if (!dialog.open) dialog.showModal();
  tick();
}

// ------------------------------------------------------------------------------------------------ forms

function openForm(html, place) {
  const dialog = one("#dialog");
  dialog.innerHTML = html;
  dialog.dataset.channel = place.channel;
  dialog.dataset.thread = place.thread;
  if (!dialog.open) dialog.showModal();
  const wrong = one("[aria-invalid]", dialog);
  const empty = all("input, textarea, select", dialog).find((field) => !field.value);
  const target = wrong?.matches("input, textarea, select") ? wrong : wrong && one("input", wrong);
  (target ?? empty ?? one("input, textarea, select, button[type=submit]", dialog))?.focus();
}

async function submitForm(form) {
  const dialog = one("#dialog");
  const place = { channel: dialog.dataset.channel, thread: dialog.dataset.thread };
  const button = one("[type=submit]", form);
  if (button.getAttribute("aria-busy")) return;
  button.setAttribute("aria-busy", "true");
  const values = Object.fromEntries(new FormData(form));
  const result = await post("/submit", { name: form.dataset.form, token: form.dataset.token, values, ...place });
  button.removeAttribute("aria-busy");
  if (!result) return;
  if (!result.form) dialog.close();
  take(result, place);
}

function startDialog() {
  const dialog = one("#dialog");
  dialog.addEventListener("submit", (event) => {
    event.preventDefault();
    submitForm(event.target);
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.form?.requestSubmit();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
    const field = event.target.closest("[data-field]");
    if (field) { event.preventDefault(); document.getElementById(field.dataset.field)?.focus(); }
    const fill = event.target.closest("[data-fill]");
    if (fill) document.getElementById(fill.dataset.fill).value = fill.dataset.value;
  });
  dialog.addEventListener("close", () => { dialog.innerHTML = ""; caret(); });
}

// ------------------------------------------------------------------------------------------------ typing

class Composer {
  constructor(form) {
    this.form = form;
    this.text = one("textarea", form);
    this.list = one(".completions", form);
    this.hint = one("[data-hint]", form);
    this.usual = this.hint.textContent;
    this.asked = 0;
    this.timer = 0;
  }

  changed() {
    clearTimeout(this.timer);
    this.back = undefined;
    this.timer = setTimeout(() => this.complete(), 80);
  }

  async complete() {
    const text = this.text.value;
    const command = text.startsWith("/") || page.channel.startsWith("@");
    if (!command || !text || text.includes("\n")) { this.close(); return; }
    const number = ++this.asked;
    const response = await fetch(`${page.base}/complete?text=${encodeURIComponent(text)}`).catch(() => null);
    const data = response?.ok ? await response.json() : { suggestions: [] };
    if (number !== this.asked || this.text.value !== text) return;
    this.offer(data.suggestions.filter((s) => s.text.trimEnd() !== text.trimEnd()));
  }

  offer(suggestions) {
    this.list.replaceChildren(...suggestions.map((s, index) => {
      const option = document.createElement("div");
      option.setAttribute("role", "option");
      option.id = `${this.list.id}-${index}`;
      option.dataset.text = s.text;
      const label = document.createElement("code");
      label.textContent = s.label || s.text;
      const hint = document.createElement("span");
      hint.textContent = s.hint ?? "";
      option.append(label, hint);
      return option;
    }));
    this.open = suggestions.length > 0;
    this.list.hidden = !this.open;
    this.text.setAttribute("aria-expanded", String(this.open));
    this.choose(this.open ? 0 : -1);
  }

  close() {
    this.asked += 1;
    this.offer([]);
  }

  choose(index) {
    const options = all("[role=option]", this.list);
    this.index = options.length ? (index + options.length) % options.length : -1;
    options.forEach((option, at) => option.setAttribute("aria-selected", String(at === this.index)));
    options[this.index]?.scrollIntoView({ block: "nearest" });
    if (this.index >= 0) this.text.setAttribute("aria-activedescendant", options[this.index].id);
    else this.text.removeAttribute("aria-activedescendant");
    this.hint.textContent = options[this.index] ? one("span", options[this.index]).textContent || this.usual : this.usual;
    this.moved = false;
  }

  accept(option = all("[role=option]", this.list)[this.index]) {
    if (!option) return;
    const text = option.dataset.text;
    this.put(text.endsWith(" ") ? text : `${text} `);
    this.complete();
  }

  put(text) {
    this.text.value = text;
    this.text.setSelectionRange(text.length, text.length);
    this.text.focus();
  }

  key(event) {
    if (event.isComposing) return;
    if (this.open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      this.choose(this.index + (event.key === "ArrowDown" ? 1 : -1));
      this.moved = true;
    } else if (this.open && event.key === "Tab" && !event.shiftKey) {
      event.preventDefault();
      this.accept();
    } else if (this.open && event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      this.close();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (this.open && this.moved) this.accept();
      else this.send();
    } else if (event.key === "ArrowUp" && !this.open && (!this.text.value || this.back !== undefined)) {
      this.recall(event, (this.back ?? history.length) - 1);
    } else if (event.key === "ArrowDown" && this.back !== undefined) {
      this.recall(event, this.back + 1);
    }
  }

  recall(event, index) {
    if (index < 0 || index > history.length) return;
    event.preventDefault();
    this.put(history[index] ?? "");
    this.back = index;
  }

  async send() {
    const text = this.text.value;
    if (!text.trim() || this.busy) return;
    this.busy = true;
    clearTimeout(this.timer);
    this.close();
    const place = placeOf(this.form);
    const result = await post("/say", { text, ...place });
    this.busy = false;
    if (!result) return;
    history.push(text);
    if (this.text.value === text) this.text.value = "";
    take(result, place);
  }
}

const composers = new WeakMap();

function composerOf(node) {
  const form = node.closest?.("[data-composer]");
  if (!form) return null;
  if (!composers.has(form)) composers.set(form, new Composer(form));
  return composers.get(form);
}

export function start() {
  startDialog();
  document.addEventListener("input", (event) => composerOf(event.target)?.changed());
  document.addEventListener("keydown", (event) => {
    if (event.target.matches?.("[data-composer] textarea")) composerOf(event.target).key(event);
    const typing = event.target.closest?.("input, textarea, select, dialog");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      const text = one("#composer-main");
      if (text) { event.preventDefault(); const c = composerOf(text); c.put("/"); c.complete(); }
    }
  });
  document.addEventListener("submit", (event) => {
    const composer = composerOf(event.target);
    if (composer) { event.preventDefault(); composer.send(); }
  });
  document.addEventListener("pointerdown", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) { event.preventDefault(); composerOf(option).accept(option); }
  });
  document.addEventListener("focusout", (event) => composerOf(event.target)?.close());
  document.addEventListener("click", (event) => {
    const example = event.target.closest("[data-type]");
    const main = one("#composer-main");
    if (example && main) { const c = composerOf(main); c.put(example.dataset.type); c.complete(); }
  });
}
