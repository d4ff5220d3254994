// New calls appear by themselves: rows that the server sends over a WebSocket, made as the page's
// own. The switch stops it; without this script a reload shows the same.
"use strict";
(() => {
  const OFF = "flo2-live-off";
  const SAY_EVERY = 5000; // milliseconds between two words to screen readers
  const source = document.querySelector("button[data-live]") ?? document.querySelector("[data-live]");
  if (!source) return;
  const button = source.matches("button") ? source : null;
  const rows = document.querySelector("tbody[data-live-rows]");
  const status = document.querySelector("[data-live-status]");
  let socket = null;
  let wait = 500;
  let held = [];
  let unsaid = 0;
  let saidAt = 0;

  const isOff = () => {
    try {
      return Boolean(button) && sessionStorage.getItem(OFF) === "1";
    } catch {
      return false;
    }
  };
  const address = () => {
    const url = new URL("/ws/calls/", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    url.search = location.search;
    for (const [name, key] of [["view", "live"], ["tenant", "tenant"], ["mode", "mode"]]) {
      url.searchParams.set(name, source.dataset[key] ?? "");
    }
    return url;
  };

  // Rows wait while the pointer or the focus is on the table, so that nothing moves away under it.
  const isInUse = () => rows.matches(":hover") || rows.contains(document.activeElement);
  const put = () => {
    if (!held.length || isInUse()) return;
    const fresh = held.slice(0, Number(rows.dataset.liveRows));
    held = [];
    for (const row of fresh) row.classList.add("new");
    rows.prepend(...fresh);
    while (rows.children.length > Number(rows.dataset.liveRows)) rows.lastElementChild.remove();
    fresh[0].dispatchEvent(
      new CustomEvent("htmx:load", { bubbles: true, detail: { elt: fresh[0] } }),
    );
  };
  const say = (count) => {
    unsaid += count;
    if (!status || !unsaid || Date.now() - saidAt < SAY_EVERY) return;
    status.textContent = `${unsaid} new ${unsaid === 1 ? "call" : "calls"}`;
    unsaid = 0;
    saidAt = Date.now();
  };
  const receive = (event) => {
    const { count, rows: html } = JSON.parse(event.data);
    document.body.dispatchEvent(new CustomEvent("flo2-calls", { detail: { count } }));
    if (!html) return;
    if (!rows) {
      if (button) location.reload(); // the page said that there is no call
      return;
    }
    const parsed = document.createElement("template");
    parsed.innerHTML = html;
    const fresh = [...parsed.content.querySelectorAll("tr")];
    held = [...fresh, ...held].slice(0, Number(rows.dataset.liveRows));
    put();
    say(fresh.length);
  };

  const show = (state) => {
    if (!button) return;
    button.hidden = false;
    button.setAttribute("aria-pressed", String(!isOff()));
    button.dataset.state = state;
  };
  const open = () => {
    if (isOff() || socket) return show("off");
    socket = new WebSocket(address());
    show("connecting");
    socket.addEventListener("open", () => {
      wait = 500;
      show("open");
    });
    socket.addEventListener("message", receive);
    socket.addEventListener("close", (event) => {
      socket = null;
      show("off");
      if (isOff() || event.code === 4403) return;
      setTimeout(open, wait);
      wait = Math.min(wait * 2, 30_000);
    });
  };

  button?.addEventListener("click", () => {
    const off = !isOff();
    try {
      if (off) sessionStorage.setItem(OFF, "1");
      else sessionStorage.removeItem(OFF);
    } catch {
      return; // the browser keeps nothing for us: it stays live
    }
    if (!off) return location.reload(); // what came meanwhile is missing
    show("off");
    socket?.close();
  });
  rows?.addEventListener("pointerleave", put);
  rows?.addEventListener("focusout", () => setTimeout(put));
  open();
})();
