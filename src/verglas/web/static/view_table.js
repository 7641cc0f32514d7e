// A table of any size: blocks of rows for the grid, filters, a plot of two columns on which a range is drawn, and subsets.
import { address, button, choice, colour, el, json, made, notice, number, post, sharp } from "./view_kit.js";

const filters = new Map(); // id of the grid -> conditions

// What AG grid asks for when it is scrolled, sorted or filtered.
export async function rows(asked, config) {
  const where = conditions(asked.filterModel, config.columns), sort = asked.sortModel[0];
  filters.set(config.id, where);
  try {
    const found = await json(address(config, "/table/rows", { file: config.file, block: config.block, start: asked.startRow, count: asked.endRow - asked.startRow,
      where: where.length ? JSON.stringify(where) : "", sort: sort ? config.columns[Number(sort.colId.slice(1))].label : "", down: sort ? sort.sort === "desc" : "" }));
    asked.successCallback(found.rows, found.total);
    window.dispatchEvent(new CustomEvent("verglas-rows", { detail: { id: config.id, total: found.total } }));
  } catch (error) {
    asked.failCallback();
    window.dispatchEvent(new CustomEvent("verglas-rows", { detail: { id: config.id, error } }));
  }
}

function conditions(model, columns) {
  const found = [];
  for (const [id, one] of Object.entries(model || {})) {
    const column = columns[Number(id.slice(1))].label;
    if (one.filterType === "text") { if (one.filter) found.push({ column, text: one.filter }); continue; }
    if (one.type === "inRange") found.push({ column, low: one.filter, high: one.filterTo });
    else if (one.type === "greaterThanOrEqual") found.push({ column, low: one.filter });
    else if (one.type === "lessThanOrEqual") found.push({ column, high: one.filter });
    else if (one.type === "equals") found.push({ column, low: one.filter, high: one.filter });
  }
  return found;
}

export function mount(root, config) {
  root.classList.add("vg");
  const say = notice(), told = el("span", { className: "vg-note", textContent: `${number(config.rows)} rows` });
  const state = { x: config.numbers[0] || "", y: config.numbers[1] || config.numbers[0] || "", box: null };
  const canvas = el("canvas", { className: "vg-plot" });
  const where = () => filters.get(config.id) || [];
  const draw = async () => {
    if (!state.x) return;
    try {
      state.plot = await json(address(config, "/table/scatter", { file: config.file, block: config.block, x: state.x, y: state.y, where: where().length ? JSON.stringify(where()) : "" }));
      state.box = null;
      paint(canvas, state);
    } catch (error) { say.fail(error); }
  };
  window.addEventListener("verglas-rows", event => {
    if (event.detail.id !== config.id || !root.isConnected) return;
    if (event.detail.error) { say.fail(event.detail.error); return; }
    told.textContent = event.detail.total === config.rows || !where().length ? `${number(event.detail.total)} rows` : `${number(event.detail.total)} rows fit the filters`;
    const now = JSON.stringify(where());
    if (state.drawn && now !== state.drawn) { state.drawn = now; draw(); }
  });
  const subset = async found => {
    try {
      if (!found.length) throw new Error("Nothing is chosen.\n-> filter a column, or draw a range on the plot");
      made(say, config, (await post(config.data + "/table/subset", { file: config.file, block: config.block, where: found })).job);
    } catch (error) { say.fail(error); }
  };
  const drawn = () => state.box ? [...where(), { column: state.x, low: state.box[0], high: state.box[2] }, { column: state.y, low: state.box[1], high: state.box[3] }] : [];
  const names = config.numbers.map(one => [one, one]);
  const plot = el("div", { className: "vg-plotbox", hidden: true }, el("div", { className: "vg-bar" },
    choice("Across", names, state.x, value => { state.x = value; draw(); }), choice("Up", names, state.y, value => { state.y = value; draw(); }),
    config.subsets ? button("Subset of the drawn range", () => subset(drawn()), "Draw a rectangle on the plot first.") : null,
    el("span", { className: "vg-note", textContent: "Drag on the plot to choose a range." })), canvas);
  root.replaceChildren(say, el("div", { className: "vg-bar" },
    config.numbers.length ? button("Plot two columns", () => {
      plot.hidden = !plot.hidden;
      if (!plot.hidden) { state.drawn = JSON.stringify(where()); draw(); }
    }) : null,
    config.subsets ? button("Subset of the filtered rows", () => subset(where()), "A Select job with the rows that fit the filters of the columns.", "main") : null,
    el("a", { href: address(config, "/download", { file: config.file }), textContent: "Download STAR", className: "vg-link" }), told), plot);
  drag(canvas, state);
}

