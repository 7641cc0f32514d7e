// A map as three linked slices, alone, beside another map, or minus it, with a mask over it; and as a surface on the second tab.
import { address, button, choice, colour, el, get, json, keep, keys, named, newest, notice, number, slider, stem } from "./view_kit.js";

const AXES = ["z", "y", "x"], ACROSS = [[2, 1], [2, 0], [1, 0]]; // axis of the columns and of the rows of each slice
const TALLEST = 64; // per cent of the window that a slice may be high

export async function mount(root, config) {
  const say = notice(), tabs = el("div", { className: "vg-tabs", role: "tablist" }), pages = [el("div"), el("div")];
  root.classList.add("vg");
  root.replaceChildren(tabs, say, ...pages);
  const opened = [false, false];
  const show = async which => {
    pages.forEach((page, k) => { page.hidden = k !== which; });
    [...tabs.querySelectorAll(".tab")].forEach((tab, k) => tab.setAttribute("aria-selected", k === which));
    if (opened[which]) return;
    opened[which] = true;
    try {
      await (which === 0 ? slices(pages[0], config, say) : (await import("./view_surface.js")).mount(pages[1], config, say));
    } catch (error) { say.fail(error); }
  };
  ["Slices", "Surface"].forEach((text, k) => { const tab = button(text, () => show(k), "", "tab"); tab.setAttribute("role", "tab"); tabs.append(tab); });
  tabs.append(el("a", { href: address(config, "/download", { file: config.file }), textContent: "Download the map (MRC)", className: "vg-link" }));
  await show(0);
}

async function slices(page, config, say) {
  const facts = await json(address(config, "/volume", { file: config.file })), span = facts.high - facts.low || 1;
  const state = { at: facts.shape.map(side => Math.floor(side / 2)), low: facts.low, high: facts.high, reach: span / 4, mode: "one", other: "", second: null, mask: "", facts };
  const panes = [], beside = [], tell = el("span", { className: "vg-note" });
  const redraw = () => { [...panes, ...beside].forEach(one => one.draw()); position(); };
  const position = () => {
    const middle = state.at.map((place, axis) => `${AXES[axis]} ${place}`).reverse().join(", ");
    tell.textContent = `${facts.shape[2]} × ${facts.shape[1]} × ${facts.shape[0]} voxels` + (facts.pixel ? ` of ${number(facts.pixel)} Å` : "") + `, at ${middle}`;
  };
  const rows = [el("div", { className: "vg-three" }), el("div", { className: "vg-three" })];
  for (let axis = 0; axis < 3; axis++) {
    panes.push(pane(axis, state, config, () => state.mode === "minus" && state.second ? "minus" : "one", redraw, say));
    beside.push(pane(axis, state, config, () => state.mode === "beside" && state.second ? "other" : "", redraw, say));
    rows[0].append(panes[axis].box);
    rows[1].append(beside[axis].box);
  }
  const none = [["", "none"]], grey = contrast(state, facts, redraw);
  const reach = slider("White and black at ±", { low: span / 100, high: span, value: state.reach, help: "Difference that is black or white; grey is none. The second map is first scaled to this one." },
    value => { state.reach = value; redraw(); });
  const other = choice("Second map", [...none, ...config.maps.map(named)], "", async value => {
    try {
      state.second = value ? await json(address(config, "/volume", { file: value })) : null;
      state.other = value;
      show();
    } catch (error) { say.fail(error); }
  }, "Another map of this project.");
  const show = () => {
    rows[1].hidden = !(state.mode === "beside" && state.second);
    other.hidden = state.mode === "one";
    reach.hidden = !(state.mode === "minus" && state.second);
    grey.hidden = !reach.hidden;
    say.clear();
    redraw();
  };
  const modes = [["one", "this map"], ["beside", "beside a second map"], ["minus", "minus a second map"]];
  page.append(
    el("div", { className: "vg-bar" }, grey, config.maps.length ? choice("Show", modes, "one", value => { state.mode = value; show(); }) : null, other, reach,
      config.masks.length ? choice("Mask over it", [...none, ...config.masks.map(named)], "", value => { state.mask = value; redraw(); }, "What lies outside of the mask is dimmed.") : null, tell), ...rows);
  show();
}

function contrast(state, facts, redraw) {
  const canvas = el("canvas", { className: "vg-histogram", width: 256, height: 40, role: "img", ariaLabel: "How often each density occurs", title: "How often each density occurs, and what is black and white." });
  const paint = () => {
    const pen = canvas.getContext("2d"), top = Math.log1p(Math.max(...facts.counts)), span = facts.to - facts.from || 1;
    pen.clearRect(0, 0, 256, 40);
    pen.fillStyle = colour("--v-muted");
    facts.counts.forEach((count, k) => pen.fillRect(2 * k, 40 - 38 * Math.log1p(count) / top, 2, 40));
    pen.fillStyle = colour("--v-accent");
    for (const value of [state.low, state.high]) pen.fillRect(Math.min(254, 256 * (value - facts.from) / span), 0, 2, 40);
  };
  const ends = { low: facts.from, high: facts.to };
  const low = slider("Black", { ...ends, value: facts.low, help: "Density that is black." }, value => { state.low = value; paint(); redraw(); });
  const high = slider("White", { ...ends, value: facts.high, help: "Density that is white." }, value => { state.high = value; paint(); redraw(); });
  requestAnimationFrame(paint);
  const reset = button("Reset", () => {
    [state.low, state.high] = [facts.low, facts.high];
    low.set(facts.low); high.set(facts.high); paint(); redraw();
  }, "Contrast as at first.");
  return el("div", { className: "vg-contrast" }, canvas, el("div", {}, low, high), reset);
}

