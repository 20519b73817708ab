// What htmx does not do: times in the reader's zone, copying, choosing all, moving by keyboard, files into forms.
(() => {
  "use strict";

  const times = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const days = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });

  function localise(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const moment = new Date(time.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      if (time.classList.contains("age")) {
        time.title = `${times.format(moment)} (${time.title})`;
      } else if (time.classList.contains("day")) {
        time.textContent = days.format(moment);
      } else {
        time.textContent = times.format(moment);
      }
      time.removeAttribute("datetime"); // once
      time.dataset.at = moment.toISOString();
    }
    for (const hidden of root.querySelectorAll("[data-script][hidden]")) hidden.hidden = false;
  }

  function say(text) {
    const live = document.getElementById("live");
    if (live) live.textContent = text;
  }

  // What takes longer than a moment says that it is being worked on: a faded button alone looks like a broken one.
  const patience = 1500;
  let working = 0;
  let wondering;

  function begin() {
    working += 1;
    wondering ??= setTimeout(() => tell("The app is working on it…"), patience);
  }

  function end() {
    working = Math.max(working - 1, 0);
    if (working) return;
    clearTimeout(wondering);
    wondering = undefined;
    tell("");
  }

  function tell(text) {
    const busy = document.getElementById("busy");
    if (busy) busy.textContent = text;
  }

  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
      say("Copied");
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Press Ctrl+C";
    }
  }

  function rows() {
    return [...document.querySelectorAll("[data-row]")];
  }

  function move(by) {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.classList.contains("current"));
    const next = Math.min(Math.max(at + by, 0), all.length - 1);
    all.forEach((row) => row.classList.remove("current"));
    all[next].classList.add("current");
    const link = all[next].querySelector("a");
    if (link) link.focus({ preventScroll: true });
    all[next].scrollIntoView({ block: "nearest" });
  }

  function current() {
    return document.querySelector("[data-row].current");
  }

  const keys = {
    j: () => move(1),
    k: () => move(-1),
    x: () => current()?.querySelector("input[type=checkbox]")?.click(),
    o: () => current()?.querySelector("a")?.click(),
    "/": () => document.querySelector("[data-search]")?.focus(),
    "?": () => document.getElementById("keys")?.showModal(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input:not([type=checkbox]), textarea, select, dialog")) return;
    const action = keys[event.key];
    if (action && rows().length) {
      event.preventDefault();
      action();
    }
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
    if (event.target.closest("[data-keys]")) document.getElementById("keys")?.showModal();
  });

  document.addEventListener("change", async (event) => {
    const box = event.target;
    if (box.matches("[data-all]")) {
      for (const one of document.querySelectorAll(`input[name="${box.dataset.all}"]`)) one.checked = box.checked;
    }
    if (box.matches("input[type=file][data-into]") && box.files.length) {
      document.getElementById(box.dataset.into).value = await box.files[0].text();
      say("The file was read.");
    }
    if (box.matches("[data-submit]")) box.form.requestSubmit();
  });

  // On a phone the menu is one line that is pushed sideways: the page that is open is to be seen in it.
  function showWhere() {
    const link = document.querySelector(".side [aria-current]");
    const list = link?.closest("ul");
    if (list) list.scrollLeft = link.offsetLeft - list.offsetLeft - (list.clientWidth - link.offsetWidth) / 2;
  }

  document.addEventListener("DOMContentLoaded", () => {
    localise(document);
    showWhere();
  });
  document.addEventListener("htmx:afterSwap", (event) => localise(event.target));
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.matches("form")) begin();
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt.matches("form")) end();
  });
  document.addEventListener("htmx:sendError", (event) => {
    const box = event.detail.target;
    if (box) box.textContent = "The app could not be reached. Try again.";
  });
})();
