// Particles as sheets of small pictures, a page of which is one image of the server; click to choose, and make a subset.
import { address, button, choice, el, entry, json, keys, later, made, notice, number, post, slider } from "./view_kit.js";

const SHEET = 120, CHAPTER = 40; // particles of a picture, pictures of a chapter

export async function mount(root, config) {
  root.classList.add("vg");
  const say = notice(), page = el("div");
  root.replaceChildren(say, page);
  try {
    if (config.file.endsWith(".mrcs")) {
      const facts = await json(address(config, "/image", { file: config.file }));
      gallery(page, config, say, { block: "", columns: [], total: facts.images });
      return;
    }
    const tables = await json(address(config, "/table", { file: config.file }));
    const block = tables.blocks.find(one => one.columns.some(column => column.label === "rlnImageName"));
    if (!block) throw new Error("There are no images in this table.\n-> open it as a table");
    gallery(page, config, say, { block: block.name, columns: block.columns, total: block.rows });
  } catch (error) { say.fail(error); }
}

function gallery(page, config, say, facts) {
  const state = { sort: "", down: false, where: config.where || [], side: 96, lowpass: 0, chapter: 0, chosen: new Set(), last: null, total: facts.total };
  const sheets = el("div", { className: "vg-sheets" }), told = el("span", { className: "vg-note" }), pager = el("span", { className: "vg-row" });
  const numbers = facts.columns.filter(one => !one.text).map(one => one.label);
  const query = () => ({ file: config.file, block: facts.block, where: state.where.length ? JSON.stringify(state.where) : "", sort: state.sort, down: state.down });
  const count = () => {
    told.textContent = `${number(state.total)} particles` + (state.chosen.size ? `, ${number(state.chosen.size)} chosen` : facts.block && config.writable ? "; click to choose, with Shift a row of them" : "");
    ofChosen.forEach(one => { one.hidden = !state.chosen.size; });
    ofShown.hidden = !state.where.length;
  };
  const redraw = async () => {
    try {
      if (facts.block) state.total = (await json(address(config, "/table/rows", { ...query(), count: 1 }))).total;
      const across = Math.max(1, Math.floor((sheets.clientWidth || 900) / state.side)), size = Math.max(1, Math.floor(SHEET / across)) * across;
      const first = state.chapter * CHAPTER * size, last = Math.min(state.total, first + CHAPTER * size);
      sheets.replaceChildren();
      for (let start = first; start < last; start += size) sheets.append(sheet(start, Math.min(size, last - start), across));
      chapters(size);
      count();
      say.clear();
    } catch (error) { say.fail(error); }
  };
  const soon = later(redraw, 200);

  function chapters(size) {
    const many = Math.ceil(state.total / (CHAPTER * size));
    if (many < 2) { pager.replaceChildren(); return; }
    const go = by => () => { state.chapter = Math.max(0, Math.min(many - 1, state.chapter + by)); redraw(); };
    pager.replaceChildren(button("‹", go(-1), "Earlier particles"), `part ${state.chapter + 1} of ${many}`, button("›", go(1), "Later particles"));
  }

  // A picture of some particles. Click or Enter chooses one, with Shift all from the last one; the arrow keys move.
  function sheet(start, shown, across) {
    const image = el("img", { loading: "lazy", width: across * state.side, height: Math.ceil(shown / across) * state.side, alt: `particles ${start + 1} to ${start + shown}` });
    image.src = address(config, "/particles/picture", { ...query(), start, count: shown, across, side: state.side, lowpass: state.lowpass || "" });
    const box = el("div", { className: "vg-sheet" }, image), here = el("i", { className: "vg-mark here", hidden: true });
    box.append(here);
    if (!facts.block || !config.writable) return box;
    let rows = null, at = 0;
    const load = async () => { rows = rows || (await json(address(config, "/table/rows", { ...query(), start, count: shown }))).rows.map(one => one.row); };
    const mark = () => {
      box.querySelectorAll(".vg-mark:not(.here)").forEach(one => one.remove());
      rows.forEach((row, k) => { if (state.chosen.has(row)) box.append(placed(el("i", { className: "vg-mark" }), k, across)); });
    };
    const choose = async (which, range) => {
      await load();
      const from = range && state.last?.box === box ? state.last.at : which, on = range || !state.chosen.has(rows[which]);
      for (let k = Math.min(from, which); k <= Math.max(from, which); k++) on ? state.chosen.add(rows[k]) : state.chosen.delete(rows[k]);
      state.last = { box, at: which };
      mark();
      count();
    };
    const step = by => () => { at = Math.max(0, Math.min(shown - 1, at + by)); here.hidden = false; placed(here, at, across); };
    box.addEventListener("click", event => {
      const area = box.getBoundingClientRect(), which = Math.floor((event.clientY - area.top) / state.side) * across + Math.floor((event.clientX - area.left) / state.side);
      if (which >= 0 && which < shown) choose(at = which, event.shiftKey);
    });
    const pick = event => choose(at, event.shiftKey);
    keys(box, { ArrowLeft: step(-1), ArrowRight: step(1), ArrowUp: step(-across), ArrowDown: step(across), Enter: pick, " ": pick, Escape: () => { here.hidden = true; } });
    if (state.chosen.size) load().then(mark, say.fail);
    return box;
  }

  function placed(one, at, across) {
    Object.assign(one.style, { left: at % across * state.side + "px", top: Math.floor(at / across) * state.side + "px", width: state.side + "px", height: state.side + "px" });
    return one;
  }

  const filter = { column: "", low: "", high: "" };
  const narrowed = () => {
    state.where = [...(config.where || [])];
    if (filter.column && (filter.low !== "" || filter.high !== ""))
      state.where.push({ column: filter.column, ...(filter.low !== "" && { low: Number(filter.low) }), ...(filter.high !== "" && { high: Number(filter.high) }) });
    state.chapter = 0;
    redraw();
  };
  const columns = [["", "–"], ...numbers.map(one => [one, one.replace(/^rln/, "")])];
  const subset = async body => {
    try { made(say, config, (await post(config.data + "/table/subset", { file: config.file, block: facts.block, ...body })).job); } catch (error) { say.fail(error); }
  };
  const ofChosen = [button("Subset of the chosen", () => subset({ rows: [...state.chosen] }), "A Select job with the particles that you clicked.", "main"),
    button("Subset without them", () => subset({ rows: [...state.chosen], without: true }), "A Select job with all particles but those that you clicked.")];
  const ofShown = button("Subset of all shown", () => subset({ where: state.where }), "A Select job with the particles of this range.", "main");
  page.append(el("div", { className: "vg-bar" },
    facts.block && choice("Sort by", columns, "", value => { state.sort = value; redraw(); }),
    facts.block && choice("Order", [["", "rising"], ["down", "falling"]], "", value => { state.down = Boolean(value); redraw(); }),
    slider("Size", { low: 48, high: 224, step: 16, value: 96, unit: "px" }, value => { state.side = value; soon(); }),
    slider("Low-pass", { low: 0, high: 40, step: 1, value: 0, unit: "Å", help: "Blur away detail finer than this. 0: not." }, value => { state.lowpass = value; soon(); }),
    facts.block && choice("Only where", columns, "", value => { filter.column = value; narrowed(); }),
    facts.block && entry("from", { size: 7 }, value => { filter.low = value; narrowed(); }),
    facts.block && entry("to", { size: 7 }, value => { filter.high = value; narrowed(); }),
    ...(facts.block && config.writable ? [...ofChosen, ofShown] : []),
    el("a", { href: address(config, "/download", { file: config.file }), textContent: config.file.endsWith(".star") ? "Download STAR" : "Download MRC", className: "vg-link" }),
    told, pager), sheets);
  redraw();
  window.addEventListener("resize", later(() => { if (sheets.isConnected) redraw(); }, 300));
}