const EDGE = { left: 64, bottom: 40, top: 8, right: 12 };

function paint(canvas, state) {
  const width = canvas.clientWidth, height = 320, pen = sharp(canvas, width, height), { low, high, points, counts } = state.plot;
  const wide = width - EDGE.left - EDGE.right, tall = height - EDGE.top - EDGE.bottom;
  const across = value => EDGE.left + (value - low[0]) / (high[0] - low[0]) * wide, up = value => EDGE.top + tall - (value - low[1]) / (high[1] - low[1]) * tall;
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  pen.fillStyle = colour("--v-muted");
  pen.strokeStyle = colour("--v-line");
  for (let k = 0; k <= 4; k++) {
    const x = low[0] + k / 4 * (high[0] - low[0]), y = low[1] + k / 4 * (high[1] - low[1]);
    pen.beginPath(); pen.moveTo(across(x), EDGE.top); pen.lineTo(across(x), EDGE.top + tall); pen.moveTo(EDGE.left, up(y)); pen.lineTo(width - EDGE.right, up(y)); pen.stroke();
    pen.textAlign = k === 4 ? "right" : k ? "center" : "left"; pen.fillText(number(x), across(x), height - 22);
    pen.textAlign = "right"; pen.fillText(number(y), EDGE.left - 6, up(y) + (k === 4 ? 10 : k ? 4 : 0));
  }
  pen.textAlign = "center"; pen.fillText(state.x, EDGE.left + wide / 2, height - 6);
  pen.fillStyle = colour("--v-accent");
  if (points) {
    const side = points.length > 3000 ? 2 : 3;
    pen.globalAlpha = points.length > 3000 ? 0.4 : 0.7;
    for (const [x, y] of points) pen.fillRect(across(x) - side / 2, up(y) - side / 2, side, side);
  } else {
    const many = counts.length, most = Math.log1p(Math.max(...counts.map(row => Math.max(...row))));
    counts.forEach((row, y) => row.forEach((count, x) => {
      if (!count) return;
      pen.globalAlpha = 0.12 + 0.88 * Math.log1p(count) / most;
      pen.fillRect(EDGE.left + x / many * wide, EDGE.top + tall - (y + 1) / many * tall, wide / many + 0.5, tall / many + 0.5);
    }));
  }
  pen.globalAlpha = 1;
  if (state.box) {
    const [x0, y0, x1, y1] = state.box;
    pen.strokeStyle = colour("--v-ink");
    pen.strokeRect(across(x0), up(y1), across(x1) - across(x0), up(y0) - up(y1));
  }
}

function drag(canvas, state) {
  let from = null;
  const value = event => {
    const area = canvas.getBoundingClientRect(), { low, high } = state.plot, inside = part => Math.max(0, Math.min(1, part));
    const x = inside((event.clientX - area.left - EDGE.left) / (area.width - EDGE.left - EDGE.right)), y = inside(1 - (event.clientY - area.top - EDGE.top) / (area.height - EDGE.top - EDGE.bottom));
    return [low[0] + x * (high[0] - low[0]), low[1] + y * (high[1] - low[1])];
  };
  canvas.addEventListener("pointerdown", event => { if (state.plot) { from = value(event); canvas.setPointerCapture(event.pointerId); } });
  canvas.addEventListener("pointermove", event => {
    if (!from) return;
    const to = value(event);
    state.box = [Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.max(from[0], to[0]), Math.max(from[1], to[1])];
    paint(canvas, state);
  });
  canvas.addEventListener("pointerup", () => { from = null; });
}
