// The playground: one request per model, read as server-sent events; speed is measured here.
"use strict";
(() => {
  const form = document.querySelector("form[data-playground]");
  const answers = document.querySelector("[data-answers]");
  const shape = document.querySelector("template[data-answer]");
  const runButton = form.querySelector("button.primary");
  const stopButton = form.querySelector("[data-stop]");
  let stopping = null;

  const models = () => {
    const named = [...form.elements.slot].map((input) => input.value.trim()).filter(Boolean);
    return named.length ? named : ["auto"];
  };
  const request = (model) => {
    const messages = [{ role: "user", content: form.elements.prompt.value }];
    const system = form.elements.system.value;
    if (system) messages.unshift({ role: "system", content: system });
    const body = { model, messages };
    for (const { name, value } of [form.elements.max_tokens, form.elements.temperature]) {
      if (value) body[name] = Number(value);
    }
    return body;
  };

  // The same as programs, for the first model. JSON is a literal of JavaScript, too.
  const showCode = () => {
    const base = `${form.dataset.base}/v1`;
    const body = request(models()[0]);
    const json = JSON.stringify(body, null, 2);
    const given = Object.entries(body).map(([name, value]) => `    ${name}=${JSON.stringify(value)},`);
    const python = given.join("\n");
    const programs = {
      curl: `curl ${base}/chat/completions \\\n  -H "Authorization: Bearer $FLO2_API_KEY" \\\n  -H "Content-Type: application/json" \\\n  -d '${json.replaceAll("'", "'\\''")}'`,
      python: `import os\n\nfrom openai import OpenAI\n\nclient = OpenAI(base_url="${base}", api_key=os.environ["FLO2_API_KEY"])\nanswer = client.chat.completions.create(\n${python}\n)\nprint(answer.choices[0].message.content)`,
      javascript: `import OpenAI from "openai";\n\nconst client = new OpenAI({ baseURL: "${base}", apiKey: process.env.FLO2_API_KEY });\nconst answer = await client.chat.completions.create(${json});\nconsole.log(answer.choices[0].message.content);`,
    };
    for (const [name, text] of Object.entries(programs)) {
      document.getElementById(`as-${name}`).textContent = text;
    }
  };

  const column = (model) => {
    answers.append(shape.content.cloneNode(true));
    const part = answers.lastElementChild;
    part.querySelector("h2").textContent = model;
    part.querySelector(".said").setAttribute("aria-label", `Answer of ${model}`);
    return part;
  };
  const facts = (part, pairs) => {
    const list = part.querySelector("[data-facts]");
    list.replaceChildren();
    for (const [name, value] of pairs) {
      const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
      dt.textContent = name;
      dd.append(value);
      list.append(dt, dd);
    }
  };
  const fail = (part, message) => {
    const line = document.createElement("p");
    line.className = "failed";
    line.textContent = message;
    part.querySelector(".said").append(line);
  };
  const seconds = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`);
  const take = (part, state, name, data) => {
    if (data === "[DONE]") return;
    const content = JSON.parse(data);
    if (content.call) state.call = content.call;
    if (name === "failed" || content.error) return fail(part, content.message ?? content.error.message);
    if (name === "call") state.served = `${content.provider} · ${content.model}`;
    part.querySelector("[data-served]").textContent = state.served ?? "";
    const text = content.choices?.[0]?.delta?.content;
    if (text) {
      state.first ??= performance.now();
      part.querySelector(".said").append(text);
    }
    if (content.usage) state.usage = content.usage;
  };
  const sum = (part, state) => {
    const now = performance.now();
    const pairs = [["Whole answer", seconds(now - state.began)]];
    if (state.first) pairs.unshift(["First token", seconds(state.first - state.began)]);
    if (state.usage) {
      const { prompt_tokens: input, completion_tokens: output, cost } = state.usage;
      pairs.push(["Tokens", `${input} → ${output}`]);
      const span = (now - (state.first ?? state.began)) / 1000;
      if (output > 1 && span > 0) pairs.push(["Speed", `${Math.round(output / span)} tokens a second`]);
      pairs.push(["Cost", cost == null ? "unpriced" : `$${Number(cost).toFixed(6)}`]);
    }
    if (state.call) {
      const link = document.createElement("a");
      link.href = `/dashboard/calls/${state.call}/`;
      link.textContent = "its record";
      pairs.push(["Call", link]);
    }
    facts(part, pairs);
  };

  const ask = async (model, signal) => {
    const part = column(model);
    const state = { began: performance.now() };
    const fields = new FormData(form);
    fields.delete("slot");
    fields.set("model", model);
    try {
      const answer = await fetch(form.action, { method: "POST", body: fields, signal });
      if (!answer.headers.get("content-type")?.startsWith("text/event-stream")) {
        const told = answer.headers.get("content-type")?.includes("json") ? await answer.json() : {};
        return fail(part, told.message ?? `The page could not ask (status ${answer.status}). Reload it.`);
      }
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = "", step; !(step = await reader.read()).done; ) {
        const blocks = (rest + step.value).split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) {
          const name = /^event: (.*)$/m.exec(block)?.[1];
          const data = /^data: (.*)$/m.exec(block)?.[1];
          if (data) take(part, state, name, data);
        }
      }
    } catch (problem) {
      fail(part, signal.aborted ? "Stopped." : `The connection broke: ${problem.message}`);
    }
    sum(part, state);
  };
  const run = async () => {
    if (stopping || !form.reportValidity()) return;
    stopping = new AbortController();
    answers.replaceChildren();
    answers.hidden = stopButton.hidden = false;
    runButton.disabled = true;
    await Promise.all(models().map((model) => ask(model, stopping.signal)));
    stopping = null;
    stopButton.hidden = true;
    runButton.disabled = false;
  };

  form.addEventListener("submit", (event) => (event.preventDefault(), run()));
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
  });
  form.addEventListener("input", showCode);
  stopButton.addEventListener("click", () => stopping?.abort());
  runButton.disabled = false;
  showCode();
})();
