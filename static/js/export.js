// The export of training data: its progress while it is read, then the file. Without this script the
// same link downloads it without a word on how far it is.
"use strict";
(() => {
  const link = document.querySelector("a[data-export]");
  const box = document.querySelector("[data-exporting]");
  const bar = box.querySelector("progress");
  const told = box.querySelector("[role=status]");
  const NEWLINE = 10;
  let isRunning = false;

  const count = (piece) => {
    let lines = 0;
    for (const byte of piece) if (byte === NEWLINE) lines += 1;
    return lines;
  };
  const save = (pieces, name) => {
    const address = URL.createObjectURL(new Blob(pieces, { type: "application/jsonl" }));
    const download = document.createElement("a");
    download.href = address;
    download.download = name;
    download.click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  };
  const run = async () => {
    box.hidden = false;
    bar.removeAttribute("value");
    told.textContent = "The export begins.";
    const answer = await fetch(link.href, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) throw new Error(`status ${answer.status}`);
    const total = Number(answer.headers.get("x-flo2-lines"));
    const name = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition"))?.[1];
    const reader = answer.body.getReader();
    const pieces = [];
    let lines = 0;
    bar.max = Math.max(total, 1);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      pieces.push(value);
      lines += count(value);
      bar.value = Math.min(lines, total);
      told.textContent = `${lines.toLocaleString()} of ${total.toLocaleString()} calls`;
    }
    save(pieces, name ?? "training-data.jsonl");
    bar.value = bar.max;
    told.textContent = `Exported: ${lines.toLocaleString()} calls.`;
  };

  link.addEventListener("click", async (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    if (isRunning) return;
    isRunning = true;
    try {
      await run();
    } catch {
      told.textContent = "The export broke off. Try again.";
    } finally {
      isRunning = false;
    }
  });
})();
