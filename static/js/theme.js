// Light or dark, before anything is drawn: what the reader chose here wins over the system.
"use strict";
(() => {
  const root = document.documentElement;
  const read = () => {
    try {
      return localStorage.getItem("flo2-theme");
    } catch {
      return null; // storage may be forbidden
    }
  };
  const chosen = read();
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  root.dataset.script = "on";
})();
