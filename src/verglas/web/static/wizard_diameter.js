// A diameter as a circle on class averages, particles or projections of the reference.
import { area, bitmap, button, el, field, fact, frame, look, newest, number, plain, scaleBar } from "./wizard_kit.js";
import { choice } from "./view_kit.js";

const RING = "#39d2a0";

export async function mount(root, config) {
  const one = config.fields[0], canvas = el("canvas", { tabIndex: 0, ariaLabel: "The circle on an image: drag to change it, arrow keys for other images" });
  const page = frame(root, config, () => ({ [one.name]: plain(size.value) }));
  const strip = el("div", { className: "wizard-strip" }), told = el("span", { className: "vg-note name" });
  const given = Number(config.params[one.name]) || 0;
  const size = field(one, { low: 10, high: 500, step: 1, value: given || 100 }, () => draw());
  const facts = el("dl", { className: "wizard-facts" }), warn = el("div", { className: "vg-notice bad", hidden: true });
  const start = button("", () => { size.set(found.suggested); draw(); }, "A little wider than what stands out of the background in these images.");
  let found = null, pictures = [], at = 0;

  page.stage.append(el("div", { className: "wizard-line" }, button("‹", () => show(at - 1), "Previous image"),
    button("›", () => show(at + 1), "Next image"), told), el("div", { className: "wizard-canvas" }, canvas), strip);
  page.panel.append(size, start, warn, facts);

  const load = newest(async source => {
    const answer = await look(page, {}, { source: source || "" });
    if (!answer) return;
    const fresh = found === null;
    found = answer;
    pictures = await Promise.all(found.images.map(bitmap));
    size.bounds(5, Math.ceil(found.width), 1);
    if (fresh && !given) size.set(found.suggested);
    if (fresh && found.sources.length > 1) page.panel.prepend(choice("Show", found.sources, found.source, load, "On what the circle is drawn."));
    start.textContent = `Suggested: ${number(found.suggested)} Å`;
    facts.replaceChildren(...fact([["particle looks", `${number(Math.round(found.visible))} Å wide`], ["image", `${number(Math.round(found.width))} Å wide`],
      ["box", `${found.box} px of ${number(found.pixel)} Å`]]));
    strip.replaceChildren(...found.images.map((image, k) => {
      const tile = el("button", { type: "button", title: found.words[k] }, el("img", { src: image, alt: found.words[k] }));
      tile.addEventListener("click", () => show(k));
      return tile;
    }));
    show(0);
  });

  function show(which) {
    at = Math.max(0, Math.min(pictures.length - 1, which));
    [...strip.children].forEach((tile, k) => tile.setAttribute("aria-pressed", k === at));
    strip.children[at]?.scrollIntoView({ block: "nearest", inline: "nearest" });
    told.textContent = found ? `${at + 1} of ${pictures.length}: ${found.words[at]}` : "";
    draw();
  }

  function draw() {
    const [pen, width, height] = area(canvas);
    if (!found || !pictures[at]) return;
    const side = Math.min(width, height) - 8;
    if (side < 40) return; // the dialog is being closed
    const left = (width - side) / 2, top = (height - side) / 2, scale = side / found.width;
    const middle = (Math.floor(found.box / 2) + 0.5) / found.box * side, radius = size.value / 2 * scale;
    pen.imageSmoothingEnabled = side / pictures[at].width < 4;
    pen.drawImage(pictures[at], left, top, side, side);
    pen.save();
    pen.beginPath(); pen.rect(left, top, side, side); pen.clip();
    pen.beginPath(); pen.rect(left, top, side, side); pen.moveTo(left + middle + radius, top + middle); pen.arc(left + middle, top + middle, radius, 0, 2 * Math.PI, true);
    pen.fillStyle = "rgba(6, 12, 16, .45)"; pen.fill("evenodd");
    pen.beginPath(); pen.arc(left + middle, top + middle, radius, 0, 7);
    pen.strokeStyle = RING; pen.lineWidth = 2; pen.stroke();
    pen.restore();
    scaleBar(pen, height, scale, side / 3);
    warn.hidden = true;
    const tell = text => { warn.hidden = false; warn.textContent = text; };
    if (size.value > found.width) tell("The circle is wider than the images.");
    else if (size.value < found.visible) tell("The circle cuts into the particle.");
    else if (size.value > 0.97 * found.width) tell("Hardly any background is left in the corners of the images.");
  }

  const pull = event => {
    const box = canvas.getBoundingClientRect(), side = Math.min(box.width, box.height) - 8;
    const dx = event.clientX - box.left - box.width / 2, dy = event.clientY - box.top - box.height / 2;
    size.set(Math.round(Math.max(5, Math.min(found.width, 2 * Math.hypot(dx, dy) / side * found.width))));
    draw();
  };
  canvas.style.cursor = "ew-resize";
  canvas.addEventListener("pointerdown", event => { if (found) { canvas.setPointerCapture(event.pointerId); pull(event); } });
  canvas.addEventListener("pointermove", event => { if (found && event.buttons) pull(event); });
  canvas.addEventListener("keydown", event => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) { event.preventDefault(); show(at + step); }
  });
  new ResizeObserver(draw).observe(canvas.parentElement);
  await load("");
}
