// Size, distance and threshold of a picker on one micrograph: the picker of the job looks, the threshold is applied here.
import { address, later, tick } from "./view_kit.js";
import { area, bitmap, el, fact, field, frame, look, newest, number, plain, scaleBar, steps } from "./wizard_kit.js";

const RING = "#39d2a0", INNER = "rgba(57, 210, 160, .45)", LEFT = "rgba(240, 150, 90, .75)", SIDE = 1024;

export async function mount(root, config) {
  const known = Object.fromEntries(config.fields.map(one => [one.name, one])), sizes = config.fields.filter(one => one.name.includes("diameter"));
  const page = frame(root, config, used), canvas = el("canvas", { ariaLabel: "The micrograph with picks: wheel to zoom, drag to move" });
  const move = steps(page, row => again(row));
  const again = newest(async row => { // the micrograph comes at once, the picks when they are found
    if (!found || found.row !== row) await show(await look(page, asked(), { row }), false);
    await show(await look(page, asked(), { row, fit: true }), true);
  });
  const wait = later(() => again(move.row()), 500);
  let sound = false, found = null, image = null, file = "", view = { x: 0, y: 0, zoom: 1 };

  const state = { auto: !(Number(config.params.threshold) >= 0), apart: Number(config.params.min_distance) || 0 };
  const given = { min_diameter: 120, max_diameter: 180, diameter: 0 };
  const rows = Object.fromEntries(sizes.map(one => [one.name, field(one,
    { low: 20, high: 600, step: 1, value: Number(config.params[one.name]) || given[one.name] || 150 }, () => { touched.add(one.name); draw(); wait(); })]));
  const touched = new Set(sizes.filter(one => Number(config.params[one.name])).map(one => one.name));
  const apart = field(known.min_distance, { low: 10, high: 600, step: 1, value: state.apart || 100 }, value => { state.apart = value; own.box.checked = false; wait(); });
  const own = tick("60 % of the diameter", !state.apart, on => { state.apart = on ? 0 : apart.value; apart.disable(on); wait(); },
    "The default: neighbours that touch are all found.");
  const cut = field({ ...known.threshold, unit: "" }, { low: 0, high: 1.5, step: 0.01, value: Number(config.params.threshold) || 0.5 }, () => draw());
  const free = tick("Automatic for each micrograph", state.auto, on => { state.auto = on; cut.disable(on); if (on && found) cut.set(Number((found.auto ?? 0).toFixed(3))); draw(); },
    "As low as the false rate of the form allows.");
  const bars = el("canvas", { className: "wizard-plot", ariaLabel: "How many candidates have which figure of merit" }), facts = el("dl", { className: "wizard-facts" });
  const hidden = tick("Show what is left out", false, () => draw(), "Candidates below the threshold.");

  page.stage.append(el("div", { className: "wizard-canvas" }, canvas));
  apart.append(own); cut.append(free);
  page.panel.append(...Object.values(rows), apart, cut, bars, hidden, facts);
  apart.disable(!state.apart); cut.disable(state.auto);
  cut.note("Figure of merit: 1 is as a typical particle of the micrograph.");

  function asked() {
    const one = { threshold: "auto", min_distance: state.apart || null };
    for (const name of Object.keys(rows)) if (name !== "diameter" || touched.has(name)) one[name] = rows[name].value;
    return one;
  }

  function used() {
    const one = { threshold: state.auto ? "auto" : plain(cut.value), min_distance: state.apart ? plain(state.apart) : "" };
    for (const name of Object.keys(rows)) if (name !== "diameter" || touched.has(name)) one[name] = plain(rows[name].value);
    return one;
  }

  async function show(answer, picked) {
    if (!answer) return;
    found = answer;
    sound = picked;
    move.show(found);
    if (rows.diameter && !touched.has("diameter")) rows.diameter.set(Math.round(found.largest));
    if (!state.apart) apart.set(Math.round(found.apart));
    if (state.auto && picked) cut.set(Number((found.auto ?? 0).toFixed(3)));
    const most = Math.max(1.2, ...found.fom);
    cut.bounds(0, Math.ceil(10 * most) / 10, 0.01);
    if (file !== found.file) {
      file = found.file;
      view = { x: 0, y: 0, zoom: 1 };
      const size = await (await fetch(address(config, "/image", { file }))).json();
      image = { ...size, bitmap: await bitmap(address(config, "/image/picture", { file, side: SIDE, lowpass: found.lowpass })) };
    }
    draw();
  }

  const threshold = () => state.auto ? found.auto ?? Infinity : cut.value;

  function draw() {
    const [pen, width, height] = area(canvas);
    if (!found || !image?.bitmap) return;
    const scale = Math.min(width / image.width, height / image.height) * view.zoom;
    const left = (width - image.width * scale) / 2 + view.x, top = (height - image.height * scale) / 2 + view.y, level = threshold();
    pen.drawImage(image.bitmap, left, top, image.width * scale, image.height * scale);
    const large = (rows.max_diameter || rows.diameter).value / 2 / found.pixel * scale, small = (rows.min_diameter || rows.diameter).value / 2 / found.pixel * scale;
    let kept = 0;
    if (!sound) { // how large it is, until there are picks
      for (const [radius, style] of [[large, RING], [small, INNER]]) { pen.beginPath(); pen.arc(width / 2, height / 2, radius, 0, 7); pen.strokeStyle = style; pen.lineWidth = 2; pen.stroke(); }
    }
    found.xy.forEach(([x, y], k) => {
      const good = found.fom[k] >= level;
      if (good) kept++; else if (!hidden.box.checked) return;
      const ring = (radius, style, wide) => { pen.beginPath(); pen.arc(left + (x + 0.5) * scale, top + (y + 0.5) * scale, radius, 0, 7); pen.strokeStyle = style; pen.lineWidth = wide; pen.stroke(); };
      ring(large, good ? RING : LEFT, good ? 1.8 : 1.2);
      if (good && small < 0.9 * large) ring(small, INNER, 1.2);
    });
    scaleBar(pen, height, scale / found.pixel, width / 4);
    delete canvas.dataset.picks;
    if (!sound) { facts.replaceChildren(...fact([["picks", "…"]])); return; }
    histogram(level);
    facts.replaceChildren(...fact([["picks", number(kept)], ["left out", number(found.fom.length - kept)],
      ["threshold", found.auto === null && state.auto ? "nothing is sure" : Number(level.toFixed(3))], ["apart at least", `${number(Math.round(found.apart))} Å`]]));
    canvas.dataset.picks = kept;
  }

  function histogram(level) {
    const [pen, width, height] = area(bars, bars.clientWidth || 290, 64), most = Math.max(1.2, ...found.fom), counts = new Array(40).fill(0);
    found.fom.forEach(value => { counts[Math.min(39, Math.floor(value / most * 40))]++; });
    const top = Math.max(1, ...counts), style = getComputedStyle(root);
    counts.forEach((count, k) => {
      pen.fillStyle = style.getPropertyValue((k + 0.5) / 40 * most >= level ? "--v-accent" : "--v-line");
      pen.fillRect(k * width / 40, height - 2 - count / top * (height - 8), width / 40 - 1, count / top * (height - 8) + 2);
    });
    pen.fillStyle = style.getPropertyValue("--v-second");
    pen.fillRect(Math.min(width - 2, level / most * width), 0, 2, height);
  }

  canvas.addEventListener("wheel", event => {
    event.preventDefault();
    const box = canvas.getBoundingClientRect(), px = event.clientX - box.left - box.width / 2, py = event.clientY - box.top - box.height / 2;
    const next = Math.min(12, Math.max(1, view.zoom * Math.exp(-event.deltaY / 500))), by = next / view.zoom;
    view = next === 1 ? { x: 0, y: 0, zoom: 1 } : { zoom: next, x: px - (px - view.x) * by, y: py - (py - view.y) * by };
    draw();
  }, { passive: false });
  canvas.addEventListener("pointerdown", event => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", event => { if (event.buttons && view.zoom > 1) { view.x += event.movementX; view.y += event.movementY; draw(); } });
  new ResizeObserver(draw).observe(canvas.parentElement);
  await again(0);
}
