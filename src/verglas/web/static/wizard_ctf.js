// The range of the CTF search on the power spectrum of a micrograph: rings at the resolution limits, CTFs of both ends, and the fit in this range.
import { later } from "./view_kit.js";
import { area, bitmap, el, fact, field, frame, key, look, newest, number, plain, steps } from "./wizard_kit.js";

const LIMIT = "#ffb454", MARKS = [30, 20, 15, 10, 8, 7, 6, 5, 4, 3.5, 3];

export async function mount(root, config) {
  const known = Object.fromEntries(config.fields.map(one => [one.name, one])), page = frame(root, config, used);
  const value = name => Number(config.params[name] ?? known[name].default), move = steps(page, row => again(row, true));
  const again = newest(async (row, fit) => show(await look(page, asked(), { row, fit })));
  const settle = later(() => again(move.row(), true), 450), change = () => { draw(); again(move.row(), false); settle(); };
  const rows = {
    min_defocus: field(known.min_defocus, { low: 500, high: 60000, step: 100, value: value("min_defocus") }, change),
    max_defocus: field(known.max_defocus, { low: 500, high: 60000, step: 100, value: value("max_defocus") }, change),
    min_resolution: field(known.min_resolution, { low: 10, high: 60, step: 0.5, value: value("min_resolution") }, change),
    max_resolution: field(known.max_resolution, { low: 2.8, high: 20, step: 0.1, value: value("max_resolution") }, change),
  };
  const rings = el("canvas", { ariaLabel: "Power spectrum with rings at the resolution limits" }), plot = el("canvas", { ariaLabel: "Rotational average of the spectrum, and CTFs" });
  const facts = el("dl", { className: "wizard-facts" }), warn = el("div", { className: "vg-notice bad", hidden: true }), told = el("p", { className: "vg-note" });
  let found = null, image = null, fit = null;

  page.stage.append(el("div", { className: "wizard-two" }, el("div", {}, rings, el("p", { className: "vg-note", textContent: "Left half: the spectrum. Right half: the rings of the fit, as far as they are followed." })),
    el("div", {}, plot, key([["var(--v-muted)", "average of the spectrum along its rings"], ["var(--v-accent)", "fitted CTF²"], ["var(--v-second)", "CTF² at the ends of the search"],
      [LIMIT, "resolution limits"]]))), told);
  page.panel.append(...Object.values(rows), el("h3", { textContent: "In this range the job finds" }), facts, warn);

  const asked = () => Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, row.value]));
  function used() { return Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, plain(row.value)])); }

  async function show(answer) {
    if (!answer) { fit = null; draw(); return; }
    const other = !found || found.file !== answer.file;
    found = answer;
    fit = answer.fit || (other ? null : fit);
    if (answer.fit || other) image = await bitmap(found.picture);
    move.show(found);
    told.textContent = `${found.optics}; from ${found.told}`;
    draw();
  }

  function draw() {
    if (!found) return;
    spectrum();
    curves();
    const rows = fit ? [["defocus", `${number(Math.round(fit.defocus))} Å`], ["astigmatism", `${number(Math.round(fit.astigmatism))} Å`],
      ["rings followed to", fit.resolution ? `${number(fit.resolution, 3)} Å` : "–"]] : [["defocus", "…"], ["astigmatism", "…"], ["rings followed to", "…"]];
    facts.replaceChildren(...fact(rows));
    warn.hidden = !(fit && fit.fault);
    if (!warn.hidden) warn.textContent = `This fit would not be trusted: ${fit.fault}`;
    rings.dataset.fitted = fit ? Math.round(fit.defocus) : "";
  }

  function spectrum() {
    const side = rings.clientWidth || 400, [pen] = area(rings, side, side);
    rings.style.height = side + "px";
    if (image) pen.drawImage(image, 0, 0, side, side);
    pen.font = "12px system-ui, sans-serif";
    for (const [resolution, dash] of [[rows.min_resolution.value, [5, 4]], [rows.max_resolution.value, []]]) {
      const radius = 1 / resolution / found.edge * side / 2;
      pen.strokeStyle = LIMIT; pen.lineWidth = 1.8; pen.setLineDash(dash);
      pen.beginPath(); pen.arc(side / 2, side / 2, radius, 0, 7); pen.stroke();
      pen.setLineDash([]);
      const text = `${number(resolution, 3)} Å`, y = Math.max(14, side / 2 - radius - 5), wide = pen.measureText(text).width;
      pen.fillStyle = "rgba(0, 0, 0, .6)"; pen.fillRect(side / 2 - wide / 2 - 4, y - 12, wide + 8, 16);
      pen.fillStyle = LIMIT; pen.textAlign = "center"; pen.fillText(text, side / 2, y);
    }
  }

  function curves() {
    const width = plot.clientWidth || 460, height = Math.max(380, Math.min(560, page.stage.clientHeight - 170)), ends = height - 164, [pen] = area(plot, width, height), style = getComputedStyle(root), tint = name => style.getPropertyValue(name).trim();
    plot.style.height = height + "px";
    const last = found.shown[1], across = k => 8 + k / last * (width - 16), lane = (top, high) => part => top + high - part * high;
    pen.fillStyle = tint("--v-card"); pen.fillRect(0, 0, width, height);
    pen.font = "12px system-ui, sans-serif"; pen.textAlign = "center";
    let free = -Infinity;
    for (const d of MARKS) {
      const x = across(1 / d);
      if (1 / d > last || x - free < 42) continue;
      free = x;
      pen.strokeStyle = tint("--v-line"); pen.lineWidth = 1; pen.beginPath(); pen.moveTo(x, 6); pen.lineTo(x, height - 22); pen.stroke();
      pen.fillStyle = tint("--v-muted"); pen.fillText(`${d} Å`, x, height - 6);
    }
    const inside = found.k.map((k, i) => [k, found.average[i]]).filter(([k]) => k >= 1 / rows.min_resolution.value && k <= 1 / rows.max_resolution.value).map(one => one[1]);
    const sorted = [...inside].sort((a, b) => a - b), low = sorted[Math.floor(0.02 * sorted.length)] ?? 0, high = sorted[Math.floor(0.98 * sorted.length)] ?? 1;
    const top = lane(16, ends - 40), scaled = one => (one - low) / ((high - low) || 1);
    const line = (points, name, wide) => { pen.strokeStyle = tint(name); pen.lineWidth = wide; pen.beginPath(); points.forEach(([x, y]) => pen.lineTo(x, y)); pen.stroke(); };
    const ctf = (values, place) => values.map((one, i) => [across(i * found.step), place(one)]).filter(([x]) => x <= width - 8);
    pen.save();
    pen.beginPath(); pen.rect(8, 6, width - 16, ends - 20); pen.clip();
    if (fit) { // where rings are weak both are drawn larger, so that they can be compared
      const strongest = Math.max(...fit.strength), grown = i => 0.5 + 0.8 * fit.average[i] / Math.max(fit.strength[i], 0.3 * strongest);
      line(fit.k.map((k, i) => [across(k), top(grown(i))]), "--v-muted", 1.4);
      line(fit.k.map((k, i) => [across(k), top(0.5 + 0.8 * fit.rings[i] * fit.strength[i] / Math.max(fit.strength[i], 0.3 * strongest))]), "--v-accent", 1.4);
    } else line(found.k.map((k, i) => [across(k), top(scaled(found.average[i]))]), "--v-muted", 1.4);
    pen.restore();
    found.curves.forEach((curve, which) => {
      const name = which ? rows.max_defocus.value : rows.min_defocus.value, place = lane(ends + 22 + 68 * which, 40);
      line(ctf(curve, place), "--v-second", 1.2);
      pen.textAlign = "left"; pen.fillStyle = tint("--v-ink"); pen.fillText(`${which ? "largest" : "smallest"} defocus, ${number(name)} Å`, 12, ends + 16 + 68 * which);
    });
    pen.fillStyle = "rgba(128, 140, 150, .28)";
    const [from, to] = [across(1 / rows.min_resolution.value), Math.min(width - 8, across(1 / rows.max_resolution.value))];
    pen.fillRect(8, 6, from - 8, height - 28); pen.fillRect(to, 6, width - 8 - to, height - 28);
    pen.fillStyle = LIMIT; pen.fillRect(from - 1, 6, 2, height - 28); pen.fillRect(to - 1, 6, 2, height - 28);
  }

  new ResizeObserver(draw).observe(page.stage);
  await again(0, false);
  await again(0, true);
}
