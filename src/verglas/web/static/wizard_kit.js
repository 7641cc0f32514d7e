// What the wizards share: the frame of the dialog, fields with slider and number, and asking the server to look.
import { button, el, newest, notice, number, post, scaleBar } from "./view_kit.js";

export { button, el, newest, number, scaleBar };

// The dialog: head, stage, panel, foot. `use()` gives the values that go into the form, as texts.
export function frame(root, config, use) {
  const stage = el("div", { className: "wizard-stage" }), panel = el("div", { className: "wizard-panel" }), head = el("div", { className: "wizard-line" });
  const say = notice(), busy = el("span", { className: "vg-note grow", role: "status" });
  const taking = button("Use", () => root.dispatchEvent(new CustomEvent("use", { detail: use() })), "Put the values into the form.", "main");
  const leave = () => root.dispatchEvent(new CustomEvent("leave"));
  const stop = button("Stop", () => {}, "Stop looking.");
  stop.hidden = true;
  root.replaceChildren(el("div", { className: "wizard-head" }, el("h2", { textContent: config.title }), head), stage, panel,
    el("div", { className: "wizard-foot" }, busy, stop, button("Cancel", leave, "Leave the form as it is."), taking));
  stage.append(say);
  taking.disabled = true;
  return { root, config, stage, panel, head, say, busy, stop, taking };
}

// Ask for the form with other values; an answer takes seconds at first, so it is said that it is awaited, and it can be stopped.
export async function look(page, params, more = {}) {
  const begun = performance.now(), ending = new AbortController(), { config } = page;
  const tick = setInterval(() => {
    const seconds = (performance.now() - begun) / 1000;
    if (!page.root.isConnected) ending.abort();
    if (seconds > 0.4) { page.busy.textContent = `Looking … ${seconds.toFixed(0)} s`; page.stop.hidden = seconds < 2; }
  }, 200);
  page.stop.onclick = () => ending.abort();
  try {
    const found = await post(config.data + "/look", { wizard: config.wizard, job: config.job, params: { ...config.params, ...params }, ...more }, ending.signal);
    page.say.clear();
    page.taking.disabled = false;
    return found;
  } catch (error) {
    page.say.fail(ending.signal.aborted ? new Error("Looking was stopped. Change a value, and it is looked at again.") : error);
    return null;
  } finally {
    clearInterval(tick);
    page.busy.textContent = "";
    page.stop.hidden = true;
  }
}

// A parameter of the form: name, number with its unit, slider. The number may lie beyond the slider, not beyond what the job allows.
export function field(one, { low, high, step, value, note = "" }, change) {
  const limits = one.limits || {}, least = limits.minimum ?? limits.exclusiveMinimum ?? -Infinity, most = limits.maximum ?? limits.exclusiveMaximum ?? Infinity;
  const box = el("input", { type: "text", inputMode: "decimal", ariaLabel: one.label }), told = el("span", { className: "vg-note", textContent: note });
  const range = el("input", { type: "range", min: low, max: high, step, ariaLabel: one.label + ", slider" });
  const row = el("div", { className: "wizard-field", title: one.help }, el("b", { textContent: one.label }),
    el("div", { className: "entry" }, box, el("span", { textContent: one.unit })), range, told);
  row.set = wanted => {
    if (wanted < Number(range.min)) range.min = wanted;
    if (wanted > Number(range.max)) range.max = wanted;
    row.value = wanted;
    range.value = wanted;
    box.value = plain(wanted);
  };
  row.note = text => { told.textContent = text; };
  row.bounds = (from, to, by) => { [range.min, range.max, range.step] = [from, to, by]; row.set(row.value); };
  row.set(value);
  range.addEventListener("input", () => { row.value = Number(range.value); box.value = plain(row.value); change(row.value); });
  box.addEventListener("change", () => {
    const wanted = Number(box.value.replace(",", "."));
    if (!box.value.trim() || !Number.isFinite(wanted)) { row.set(row.value); return; }
    row.set(Math.min(most, Math.max(least, wanted)));
    change(row.value);
  });
  row.disable = off => { range.disabled = box.disabled = off; };
  return row;
}

export const plain = value => String(Number(value.toPrecision(5)));

export function fact(pairs) {
  return pairs.flatMap(([name, text]) => [el("dt", { textContent: name }), el("dd", { textContent: text })]);
}

// ‹ 3 of 12 › with the name of the file.
export function steps(page, change) {
  const told = el("span", { className: "vg-note" }), name = el("span", { className: "name" });
  let at = 0, count = 1;
  const go = wanted => { if (wanted >= 0 && wanted < count) { at = wanted; change(at); } };
  page.stage.append(el("div", { className: "wizard-line" }, button("‹", () => go(at - 1), "Previous micrograph"), told,
    button("›", () => go(at + 1), "Next micrograph"), name));
  return { row: () => at, show: found => {
    count = found.micrographs;
    at = found.row;
    told.textContent = `${at + 1} of ${number(count)}`;
    name.textContent = found.file.split("/").pop();
    name.title = found.file;
  } };
}

// The drawing area of a canvas that fills its place, sharp on any screen: [pen, width, height].
export function area(canvas, wide = canvas.clientWidth, high = canvas.clientHeight) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(wide * ratio));
  canvas.height = Math.max(1, Math.round(high * ratio));
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  return [pen, wide, high];
}

export function key(pairs) {
  return el("div", { className: "wizard-key" }, ...pairs.map(([colour, text]) => {
    const one = el("i");
    one.style.background = colour;
    return el("span", {}, one, text);
  }));
}

export async function bitmap(address) {
  const answer = await fetch(address);
  return answer.ok ? createImageBitmap(await answer.blob()) : null;
}
