"use strict";
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
// Switch a method off and on, in all figures and tables.
for (const chip of document.querySelectorAll(".chip")) {
  chip.addEventListener("click", () => {
    const shown = chip.getAttribute("aria-pressed") !== "true";
    for (const part of document.querySelectorAll(`[data-series="${chip.dataset.series}"]`)) {
      part.classList.toggle("off", !shown);
      if (part.matches(".chip")) part.setAttribute("aria-pressed", shown);
    }
  });
}
// Say the numbers of the point under the mouse or the finger.
const tip = document.getElementById("tip");
const said = mark => {
  const group = mark.matches?.("use") && mark.closest("[data-tips]");
  return group ? group.dataset.tips.split("\n")[[...group.querySelectorAll("use")].indexOf(mark)] : undefined;
};
for (const kind of ["pointerover", "pointerdown"]) {
  document.addEventListener(kind, event => {
    const text = said(event.target);
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    const place = event.target.getBoundingClientRect();
    const left = place.left + place.width / 2 - tip.offsetWidth / 2;
    tip.style.left = `${Math.max(8, Math.min(left, document.documentElement.clientWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${place.top > tip.offsetHeight + 8 ? place.top - tip.offsetHeight - 4 : place.bottom + 4}px`;
  });
}
addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
