// One micrograph beside its table: power spectrum with the fitted curve, or the motion of its movie.
import { address, colour, el, json, newest, notice, number, sharp, slider } from "./view_kit.js";

const panels = new Map();

export function mount(root, config) {
  root.classList.add("vg");
  const say = notice(), page = el("div", { className: "vg-details", textContent: "Click on a row of the table." });
  root.replaceChildren(say, page);
  panels.set(config.id, newest(async row => {
    try {
      const found = await json(address(config, "/micrograph", { file: config.file, kind: config.kind, row }));
      found.kind === "ctf" ? spectrum(page, found) : motion(page, found);
      say.clear();
    } catch (error) { page.replaceChildren(); say.fail(error); }
  }));
  panels.get(config.id)(0);
}

export function show(id, row) { panels.get(id)?.(row); }

function spectrum(page, found) {
  const canvas = el("canvas", { className: "vg-plot", role: "img", ariaLabel: "spectrum, fit and their agreement against resolution" });
  page.replaceChildren(found.picture ? el("img", { src: found.picture, alt: "power spectrum and fit", className: "vg-spectrum" }) : "",
    el("div", {}, canvas, el("div", { className: "vg-note", textContent: found.resolution ? `fit agrees to ${number(found.resolution, 3)} Å` : "" }), key([
      ["--v-muted", "spectrum"], ["--v-accent", "fitted CTF²"], ["--v-second", "agreement"]])));
  if (found.k.length) curves(canvas, found);
}

function key(pairs) {
  return el("div", { className: "vg-key" }, ...pairs.map(([name, text]) => { const one = el("i"); one.style.background = `var(${name})`; return el("span", {}, one, text); }));
}

function curves(canvas, found) {
  const width = canvas.clientWidth || 480, height = 260, pen = sharp(canvas, width, height), most = Math.max(...found.k.filter(one => one !== null));
  const across = k => 40 + k / most * (width - 52), up = value => height - 32 - Math.max(0, Math.min(1.2, value)) / 1.2 * (height - 44);
  pen.font = "12px system-ui, sans-serif";
  pen.fillStyle = colour("--v-muted");
  pen.strokeStyle = colour("--v-line");
  for (const d of [20, 10, 7, 5, 4, 3, 2.5, 2]) {
    if (1 / d > most) continue;
    pen.beginPath(); pen.moveTo(across(1 / d), 8); pen.lineTo(across(1 / d), height - 30); pen.stroke();
    pen.textAlign = "center"; pen.fillText(`${d} Å`, across(1 / d), height - 12);
  }
  const top = Math.max(0, ...found.fit.filter(one => one !== null)) || 1; // the envelope makes both low: they fill the plot together
  for (const [values, name, wide, whole] of [[found.average, "--v-muted", 1.5, top], [found.fit, "--v-accent", 1.8, top], [found.agreement, "--v-second", 1.5, 1]]) {
    pen.strokeStyle = colour(name);
    pen.lineWidth = wide;
    pen.beginPath();
    values.forEach((value, k) => { if (value !== null && found.k[k] !== null) pen.lineTo(across(found.k[k]), up(value / whole)); });
    pen.stroke();
  }
  if (found.resolution) {
    pen.strokeStyle = colour("--v-ink");
    pen.setLineDash([4, 4]);
    pen.beginPath(); pen.moveTo(across(1 / found.resolution), 8); pen.lineTo(across(1 / found.resolution), height - 30); pen.stroke();
  }
}

function motion(page, found) {
  const canvas = el("canvas", { className: "vg-plot", role: "img", ariaLabel: "Motion of the whole field" }), parts = el("canvas", { className: "vg-parts", role: "img", ariaLabel: "Motion of parts of the field" });
  const by = enlargement(found), title = el("h4", { textContent: "Parts of the field" });
  page.replaceChildren(el("div", {}, el("h4", { textContent: "Whole field" }), canvas),
    el("div", {}, el("div", { className: "vg-row" }, title, found.patches.length ? slider("tracks enlarged", { low: 1, high: 200, step: 1, value: by, unit: "times" }, value => patches(parts, found, value)) : ""), parts,
      key([["--v-second", "measured"], ["--v-accent", "fitted"]])));
  track(canvas, found.track);
  patches(parts, found, by);
}

// Tracks of the parts are some pixels long: so many times larger, most of them fill the room that they have.
function enlargement({ field, patches }) {
  const spans = patches.map(one => Math.max(1, ...one.fit.concat(one.path).filter(at => at[0] !== null).map(at => Math.hypot(...at)))).sort((a, b) => a - b);
  const room = Math.min(...field) / Math.sqrt(Math.max(1, patches.length)) / 2;
  return Math.max(1, Math.min(200, Math.round(room / (spans[Math.floor(0.8 * spans.length)] || 1))));
}

function track(canvas, path) {
  const known = path.filter(one => one[0] !== null), width = canvas.clientWidth || 400, height = 260, pen = sharp(canvas, width, height);
  if (!known.length) return;
  const xs = known.map(one => one[0]), ys = known.map(one => one[1]), span = Math.max(1, Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys));
  const scale = (height - 80) / span, mx = (Math.max(...xs) + Math.min(...xs)) / 2, my = (Math.max(...ys) + Math.min(...ys)) / 2;
  const place = ([x, y]) => [width / 2 + (x - mx) * scale, (height - 40) / 2 + (y - my) * scale];
  pen.strokeStyle = colour("--v-accent");
  pen.lineWidth = 2;
  pen.beginPath();
  known.forEach(one => pen.lineTo(...place(one)));
  pen.stroke();
  pen.fillStyle = colour("--v-accent");
  known.forEach((one, k) => { pen.beginPath(); pen.arc(...place(one), k ? 2.5 : 5, 0, 7); pen.fill(); });
  pen.fillStyle = colour("--v-muted");
  pen.font = "12px system-ui, sans-serif";
  const length = Number((span / 2).toPrecision(1));
  pen.fillRect(12, height - 8, length * scale, 3);
  pen.fillText(`${length} Å; the large dot is the first frame`, 12, height - 14);
}

function patches(canvas, found, by) {
  const height = 300, scale = height / found.field[1], width = found.field[0] * scale, pen = sharp(canvas, width, height);
  canvas.style.width = width + "px";
  const draw = () => {
    for (const one of found.patches) for (const [path, name, wide] of [[one.path, "--v-second", 1], [one.fit, "--v-accent", 2]]) {
      pen.strokeStyle = colour(name);
      pen.lineWidth = wide;
      pen.beginPath();
      path.forEach(([x, y]) => { if (x !== null) pen.lineTo((one.centre[0] + x * by) * scale, (one.centre[1] + y * by) * scale); });
      pen.stroke();
    }
    pen.strokeStyle = colour("--v-line");
    pen.strokeRect(0.5, 0.5, width - 1, height - 1);
    if (!found.patches.length) { pen.fillStyle = colour("--v-muted"); pen.font = "13px system-ui, sans-serif"; pen.fillText("no parts were measured", 12, 24); }
  };
  if (!found.picture) { draw(); return; }
  const image = new Image();
  image.onload = () => { pen.globalAlpha = 0.35; pen.drawImage(image, 0, 0, width, height); pen.globalAlpha = 1; draw(); };
  image.src = found.picture;
}
