// What makes the pages more comfortable: copying, local times, the theme switch, chart readings.
// Without it everything still works.
"use strict";
(() => {
  // Times: the server writes UTC, the reader's own zone is shown; UTC stays in the title.
  const DAY = { day: "numeric", month: "short", year: "numeric" };
  const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" };
  const FORMS = {
    minutes: new Intl.DateTimeFormat("en-GB", { ...DAY, ...CLOCK }),
    seconds: new Intl.DateTimeFormat("en-GB", { ...DAY, ...CLOCK, second: "2-digit" }),
    row: new Intl.DateTimeFormat("en-GB", {
      ...{ ...DAY, ...CLOCK, second: "2-digit" },
      year: undefined,
      timeZoneName: undefined,
    }),
  };
  const zone = FORMS.minutes.formatToParts().find((part) => part.type === "timeZoneName")?.value;
  const localise = (root) => {
    for (const time of root.querySelectorAll("time[data-when]")) {
      const at = new Date(time.dateTime);
      time.textContent = FORMS[time.dataset.when].format(at);
    }
    for (const name of root.querySelectorAll("[data-zone]")) name.textContent = zone;
  };

  // Copying: the buttons are there only where a script can serve them.
  const addCopyButtons = (root) => {
    for (const button of root.querySelectorAll("button[data-copy]")) {
      button.hidden = false;
      button.closest(".code")?.classList.add("has-copy");
    }
  };
  const copy = async (button) => {
    const source = document.getElementById(button.dataset.copy);
    const label = button.querySelector("span");
    const before = label.textContent;
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      label.textContent = "Copied";
    } catch {
      const range = document.createRange();
      range.selectNodeContents(source);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      label.textContent = "Press Ctrl C";
    }
    setTimeout(() => (label.textContent = before), 1800);
  };

  // The theme: system → light → dark → system.
  const THEMES = { "": "light", light: "dark", dark: "" };
  const NAMES = { "": "as the system", light: "light", dark: "dark" };
  const root = document.documentElement;
  const showTheme = () => {
    for (const button of document.querySelectorAll("button[data-theme-switch]")) {
      button.hidden = false;
      button.querySelector("span").textContent = `Theme: ${NAMES[root.dataset.theme ?? ""]}`;
    }
  };
  const nextTheme = () => {
    const next = THEMES[root.dataset.theme ?? ""];
    if (next) root.dataset.theme = next;
    else delete root.dataset.theme;
    try {
      if (next) localStorage.setItem("flo2-theme", next);
      else localStorage.removeItem("flo2-theme");
    } catch {
      // The choice then lasts as long as the page.
    }
    showTheme();
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-copy], button[data-theme-switch]");
    if (!button) return;
    if (button.dataset.copy) copy(button);
    else nextTheme();
  });

  // A form that is on its way is not sent twice by a double click.
  const SENDING_MS = 2000;
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    const before = Number(form.dataset.sentAt ?? -SENDING_MS);
    if (event.timeStamp - before < SENDING_MS) event.preventDefault();
    else form.dataset.sentAt = event.timeStamp;
  });

  // Choosing a value in a form that says so sends it at once.
  document.addEventListener("change", (event) => {
    const form = event.target.closest?.("form[data-send-on-change]");
    if (form) form.requestSubmit();
  });

  // Charts: what a column says is shown beside the pointer.
  const showReading = (plot, column) => {
    let box = plot.querySelector(".reading");
    if (!box) {
      box = document.createElement("div");
      box.className = "reading";
      box.setAttribute("aria-hidden", "true");
      plot.append(box);
    }
    const title = column.querySelector("title");
    if (title) {
      column.dataset.says = title.textContent.trim(); // the browser's own tip would come on top
      title.remove();
    }
    box.textContent = column.dataset.says;
    const place = column.getBoundingClientRect();
    const frame = plot.getBoundingClientRect();
    const middle = place.left + place.width / 2 - frame.left;
    const left = middle > frame.width / 2 ? middle - box.offsetWidth - 12 : middle + 12;
    box.style.left = `${Math.max(0, left)}px`;
    box.hidden = false;
  };
  document.addEventListener("pointerover", (event) => {
    const column = event.target.closest?.(".chart .column");
    if (column) showReading(column.closest(".chart-plot"), column);
  });
  document.addEventListener("pointerout", (event) => {
    const plot = event.target.closest?.(".chart-plot");
    const box = plot?.querySelector(".reading");
    if (box && !plot.contains(event.relatedTarget)) box.hidden = true;
  });

  const prepare = (part) => {
    localise(part);
    addCopyButtons(part);
  };
  prepare(document);
  showTheme();
  document.addEventListener("htmx:load", (event) => prepare(event.detail.elt.parentNode));
})();
