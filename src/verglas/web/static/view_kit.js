// What the viewers share: elements, sliders, and talking to the data routes.

export function el(tag, properties = {}, ...children) {
  const one = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in one) one[name] = value; else one.setAttribute(name, value);
  }
  one.append(...children.filter(child => child !== null && child !== undefined && child !== false));
  return one;
}

export function address(config, path, values = {}) {
  const query = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return config.data + path + "?" + new URLSearchParams(query);
}

export async function get(url) {
  return explained(await fetch(url));
}

export async function json(url) {
  return (await get(url)).json();
}

export async function post(url, body, signal = undefined) {
  const answer = await fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });
  return (await explained(answer)).json();
}

async function explained(answer) {
  if (answer.ok) return answer;
  let text = `${answer.status} ${answer.statusText}`;
  try {
    const detail = (await answer.json()).detail;
    text = typeof detail === "string" ? detail : detail.map(one => one.msg).join("; ");
  } catch { /* no JSON: the status says it */ }
  throw new Error(text);
}

// Only the newest call runs after the one in flight: a slider never piles up requests.
export function newest(work) {
  let running = false, waiting = null;
  return async function run(...values) {
    if (running) { waiting = values; return; }
    running = true;
    try { await work(...values); } finally {
      running = false;
      if (waiting) { const next = waiting; waiting = null; run(...next); }
    }
  };
}

export function later(work, pause = 150) {
  let timer = 0;
  return (...values) => { clearTimeout(timer); timer = setTimeout(() => work(...values), pause); };
}

export function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return value.toLocaleString("en").replaceAll(",", "\u202f");
  return String(Number(value.toPrecision(digits)));
}

export function slider(title, { low, high, step = "any", value, unit = "", help = "", text = number }, change) {
  const shown = el("output"), input = el("input", { type: "range", min: low, max: high, step, value, title: help, ariaLabel: title });
  const label = el("label", { className: "vg-slider", title: help }, el("span", { textContent: title }), input, shown);
  const tell = () => { shown.textContent = text(Number(input.value)) + (unit ? " " + unit : ""); };
  input.addEventListener("input", () => { tell(); change(Number(input.value)); });
  tell();
  label.set = (wanted, from, to) => {
    if (from !== undefined) { input.min = from; input.max = to; }
    input.value = wanted;
    tell();
  };
  return label;
}

export function choice(title, options, value, change, help = "") {
  const list = el("select", { ariaLabel: title }, ...options.map(([key, text]) => el("option", { value: key, textContent: text, selected: key === value })));
  list.addEventListener("change", () => change(list.value));
  const label = el("label", { className: "vg-choice", title: help }, el("span", { textContent: title }), list);
  label.list = list;
  return label;
}

export function button(text, press, help = "", kind = "") {
  const one = el("button", { type: "button", className: "vg-button " + kind, textContent: text, title: help });
  one.addEventListener("click", press);
  return one;
}

export function tick(title, value, change, help = "") {
  const box = el("input", { type: "checkbox", checked: value });
  box.addEventListener("change", () => change(box.checked));
  const label = el("label", { className: "vg-tick", title: help }, box, el("span", { textContent: title }));
  label.box = box;
  return label;
}

export function entry(title, { size = 24 }, change) {
  const input = el("input", { type: "text", size, ariaLabel: title });
  input.addEventListener("change", () => change(input.value.trim()));
  return el("label", { className: "vg-choice" }, el("span", { textContent: title }), input);
}

// A line that says what went wrong, or which job was made.
export function notice() {
  const box = el("div", { className: "vg-notice", hidden: true, role: "status" });
  box.fail = error => { box.hidden = false; box.className = "vg-notice bad"; box.replaceChildren(...lines(error.message || String(error))); };
  box.say = (text, link = null) => {
    box.hidden = false;
    box.className = "vg-notice";
    box.replaceChildren(text + " ", link ? el("a", { href: link[0], textContent: link[1] }) : "");
  };
  box.clear = () => { box.hidden ||= box.classList.contains("bad"); }; // a job that was made stays said
  return box;
}

function lines(text) {
  return text.split("\n").map(line => el("div", { textContent: line.replace(/^\s*->\s*/, "What to do: ") }));
}

export function made(box, config, job, what = "The subset") {
  box.say(`${what} is a new job, which begins when it is its turn:`, [encodeURI(`${config.base}/job/${job}`), job]);
}

export function colour(name) {
  return getComputedStyle(document.querySelector(".vg") || document.body).getPropertyValue(name).trim() || "#888";
}

// A file in a list to choose from: its job and its last name.
export function named(file) {
  const parts = file.split("/");
  return [file, parts.length > 2 ? `${parts.slice(0, 2).join("/")}: ${parts.slice(2).join("/")}` : file];
}

// Its last name without ending, for pictures that are kept.
export function stem(file) { return file.split("/").pop().replace(/\.\w+$/, ""); }

// What a canvas shows, as a file of the user.
export function keep(canvas, name) {
  canvas.toBlob(blob => {
    const link = el("a", { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

// Keys of an element that can have the focus: { ArrowUp: () => ... }.
export function keys(element, known) {
  element.tabIndex = 0;
  element.addEventListener("keydown", event => {
    if (event.target !== element || event.ctrlKey || event.metaKey || event.altKey || !known[event.key]) return;
    event.preventDefault();
    known[event.key](event);
  });
}

// The drawing area of a canvas in CSS pixels, sharp on any screen. `many`: thousands of strokes, which browsers draw quicker without the GPU.
export function sharp(canvas, width, height, many = false) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = height + "px";
  const pen = canvas.getContext("2d", { willReadFrequently: many });
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  return pen;
}

// A bar of a round length, at most `most` pixels, at the lower left.
export function scaleBar(pen, height, perAngstrom, most) {
  const length = [1e4, 5e3, 2e3, 1e3, 500, 200, 100, 50, 20, 10].find(one => one * perAngstrom < most) || 10;
  pen.fillStyle = "rgba(0,0,0,.55)";
  pen.fillRect(12, height - 38, length * perAngstrom + 12, 28);
  pen.fillStyle = "#fff";
  pen.fillRect(18, height - 17, length * perAngstrom, 3);
  pen.font = "12px system-ui, sans-serif";
  pen.textAlign = "left";
  pen.fillText(`${length} Å`, 18, height - 23);
}
