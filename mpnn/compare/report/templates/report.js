// Click a column's head to sort; cells without a value stay last.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
    const sign = head.ariaSort === "descending" ? 1 : -1;
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.ariaSort = sign < 0 ? "descending" : "ascending";
    const body = table.tBodies[0];
    const value = row => row.cells[column].dataset.value;
    const compare = (a, b) => column === 0
      ? sign * a.cells[0].textContent.localeCompare(b.cells[0].textContent, "en", { numeric: true })
      : value(a) === undefined ? (value(b) === undefined ? 0 : 1)
      : value(b) === undefined ? -1 : sign * (value(a) - value(b));
    body.append(...[...body.rows].sort(compare));
  }));
}
