// The averages of a classification: sorted, chosen, with their particles, and subsets of them.
import { address, button, choice, el, json, made, notice, number, post, slider } from "./view_kit.js";

const SIDE = 128, ACROSS = 10;

export async function mount(root, config) {
  root.classList.add("vg");
  const say = notice(), page = el("div");
  root.replaceChildren(say, page);
  try {
    const found = await json(address(config, "/classes", { file: config.file }));
    gallery(page, config, say, found);
  } catch (error) { say.fail(error); }
}

const ORDERS = {
  share: ["size", (a, b) => b.share - a.share],
  resolution: ["resolution", (a, b) => (a.resolution ?? 1e9) - (b.resolution ?? 1e9)],
  score: ["score", (a, b) => (b.score ?? -1) - (a.score ?? -1)],
  number: ["number", (a, b) => a.number - b.number],
};

function gallery(page, config, say, found) {
  const chosen = new Set(), tiles = el("div", { className: "vg-tiles" }), told = el("span", { className: "vg-note" }), below = el("div");
  const sheet = address(config, "/classes/picture", { file: config.file, across: ACROSS, side: SIDE }), picture = `url("${sheet}")`;
  const rows = Math.ceil(found.total / ACROSS), scored = found.classes.some(one => one.score !== null);
  let order = scored ? "score" : "share", size = 112, empty = false, last = null, listed = [];
  const all = found.classes.reduce((sum, one) => sum + Math.max(0, one.members), 0);

  function tile(one, place) {
    const image = el("div", { className: "vg-tile-image" });
    Object.assign(image.style, { width: size + "px", height: size + "px", backgroundImage: picture, backgroundSize: `${ACROSS * size}px ${rows * size}px`,
      backgroundPosition: `${-(place % ACROSS) * size}px ${-Math.floor(place / ACROSS) * size}px` });
    const text = [`${one.members >= 0 ? number(one.members) : (100 * one.share).toFixed(1) + " %"}`, one.resolution ? `${number(one.resolution, 3)} Å` : "–"];
    if (one.score !== null) text.push(one.score.toFixed(2));
    const box = el("button", { type: "button", className: "vg-tile", title: `Class ${one.number}: ${(100 * one.share).toFixed(2)} % of the particles`, ariaLabel: `class ${one.number}, ${text.join(", ")}` },
      image, el("span", { className: "vg-tile-number", textContent: one.number }), el("span", { textContent: text.join(" · ") }));
    box.style.width = size + 8 + "px";
    box.setAttribute("aria-pressed", chosen.has(one.number));
    box.addEventListener("click", event => choose(one.number, event.shiftKey));
    return box;
  }

  // With Shift, all tiles from the last click to this one.
  function choose(which, range) {
    const from = range && listed.includes(last) ? listed.indexOf(last) : listed.indexOf(which), to = listed.indexOf(which);
    const on = range ? true : !chosen.has(which);
    for (const one of listed.slice(Math.min(from, to), Math.max(from, to) + 1)) on ? chosen.add(one) : chosen.delete(one);
    last = which;
    listed.forEach((one, k) => tiles.children[k].setAttribute("aria-pressed", chosen.has(one)));
    count();
  }

  function count() {
    const members = found.classes.filter(one => chosen.has(one.number)).reduce((sum, one) => sum + Math.max(0, one.members), 0);
    told.textContent = (found.total === 1 ? "1 class" : `${found.total} classes`) + (chosen.size ? `; ${chosen.size} chosen with ${number(members)} of ${number(all)} particles` : "; click to choose, with Shift a row of them") + `. Below each: particles, resolution${scored ? ", score" : ""}.`;
  }

  function draw() {
    const shown = found.classes.map((one, place) => [one, place]).filter(([one]) => !empty || one.members !== 0).sort((a, b) => ORDERS[order][1](a[0], b[0]));
    listed = shown.map(([one]) => one.number);
    tiles.replaceChildren(...shown.map(([one, place]) => tile(one, place)));
    count();
  }

  const subset = async () => {
    try {
      if (!chosen.size) throw new Error("No class is chosen.\n-> click on the classes to keep");
      made(say, config, (await post(config.data + "/classes/subset", { file: found.particles, model: found.model, classes: [...chosen] })).job);
    } catch (error) { say.fail(error); }
  };
  const see = async () => {
    const which = [...chosen].sort((a, b) => a - b);
    if (!which.length) { say.fail(new Error("No class is chosen.\n-> click on the classes whose particles you want to see")); return; }
    say.clear();
    const title = el("h3", { textContent: `Particles of class ${which.join(", ")}` }), inside = el("div");
    below.replaceChildren(title, inside);
    await (await import("./view_particles.js")).mount(inside, { ...config, file: found.particles, where: [{ column: "rlnClassNumber", values: which }] });
    title.scrollIntoView({ behavior: "smooth" });
  };
  const pick = test => () => { chosen.clear(); found.classes.filter(test).forEach(one => chosen.add(one.number)); draw(); };
  page.append(el("div", { className: "vg-bar" },
    choice("Sort by", Object.entries(ORDERS).filter(([key]) => key !== "score" || scored).map(([key, [text]]) => [key, text]), order, value => { order = value; draw(); }),
    slider("Size", { low: 64, high: 224, step: 16, value: size, unit: "px" }, value => { size = value; draw(); }),
    button("Choose all", pick(one => one.members !== 0)), button("None", pick(() => false)),
    button("Invert", () => pick((now => one => !now.has(one.number))(new Set(chosen)))()),
    found.particles ? button("See the particles", see, "The particles of the chosen classes.") : null,
    found.particles && config.writable ? button("Make a subset", subset, "A Select job with the particles of the chosen classes and the list of their averages.", "main") : null,
    found.stack ? el("a", { href: address(config, "/download", { file: found.stack }), textContent: "Averages (MRC)", className: "vg-link" }) : null,
    el("a", { href: sheet, download: "classes.png", textContent: "PNG", className: "vg-link", title: "All averages by number, as a picture." }), told), tiles, below);
  draw();
}
