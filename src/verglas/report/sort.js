// Sorts a table by the column whose head is clicked: by number where cells begin with one, else by text; empty cells stay last.
// Only the first rows are laid out, more as the reader scrolls: ten thousand at once would take seconds.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0], all = [...body.rows], STEP = 400;
  let shown = 0;
  const show = count => { body.replaceChildren(...all.slice(0, count)); shown = Math.min(count, all.length); };
  const cells = heads.map(() => null);
  const keys = column => cells[column] ??= new Map(all.map(row => {
    const text = row.cells[column] ? row.cells[column].textContent : "";
    return [row, {text, value: parseFloat(text)}];
  }));
  const sort = (head, column) => {
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1, key = keys(column);
    const words = column === 1 || [...key.values()].some(one => one.text !== "" && Number.isNaN(one.value));
    const order = new Intl.Collator(undefined, {numeric: true});
    all.sort((one, other) => {
      const a = key.get(one), b = key.get(other);
      return (a.text === "") - (b.text === "") || sign * (words ? order.compare(a.text, b.text) : a.value - b.value);
    });
    for (const one of heads) one.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    show(STEP);
    table.parentElement.scrollTop = 0;
  };
  heads.forEach((head, column) => {
    head.addEventListener("click", () => sort(head, column));
    head.addEventListener("keydown", event => { if (event.key === "Enter") sort(head, column); });
  });
  table.parentElement.addEventListener("scroll", event => {
    const box = event.target;
    if (shown < all.length && box.scrollTop + 2 * box.clientHeight > box.scrollHeight) {
      body.append(...all.slice(shown, shown + STEP));
      shown = Math.min(shown + STEP, all.length);
    }
  });
  show(STEP);
}
