/* Charts: drawn when the page is there and idle, one after another; those near the reader first. */
const views = [];
const controls = document.querySelector("[data-controls]");
const chosen = { only: "" };

const show = (view) => {
  const values = controls ? [...new FormData(controls)] : [];
  for (const [name, value] of [...values, ...Object.entries(chosen)]) {
    if (name in view.getState().signals) view.signal(name, value);
  }
  return view;
};
const showAll = () => views.forEach((view) => show(view).runAsync());

const draw = async (place) => {
  const label = place.getAttribute("aria-label");
  const { view } = await vegaEmbed(place, read("specs")[place.dataset.chart], {
    mode: "vega-lite",
    renderer: "svg",
    actions: false,
    ast: true,
    defaultStyle: false,
    tooltip: { theme: "custom" },
  });
  place.querySelector("svg").setAttribute("aria-hidden", "true");
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", label);
  views.push(view);
  await show(view).runAsync();
};

/* The library is text until then: the policy lets it run by its hash. */
const drawAll = async () => {
  const waiting = new Set(document.querySelectorAll("[data-chart]"));
  if (waiting.size) {
    document.head.append(element("script", { textContent: document.getElementById("library").textContent }));
  }
  const far = (place) => Math.abs(place.getBoundingClientRect().top - innerHeight / 2);
  while (waiting.size) {
    const [first] = [...waiting].sort((a, b) => far(a) - far(b));
    waiting.delete(first);
    await draw(first);
    await idle();
  }
  document.documentElement.dataset.drawn = "true";
};

const idle = () => new Promise((done) => {
  if (window.requestIdleCallback) requestIdleCallback(done, { timeout: 500 });
  else setTimeout(done, 30);
});

controls?.addEventListener("change", showAll);
document.addEventListener("click", (event) => {
  const entry = event.target.closest("[data-only]");
  if (!entry) return;
  chosen.only = entry.getAttribute("aria-pressed") === "true" ? "" : entry.dataset.only;
  for (const each of document.querySelectorAll("[data-only]")) {
    each.setAttribute("aria-pressed", String(each.dataset.only === chosen.only));
  }
  showAll();
});

const begin = () => setTimeout(() => idle().then(drawAll), 50);
if (document.readyState === "complete") begin();
else addEventListener("load", begin);