// One slice. `role`: "one", "other" (the second map), "minus" (the difference), or "" for nothing.
function pane(axis, state, config, role, redraw, say) {
  const { shape } = state.facts, [columns, rows] = ACROSS[axis], name = AXES[axis], ratio = shape[columns] / shape[rows];
  const canvas = el("canvas", { className: "vg-slice", role: "img" }), cross = el("canvas", { className: "vg-cross" });
  const go = place => { state.at[axis] = Math.max(0, Math.min(shape[axis] - 1, place)); redraw(); };
  const move = slider(name, { low: 0, high: shape[axis] - 1, step: 1, value: state.at[axis], help: `Slice along ${name}.` }, go);
  const png = button("PNG", () => keep(canvas, `${stem(config.file)}_${{ other: "second_", minus: "difference_" }[role()] || ""}${name}${state.at[axis]}.png`), "Keep this slice as a picture.", "small");
  const help = `${AXES[columns]} to the right, ${AXES[rows]} upwards. Click: the other slices come here. Wheel or arrow keys: next slice.`;
  const frame = el("div", { className: "vg-frame", title: help }, canvas, cross);
  Object.assign(frame.style, { aspectRatio: ratio, width: `min(100%, ${TALLEST * ratio}vh)` });
  let drawn = ""; // what the picture was made from
  const draw = newest(async () => {
    const kind = role(), index = state.at[axis], { low, high, second } = state;
    if (!kind) return;
    move.set(index);
    const file = kind === "other" ? state.other : config.file;
    const url = kind === "minus" ? address(config, "/volume/difference", { file, other: state.other, axis, index, width: state.reach })
      : kind === "other" ? address(config, "/volume/slice", { file, axis, index: Math.floor((index + 0.5) / shape[axis] * second.shape[axis]) })
      : address(config, "/volume/slice", { file, axis, index, low, high });
    lines(cross, axis, state);
    if (drawn === url + state.mask) return;
    try {
      const [grey, mask] = await Promise.all([pixels(url), state.mask ? pixels(address(config, "/volume/slice", { file: state.mask, axis, index, low: 0, high: 1 })) : null]);
      paint(canvas, grey, kind === "other" ? null : mask);
      drawn = url + state.mask;
      canvas.setAttribute("aria-label", `${file.split("/").pop()}, slice ${index} along ${name}`);
      canvas.dataset.shown = `${kind} ${index}`;
    } catch (error) { say.fail(error); }
  });
  frame.addEventListener("pointerdown", event => { point(event); frame.setPointerCapture(event.pointerId); });
  frame.addEventListener("pointermove", event => { if (event.buttons) point(event); });
  function point(event) {
    const area = frame.getBoundingClientRect(), inside = (part, side) => Math.max(0, Math.min(side - 1, Math.floor(part * side)));
    state.at[columns] = inside((event.clientX - area.left) / area.width, shape[columns]);
    state.at[rows] = inside(1 - (event.clientY - area.top) / area.height, shape[rows]);
    redraw();
  }
  frame.addEventListener("wheel", event => { event.preventDefault(); go(state.at[axis] - Math.sign(event.deltaY)); }, { passive: false });
  const by = step => () => go(state.at[axis] + step);
  keys(frame, { ArrowUp: by(1), ArrowRight: by(1), ArrowDown: by(-1), ArrowLeft: by(-1), PageUp: by(10), PageDown: by(-10), Home: () => go(0), End: () => go(shape[axis] - 1) });
  return { box: el("div", { className: "vg-pane" }, frame, el("div", { className: "vg-row" }, move, png)), draw };
}

async function pixels(url) {
  const answer = await get(url), [height, width] = answer.headers.get("X-Shape").split(",").map(Number);
  return { height, width, data: new Uint8Array(await answer.arrayBuffer()) };
}

function paint(canvas, grey, mask) {
  if (mask && (mask.width !== grey.width || mask.height !== grey.height)) throw new Error("The mask has another box than this map.\n-> choose a mask that was made for it");
  canvas.width = grey.width;
  canvas.height = grey.height;
  const image = new ImageData(grey.width, grey.height), out = image.data;
  for (let k = 0; k < grey.data.length; k++) {
    const value = grey.data[k], inside = mask ? mask.data[k] / 255 : 1;
    out[4 * k] = value * (0.45 + 0.55 * inside);
    out[4 * k + 1] = value * (0.55 + 0.45 * inside);
    out[4 * k + 2] = value * (0.75 + 0.25 * inside);
    out[4 * k + 3] = 255;
  }
  canvas.getContext("2d", { willReadFrequently: true }).putImageData(image, 0, 0); // written whole each time: quicker without the GPU
}

function lines(canvas, axis, state) {
  const [columns, rows] = ACROSS[axis], width = canvas.width = 2 * canvas.clientWidth, height = canvas.height = 2 * canvas.clientHeight, pen = canvas.getContext("2d", { willReadFrequently: true });
  const x = (state.at[columns] + 0.5) / state.facts.shape[columns] * width, y = height - (state.at[rows] + 0.5) / state.facts.shape[rows] * height;
  pen.strokeStyle = "rgba(120, 200, 255, .6)";
  pen.lineWidth = 2;
  pen.beginPath();
  pen.moveTo(x, 0); pen.lineTo(x, height); pen.moveTo(0, y); pen.lineTo(width, y);
  pen.stroke();
}
