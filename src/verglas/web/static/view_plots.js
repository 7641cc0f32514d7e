// Curves, views and classes of a job, drawn by the server as in its report.
import { address, el, get, notice } from "./view_kit.js";

export async function mount(root, config) {
  root.classList.add("vg");
  const say = notice(), page = el("div", { textContent: "Drawing …" });
  root.replaceChildren(say, page);
  try {
    page.innerHTML = await (await get(address(config, "/plots", { file: config.file }))).text();
  } catch (error) { page.replaceChildren(); say.fail(error); }
}
