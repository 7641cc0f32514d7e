// A mask on three slices of its map: what the threshold encloses at once, the extended and softened mask a moment later.
import { later, tick } from "./view_kit.js";
import { area, el, fact, field, frame, key, look, newest, number, plain } from "./wizard_kit.js";

const INSIDE = "#ffb454", FULL = "#39d2a0", EDGE = "#6cc0e0", AXES = [["x", "y"], ["x", "z"], ["y", "z"]], CUT = ["z", "y", "x"];

export async function mount(root, config) {
  const known = Object.fromEntries(config.fields.map(one => [one.name, one])), page = frame(root, config, used);
  const at = [0.5, 0.5, 0.5], canvases = CUT.map(axis => el("canvas", { ariaLabel: `Slice along ${axis}: click to cut the others here` }));
  const value = name => Number(config.params[name] ?? known[name].default), given = Number(config.params.threshold);
  let auto = !Number.isFinite(given), found = null, planes = [], masks = [], sound = false, certain = !auto;

  const fetching = newest(async whole => show(await look(page, asked(), { at, fit: whole }), whole));
  const whole = later(() => fetching(true), 250);
  const cut = field({ ...known.threshold, unit: "" }, { low: 0, high: 1, step: 0.001, value: auto ? 0 : given }, () => { sound = false; draw(); whole(); });
  const free = tick("Automatic, from the histogram", auto, on => { auto = on; certain = certain || !on; cut.disable(on); whole(); }, "Half way between solvent and particle, as the job finds it.");
  const bars = el("canvas", { className: "wizard-plot", ariaLabel: "How often each density occurs; the line is the threshold" });
  const rows = {
    lowpass: field(known.lowpass, { low: 0, high: 60, step: 1, value: value("lowpass") }, whole),
    extend: field(known.extend, { low: -10, high: 20, step: 1, value: value("extend") }, whole),
    soft_edge: field(known.soft_edge, { low: 0, high: 20, step: 1, value: value("soft_edge") }, whole),
  };
  const facts = el("dl", { className: "wizard-facts" }), warn = el("div", { className: "vg-notice bad", hidden: true }), told = el("p", { className: "vg-note" });
  cut.append(free); cut.disable(auto);
  page.panel.append(rows.lowpass, cut, bars, rows.extend, rows.soft_edge, facts, warn);
  page.stage.append(el("div", { className: "wizard-three" }, ...canvases.map((one, k) => el("figure", {}, one,
    el("figcaption", { textContent: `along ${CUT[k]}: ${AXES[k][0]} to the right, ${AXES[k][1]} up` })))),
    key([[INSIDE, "threshold"], [FULL, "inside, mask 1"], [EDGE, "end of the soft edge, mask 0"]]), told);

  function asked() {
    return { threshold: auto ? "auto" : plain(cut.value), ...Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, row.value])) };
  }

  function used() {
    return { threshold: auto ? "auto" : plain(cut.value), ...Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, plain(row.value)])) };
  }

  function show(answer, withMask) {
    if (!answer) return;
    found = answer;
    planes = found.slices.map(text => new Uint16Array(bytes(text).buffer));
    masks = withMask ? found.mask.map(bytes) : [];
    sound = withMask;
    if (withMask && auto) { cut.set(found.threshold); certain = true; }
    cut.bounds(Math.min(found.low, cut.value), found.high, (found.high - found.low) / 1000);
    told.textContent = found.step > 1 ? `Every ${found.step}. voxel of the map is looked at; the job takes all of them, so its numbers differ a little.` : "Click in a slice to cut the others there.";
    draw();
  }

  function draw() {
    if (!found) return;
    canvases.forEach((canvas, k) => paint(canvas, k));
    histogram();
    cut.note(certain ? `${found.sd ? number(cut.value / found.sd, 3) : 0} σ of the low-passed map` : "The automatic threshold is being found.");
    const enclosed = sound ? found : null;
    facts.replaceChildren(...fact([["enclosed", enclosed ? `${number(enclosed.voxels)} voxels` : "…"], ["volume", enclosed ? `${number(Math.round(enclosed.volume))} Å³` : "…"],
      ["as protein", enclosed ? `about ${number(Math.round(enclosed.kilodalton))} kDa` : "…"], ["mask", enclosed ? `${(100 * enclosed.share).toFixed(1)} % of the box` : "…"],
      ["reaches out to", enclosed ? `${number(Math.round(enclosed.radius))} Å` : "…"], ["pieces", enclosed ? number(enclosed.parts) : "…"]]));
    warn.hidden = !(enclosed && enclosed.warnings.length);
    if (!warn.hidden) warn.textContent = enclosed.warnings.join(" ");
  }

  function paint(canvas, k) {
    const [pen, width] = area(canvas, canvas.clientWidth, canvas.clientWidth), { side } = found, scale = width / side;
    const grey = new ImageData(side, side), span = found.high - found.low || 1, whiten = 255 / ((found.white - found.black) || 1);
    planes[k].forEach((level, i) => {
      const place = 4 * ((side - 1 - Math.floor(i / side)) * side + i % side), shade = (found.low + level / 65535 * span - found.black) * whiten;
      grey.data[place] = grey.data[place + 1] = grey.data[place + 2] = shade;
      grey.data[place + 3] = 255;
    });
    const small = new OffscreenCanvas(side, side);
    small.getContext("2d").putImageData(grey, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, width, width);
    const line = (values, level, style, wide, dash = []) => {
      pen.strokeStyle = style; pen.lineWidth = wide; pen.setLineDash(dash); pen.beginPath();
      contour(values, side, level, (x0, y0, x1, y1) => { pen.moveTo(x0 * scale, width - y0 * scale); pen.lineTo(x1 * scale, width - y1 * scale); });
      pen.stroke(); pen.setLineDash([]);
    };
    if (masks.length) { line(masks[k], 1, EDGE, 1.2); line(masks[k], 254, FULL, 1.6); }
    if (certain) line(planes[k], (cut.value - found.low) / span * 65535, INSIDE, 1.6);
    const [across, up] = AXES[k].map(axis => at["xyz".indexOf(axis)] * width);
    pen.strokeStyle = "rgba(150, 200, 230, .35)"; pen.lineWidth = 1;
    pen.beginPath(); pen.moveTo(across, 0); pen.lineTo(across, width); pen.moveTo(0, width - up); pen.lineTo(width, width - up); pen.stroke();
  }

  function histogram() {
    const [pen, width, height] = area(bars, bars.clientWidth || 290, 64), top = Math.log1p(Math.max(...found.counts)), style = getComputedStyle(root);
    const place = density => (density - found.from) / ((found.to - found.from) || 1) * width, line = place(cut.value);
    found.counts.forEach((count, k) => {
      const x = k * width / found.counts.length;
      pen.fillStyle = x >= line ? INSIDE : style.getPropertyValue("--v-muted");
      const tall = Math.log1p(count) / top * (height - 4);
      pen.fillRect(x, height - tall, width / found.counts.length, tall);
    });
    pen.fillStyle = style.getPropertyValue("--v-ink");
    pen.fillRect(Math.max(0, Math.min(width - 2, line)), 0, 2, height);
  }

  canvases.forEach((canvas, k) => {
    const point = event => {
      const box = canvas.getBoundingClientRect(), part = one => Math.max(0, Math.min(1, one));
      at["xyz".indexOf(AXES[k][0])] = part((event.clientX - box.left) / box.width);
      at["xyz".indexOf(AXES[k][1])] = part(1 - (event.clientY - box.top) / box.height);
      whole();
      draw();
    };
    canvas.addEventListener("pointerdown", event => { canvas.setPointerCapture(event.pointerId); point(event); });
    canvas.addEventListener("pointermove", event => { if (event.buttons) point(event); });
  });
  new ResizeObserver(draw).observe(page.stage);
  await fetching(false);
  await fetching(true);
}

function bytes(text) { return Uint8Array.from(atob(text), one => one.charCodeAt(0)); }

// Segments of the line at `level` through a square of values, row 0 first, with pixel centres at +0.5: marching squares.
function contour(values, side, level, segment) {
  for (let y = 0; y + 1 < side; y++) {
    for (let x = 0; x + 1 < side; x++) {
      const i = y * side + x, a = values[i], b = values[i + 1], c = values[i + 1 + side], d = values[i + side];
      if ((a >= level) === (b >= level) && (b >= level) === (c >= level) && (c >= level) === (d >= level)) continue;
      const ends = [], cross = (u, v, x0, y0, x1, y1) => {
        if ((u >= level) !== (v >= level)) { const t = (level - u) / (v - u); ends.push([x + 0.5 + x0 + t * (x1 - x0), y + 0.5 + y0 + t * (y1 - y0)]); }
      };
      cross(a, b, 0, 0, 1, 0); cross(b, c, 1, 0, 1, 1); cross(c, d, 1, 1, 0, 1); cross(d, a, 0, 1, 0, 0);
      for (let k = 0; k + 1 < ends.length; k += 2) segment(...ends[k], ...ends[k + 1]);
    }
  }
}
