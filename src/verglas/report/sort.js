// Sorts a table by the column whose head is clicked: by number where cells begin with one, else by text; empty cells stay last.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  const sort = (head, column) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    const keyed = [...body.rows].map(row => {
      const text = row.cells[column] ? row.cells[column].textContent : "";
      return [text === "", parseFloat(text), text, row];
    });
    const words = column === 1 || keyed.some(one => !one[0] && Number.isNaN(one[1]));
    const sign = down ? -1 : 1;
    keyed.sort((a, b) => a[0] - b[0] || sign * (words ? a[2].localeCompare(b[2], undefined, {numeric: true}) : a[1] - b[1]));
    for (const one of heads) one.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...keyed.map(one => one[3]));
  };
  heads.forEach((head, column) => {
    head.addEventListener("click", () => sort(head, column));
    head.addEventListener("keydown", event => { if (event.key === "Enter") sort(head, column); });
  });
}
