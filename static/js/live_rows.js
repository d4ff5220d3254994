// The list of a live page: new rows on top, never more of them than the page shows, and a word
// where rows wait, or are left out because calls come faster than anybody reads.
"use strict";
(() => {
  const SAY_EVERY = 5000; // milliseconds between two words to screen readers
  const CALM_AFTER = 2000; // without a full update, the list shows every call again
  const rows = document.querySelector("tbody[data-live-rows]");
  const status = document.querySelector("[data-live-status]");
  const note = document.querySelector("[data-live-note]");
  const older = document.querySelector("a[rel=next]");
  const most = Number(rows?.dataset.liveRows);
  let held = [];
  let waiting = 0;
  let unsaid = 0;
  let saidAt = 0;
  let wasAway = false;
  let wasCut = false;
  let calming = 0;

  const isInUse = () => rows.matches(":hover") || rows.contains(document.activeElement);
  const explain = () => {
    if (!note) return;
    let text = "";
    if (waiting) {
      const count = waiting < most ? waiting : `${most} or more`;
      text = `${count} new ${waiting === 1 ? "call waits" : "calls wait"} while you use the list`;
    } else if (calming) text = `Calls come faster than they can be shown: these are the newest ${most}`;
    else if (wasCut) text = "So many calls came that some are not shown: reload to see all";
    else if (wasAway) text = "The connection was lost for a while: reload to see all calls";
    if (note.textContent !== text) note.textContent = text;
    note.hidden = !text;
  };
  const isFull = () => {
    clearTimeout(calming);
    calming = setTimeout(() => {
      calming = 0;
      explain();
    }, CALM_AFTER);
  };

  // "Older calls" has to go on where the list ends now: above all rows that are not in it any more.
  const idOf = (row) => /call_(\w{22})/.exec(row.querySelector("a")?.href ?? "")?.[1] ?? "";
  const moveOlder = (gone) => {
    if (!older || !gone.length) return;
    const last = gone.map(idOf).reduce((one, other) => (one > other ? one : other));
    const next = [...rows.children].map(idOf).filter((id) => id > last).sort()[0];
    if (!next) return;
    const url = new URL(older.href);
    url.searchParams.set("cursor", next);
    older.href = url;
    older.hidden = false;
  };

  // Rows wait while the pointer or the focus is on the table, so that nothing moves away under it.
  const put = () => {
    if (!held.length || isInUse()) return;
    const fresh = held;
    held = [];
    waiting = 0;
    if (fresh.length < most) for (const row of fresh) row.classList.add("new");
    const gone = [...rows.children].slice(most - fresh.length);
    for (const row of gone) row.remove();
    rows.prepend(...fresh);
    moveOlder(gone);
    fresh[0].dispatchEvent(
      new CustomEvent("htmx:load", { bubbles: true, detail: { elt: fresh[0] } }),
    );
    explain();
  };
  const say = (count) => {
    unsaid += count;
    if (!status || !unsaid || Date.now() - saidAt < SAY_EVERY) return;
    status.textContent = `${unsaid} new ${unsaid === 1 ? "call" : "calls"}`;
    unsaid = 0;
    saidAt = Date.now();
  };

  document.body.addEventListener("flo2-calls", (event) => {
    const { rows: html, full, cut } = event.detail;
    if (cut) {
      wasCut = true;
      explain();
    }
    if (!html) return;
    if (!rows) {
      if (note) location.reload(); // the page said that there is no call
      return;
    }
    const parsed = document.createElement("template");
    parsed.innerHTML = html;
    const fresh = [...parsed.content.querySelectorAll("tr")];
    held = [...fresh, ...held].slice(0, most);
    waiting += fresh.length;
    if (full) isFull();
    put();
    explain();
    say(fresh.length);
  });
  document.body.addEventListener("flo2-live-away", () => {
    wasAway = true;
    explain();
  });
  rows?.addEventListener("pointerleave", put);
  rows?.addEventListener("focusout", () => setTimeout(put));
})();
