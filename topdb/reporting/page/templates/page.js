"use strict";

/* Tables: sorting stays within a block; a third press brings the original order back. */
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const original = new Map([...table.tBodies].map((body) => [body, [...body.rows]]));
  const heads = [...table.querySelectorAll("th[data-column]")];
  const next = { none: "descending", descending: "ascending", ascending: "none" };

  const key = (row, column) => {
    const cell = row.cells[column];
    return column === 0 ? cell.textContent.trim() : Number(cell.dataset.value ?? NaN);
  };
  const compare = (a, b) => (typeof a === "string" ? b.localeCompare(a) : a - b);

  const sort = (column, order) => {
    for (const [body, rows] of original) {
      const [title, ...lines] = rows;
      if (order !== "none") {
        const sign = order === "ascending" ? 1 : -1;
        lines.sort((first, second) => {
          const [a, b] = [key(first, column), key(second, column)];
          if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
          return sign * compare(a, b);
        });
      }
      body.append(title, ...lines);
    }
  };

  for (const head of heads) {
    head.querySelector("button").addEventListener("click", () => {
      const order = next[head.getAttribute("aria-sort")];
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", order);
      sort(Number(head.dataset.column), order);
    });
  }
}

/* Cells: the browser itself keeps the focus inside a dialog, and gives it back. */
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener) document.getElementById(opener.dataset.dialog).showModal();
  if (event.target.closest("[data-close]") || event.target.matches("dialog")) {
    event.target.closest("dialog").close();
  }
});

/* Paper shows everything. */
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("main details:not([open])")];
  for (const each of closed) each.open = true;
});
addEventListener("afterprint", () => {
  for (const each of closed) each.open = false;
});

/* Charts: drawn one after another, so that the page answers meanwhile. */
const views = [];
const controls = document.querySelector("[data-controls]");

const show = (view) => {
  if (!controls) return view;
  for (const [name, value] of new FormData(controls)) {
    if (name in view.getState().signals) view.signal(name, value);
  }
  return view;
};

const draw = async () => {
  const specs = JSON.parse(document.getElementById("specs").textContent);
  for (const place of document.querySelectorAll("[data-chart]")) {
    const { view } = await vegaEmbed(place, specs[place.dataset.chart], {
      mode: "vega-lite",
      renderer: "svg",
      actions: false,
      ast: true,
      defaultStyle: false,
      tooltip: { theme: "custom" },
    });
    const picture = place.querySelector("svg");
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", place.dataset.label);
    views.push(view);
    await show(view).runAsync();
  }
  document.documentElement.dataset.drawn = "true";
};

controls?.addEventListener("change", () => {
  for (const view of views) show(view).runAsync();
});
draw();
