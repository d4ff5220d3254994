// New calls appear by themselves: the server sends their rows over a WebSocket, `live_rows.js` puts
// them into the list. The switch stops it; without these scripts a reload shows the same.
"use strict";
(() => {
  const OFF = "flo2-live-off";
  const source = document.querySelector("button[data-live]") ?? document.querySelector("[data-live]");
  if (!source) return;
  const button = source.matches("button") ? source : null;
  let socket = null;
  let wait = 500;
  let wasAway = false;

  const tell = (name, detail) => document.body.dispatchEvent(new CustomEvent(name, { detail }));
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

  const show = (state) => {
    if (!button) return;
    button.hidden = false;
    button.setAttribute("aria-pressed", String(!isOff()));
    button.dataset.state = state;
  };
  // A page that nobody sees is sent nothing; when it is seen again, the newest calls come at once.
  const saySeen = () => {
    if (socket?.readyState === WebSocket.OPEN) socket.send(document.hidden ? "pause" : "go");
  };
  const open = () => {
    if (isOff() || socket) return show("off");
    socket = new WebSocket(address());
    show("connecting");
    socket.addEventListener("open", () => {
      wait = 500;
      show("open");
      if (wasAway) tell("flo2-live-away"); // what came meanwhile is missing
      if (document.hidden) saySeen();
    });
    socket.addEventListener("message", (event) => tell("flo2-calls", JSON.parse(event.data)));
    socket.addEventListener("close", (event) => {
      socket = null;
      show("off");
      if (isOff() || event.code === 4403) return;
      wasAway = true;
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
  document.addEventListener("visibilitychange", saySeen);
  open();
})();
