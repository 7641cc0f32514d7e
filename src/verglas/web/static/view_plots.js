// Curves, views and classes of a job, drawn by the server as in its report; again and again while the job runs.
import { address, button, el, get, keep, notice } from "./view_kit.js";

const PAUSE = 5000; // ms between two looks at a job that runs
const VARIABLES = ["--paper", "--card", "--ink", "--muted", "--grid", "--line", "--accent", "--s1", "--s2", "--s3", "--s4", "--s5", "--s6", "--s7"];

export async function mount(root, config) {
  root.classList.add("vg");
  const say = notice(), page = el("div", { className: "vg-report" }), inside = el("div", { textContent: "Drawing …" }), live = el("div", { className: "vg-note", hidden: true, textContent: "The job is running: this page follows it." });
  page.attachShadow({ mode: "open" }).append(el("link", { rel: "stylesheet", href: address(config, "/plots/style") }), inside); // the report's own style, for it alone
  root.replaceChildren(say, live, page);
  let shown = "";
  const look = async () => {
    if (shown && !root.isConnected) return;
    try {
      const answer = await get(address(config, "/plots", { file: config.file })), text = await answer.text();
      live.hidden = answer.headers.get("X-Live") !== "1";
      if (text !== shown) inside.replaceChildren(...drawn(text));
      shown = text;
      say.clear();
      if (!live.hidden) setTimeout(look, PAUSE);
    } catch (error) { inside.replaceChildren(); say.fail(error); }
  };
  await look();
}

// The sections of the answer without anything that could act; each plot can be kept as a picture.
function drawn(text) {
  const parts = new DOMParser().parseFromString(text, "text/html").body;
  parts.querySelectorAll("script, iframe, object, embed, link, style, form").forEach(one => one.remove());
  for (const one of parts.querySelectorAll("*")) for (const { name, value } of [...one.attributes])
    if (/^on/i.test(name) || /^\s*javascript:/i.test(value)) one.removeAttribute(name);
  for (const card of parts.querySelectorAll(".card")) {
    const svg = card.querySelector(".plot svg"), title = card.querySelector("h3");
    if (!svg || !title) continue;
    const words = title.textContent, png = button("PNG", () => picture(svg, words), "Keep this plot as a picture.");
    png.part = "png";
    title.append(png);
  }
  return [...document.adoptNode(parts).childNodes];
}

function picture(svg, title) {
  const copy = svg.cloneNode(true), { width, height } = svg.viewBox.baseVal, style = getComputedStyle(svg);
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  VARIABLES.forEach(name => copy.style.setProperty(name, style.getPropertyValue(name)));
  Object.assign(copy.style, { fontFamily: style.fontFamily, fontSize: "12px", background: style.getPropertyValue("--card") });
  const image = new Image();
  image.onload = () => {
    const canvas = el("canvas", { width: 2 * width, height: 2 * height });
    canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
    keep(canvas, `${title.replace(/\W+/g, "_")}.png`);
  };
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(new XMLSerializer().serializeToString(copy));
}
