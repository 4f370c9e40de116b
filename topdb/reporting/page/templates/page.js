"use strict";

/* What the file keeps for later is read when it is asked for. */
const kept = {};
const read = (id) => (kept[id] ??= JSON.parse(document.getElementById(id)?.textContent ?? "{}"));

const fetchImages = (root) => {
  for (const image of root.querySelectorAll("img[data-image]:not([src])")) {
    image.src = `data:image/webp;base64,${read("images")[image.dataset.image]}`;
  }
};

/* The content was escaped where it was written; it is markup of the page's own. */
const fill = (place) => {
  const found = read("later")[place.dataset.later];
  place.removeAttribute("data-later");
  place.innerHTML = found[1];
  prepare(place);
};

/* Wide tables fade where they go on. */
const fade = (box) => {
  box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
};
const sizes = new ResizeObserver((entries) => entries.forEach((each) => fade(each.target)));

/* One tab stop a table or list; the arrows go on from there. */
const stops = (group) => [...group.querySelectorAll("button")].filter((each) => !each.disabled);

const prepare = (root) => {
  fetchImages(root);
  for (const box of root.querySelectorAll(".scroll")) {
    sizes.observe(box);
    box.addEventListener("scroll", () => fade(box), { passive: true });
  }
  for (const group of root.querySelectorAll("[data-roving]")) {
    stops(group).forEach((each, place) => { each.tabIndex = place ? -1 : 0; });
  }
};

document.addEventListener("focusin", (event) => {
  const group = event.target.closest("[data-roving]");
  if (!group || event.target.tabIndex === 0) return;
  for (const each of stops(group)) each.tabIndex = each === event.target ? 0 : -1;
});

const beside = (own, others, key) => {
  if (key === "ArrowRight" || key === "ArrowLeft") {
    return others[others.indexOf(own) + (key === "ArrowRight" ? 1 : -1)];
  }
  const middle = (each) => {
    const box = each.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };
  const [x, y] = middle(own);
  const sign = key === "ArrowDown" ? 1 : -1;
  const apart = (each) => {
    const [across, down] = middle(each);
    return sign * (down - y) > 8 ? sign * (down - y) * 100 + Math.abs(across - x) : Infinity;
  };
  const nearest = others.reduce((a, b) => (apart(b) < apart(a) ? b : a));
  return apart(nearest) < Infinity ? nearest : undefined;
};

document.addEventListener("keydown", (event) => {
  if (!/^Arrow(Right|Left|Up|Down)$/.test(event.key)) return;
  const own = event.target.closest("button");
  const group = own?.closest("[data-roving]");
  const found = group && beside(own, stops(group), event.key);
  if (group) event.preventDefault();
  found?.focus();
});

/* Dialogs: the browser itself keeps the focus inside, and gives it back. */
const sheet = document.getElementById("sheet");
const open = (title, content) => {
  document.getElementById("sheet-title").textContent = title;
  const body = document.getElementById("sheet-body");
  body.replaceChildren();
  if (typeof content === "string") body.innerHTML = content;
  else body.append(content);
  prepare(body);
  if (!sheet.open) sheet.showModal();
  sheet.scrollTop = 0;
};

const element = (tag, properties, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};

const enlarge = (tile) => {
  const tiles = [...tile.closest("[data-tiles]").querySelectorAll("[data-tile]")];
  const named = (each) => each.querySelector("img")?.alt ?? each.textContent;
  const shown = (each) => {
    const figure = element("figure", {});
    const image = each.querySelector("img");
    if (image) figure.append(element("img", {
        src: image.src, alt: image.alt, width: image.width, height: image.height,
        className: each.className.replace("tile", "").trim(),
      }));
    figure.append(element("figcaption", {}, element("strong", {}, named(each)), element("br", {}), each.title));
    return figure;
  };
  const at = tiles.indexOf(tile);
  const step = (title, by) => element("button", {
    type: "button", className: "plain", textContent: title, disabled: !tiles[at + by],
    onclick: () => {
      enlarge(tiles[at + by]);
      const [back, on] = sheet.querySelectorAll(".steps button");
      const next = by < 0 ? back : on;
      (next.disabled ? sheet.querySelector("[data-close]") : next).focus();
    },
  });
  const pair = element("div", { className: "enlarged" }, shown(tiles[0]));
  if (at) pair.append(shown(tile));
  const steps = element("p", { className: "steps" }, step("‹ Before", -1), step("Next ›", 1));
  const head = tile.closest("[data-tiles]").querySelector(".list-title strong").textContent;
  open(`${head}: ${named(tile).toLowerCase()}`, element("div", {}, pair, steps));
};

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) open(...read("later")[opener.dataset.open]);
  const tile = event.target.closest("[data-tile]");
  if (tile) enlarge(tile);
  const unfolded = event.target.closest("[data-unfold]");
  if (unfolded) document.getElementById(unfolded.dataset.unfold).open = true;
  if (event.target.closest("[data-close]") || event.target === sheet) sheet.close();
});

/* Tables: sorting stays within a block; a third press brings the original order back. */
const next = { none: "descending", descending: "ascending", ascending: "none" };
const originals = new WeakMap();

const key = (row, column) => {
  const cell = row.cells[column];
  return column === 0 ? cell.textContent.trim() : Number(cell.dataset.value ?? NaN);
};
const compare = (a, b) => (typeof a === "string" ? b.localeCompare(a) : a - b);

const sort = (body, column, order) => {
  if (!originals.has(body)) originals.set(body, [...body.rows]);
  const [title, ...lines] = originals.get(body);
  if (order !== "none") {
    const sign = order === "ascending" ? 1 : -1;
    lines.sort((first, second) => {
      const [a, b] = [key(first, column), key(second, column)];
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
      return sign * compare(a, b);
    });
  }
  body.append(title, ...lines);
};

document.addEventListener("click", (event) => {
  const head = event.target.closest(".sort")?.closest("th");
  if (!head) return;
  const table = head.closest("table");
  const order = next[head.getAttribute("aria-sort")];
  for (const other of table.querySelectorAll("th[data-column]")) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", order);
  for (const body of table.tBodies) sort(body, Number(head.dataset.column), order);
});

/* What is folded is filled when it unfolds, or comes near; paper shows everything. */
document.addEventListener("toggle", (event) => {
  if (!event.target.open || event.target.querySelector(":scope > [data-soon]")) return;
  event.target.querySelectorAll(":scope > [data-later]").forEach(fill);
}, true);

const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    target.removeAttribute("data-soon");
    if (target.dataset.later) fill(target);
  }
}, { rootMargin: "600px" });
document.querySelectorAll("[data-soon]").forEach((each) => near.observe(each));

let closed = [];
addEventListener("beforeprint", () => {
  document.querySelectorAll("main [data-later]").forEach(fill);
  closed = [...document.querySelectorAll("main details:not([open])")];
  for (const each of closed) each.open = true;
});
addEventListener("afterprint", () => {
  for (const each of closed) each.open = false;
});

prepare(document);
