"use strict";
(() => {
  const DIMENSIONS = ["variant", "suite", "task", "verdict"];
  const NARROW = 480;
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const root = document.documentElement;

  /* Charts: drawn when they come into sight, the others while nothing else is to do. */
  const specifications = JSON.parse(document.getElementById("charts").textContent);
  const plots = new Map(all(".plot").map((plot) => [plot.dataset.figure, { plot }]));
  const tip = document.getElementById("tip");

  function tell(handler, event, item, value) {
    tip.replaceChildren();
    if (value === null || value === undefined || typeof value !== "object") {
      tip.hidden = true;
      return;
    }
    for (const [name, text] of Object.entries(value)) {
      const line = document.createElement("div");
      if (name === "variant") {
        const strong = document.createElement("b");
        strong.textContent = text;
        line.append(strong);
      } else {
        line.textContent = name ? `${name}: ${text}` : text;
      }
      tip.append(line);
    }
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    const left = Math.min(event.clientX + 14, window.innerWidth - width - 8);
    const above = event.clientY + height + 24 > window.innerHeight;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${above ? event.clientY - height - 12 : event.clientY + 16}px`;
  }

  /* On a phone, labels side by side would run into each other. */
  function narrowed(specification) {
    Object.assign(specification.config.legend, { columns: 2, labelLimit: 110 });
    specification.config.axis.labelLimit = 90;
    for (const axis of specification.axes.filter((each) => each.orient === "top")) {
      Object.assign(axis, { labelAngle: -60, labelAlign: "left", labelBaseline: "middle" });
    }
  }

  function draw(name) {
    const entry = plots.get(name);
    if (entry === undefined || entry.view !== undefined) return;
    const specification = specifications[name];
    entry.rows = specification.data.find((data) => data.name === "rows").values;
    if (entry.plot.clientWidth < NARROW) narrowed(specification);
    specification.description = entry.plot.getAttribute("aria-label") ?? "";
    try {
      entry.view = new vega.View(vega.parse(specification), {
        renderer: "svg", container: entry.plot, hover: true, tooltip: tell,
      });
      if (filtering()) entry.view.data("rows", entry.rows.filter(fits));
      entry.view.run();
      entry.plot.dataset.drawn = "";
    } catch (problem) {
      entry.view = null;
      entry.plot.textContent = `This chart could not be drawn (${problem.message}); its numbers are below.`;
      console.error(name, problem);
    }
  }

  const seen = new IntersectionObserver(
    (entries) => entries.filter((e) => e.isIntersecting).forEach((e) => {
      seen.unobserve(e.target);
      draw(e.target.dataset.figure);
    }),
    { rootMargin: "400px" },
  );
  const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 30));

  function drawNext() {
    const next = [...plots].find(([, entry]) => entry.view === undefined);
    if (next === undefined) {
      root.dataset.drawn = "";
      performance.mark("drawn");
      return;
    }
    draw(next[0]);
    idle(drawNext);
  }

  /* Filters: what has a property that is not chosen is hidden; what lacks the property stays. */
  const chosen = Object.fromEntries(DIMENSIONS.map((name) => [name, new Set()]));
  const filtering = () => DIMENSIONS.some((name) => chosen[name].size);

  function fits(properties) {
    return DIMENSIONS.every((name) => {
      const value = properties[name];
      return !chosen[name].size || value === undefined || value === null || chosen[name].has(value);
    });
  }

  const filtered = all(DIMENSIONS.map((name) => `main [data-${name}]`).join(","));
  const rows = all("#all tbody tr");
  const shown = document.querySelector(".shown");
  const clear = document.querySelector(".clear");
  const filters = document.getElementById("filters");

  function applyFilters() {
    for (const element of filtered) {
      if (!element.dataset.filter) element.hidden = !fits(element.dataset);
    }
    for (const question of all("#questions > .question")) {
      question.hidden = !question.querySelector(".output:not([hidden])");
    }
    for (const group of all(".findings")) {
      group.hidden = !group.querySelector(".finding:not([hidden])");
    }
    for (const note of all(".nothing-left")) {
      const place = note.previousElementSibling;
      note.hidden = Boolean(place.querySelector("tbody tr:not([hidden]), .output:not([hidden])"));
    }
    for (const button of all("button[data-filter]")) {
      const { filter, value } = button.dataset;
      button.setAttribute("aria-pressed", String(chosen[filter].has(value)));
    }
    for (const entry of plots.values()) {
      if (entry.view) entry.view.data("rows", entry.rows.filter(fits)).resize().run();
    }
    const count = rows.filter((row) => !row.hidden).length;
    const every = rows.length === 1 ? "1 case" : `${rows.length} cases`;
    shown.textContent = filtering() ? `${count} of ${every}` : every;
    clear.hidden = !filtering();
    filters.classList.toggle("active", filtering());
  }

  /* On paper: all of it, whatever was chosen, and nothing folded away that was found. */
  let afterwards = null;
  window.addEventListener("beforeprint", () => {
    [...plots.keys()].forEach(draw);
    const folded = all("details.more:not([open])");
    const kept = DIMENSIONS.map((name) => [name, [...chosen[name]]]);
    folded.forEach((each) => { each.open = true; });
    DIMENSIONS.forEach((name) => chosen[name].clear());
    applyFilters();
    afterwards = () => {
      folded.forEach((each) => { each.open = false; });
      kept.forEach(([name, values]) => values.forEach((value) => chosen[name].add(value)));
      applyFilters();
    };
  });
  window.addEventListener("afterprint", () => {
    afterwards?.();
    afterwards = null;
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.filter) {
      const values = chosen[button.dataset.filter];
      const { value } = button.dataset;
      if (!values.delete(value)) values.add(value);
      applyFilters();
      writeAddress();
    } else if (button?.classList.contains("clear")) {
      DIMENSIONS.forEach((name) => chosen[name].clear());
      applyFilters();
      writeAddress();
      filters.querySelector("summary").focus();  // the button is gone
    } else if (button?.dataset.open || button?.dataset.close) {
      const place = document.getElementById(button.dataset.open ?? button.dataset.close);
      all(":scope > details", place).forEach((each) => { each.open = Boolean(button.dataset.open); });
    } else if (button?.classList.contains("theme")) {
      nextTheme(button);
    } else if (filters.open && !event.target.closest("#filters")) {
      filters.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && filters.open) {
      filters.open = false;
      filters.querySelector("summary").focus();
    }
  });

  /* The address: #place?variant=a&variant=b. A link to it shows the same. */
  function address() {
    const [place, query] = location.hash.slice(1).split(/\?(.*)/s, 2);
    return { place, query: new URLSearchParams(query ?? "") };
  }

  function writeAddress() {
    const query = new URLSearchParams();
    DIMENSIONS.forEach((name) => chosen[name].forEach((value) => query.append(name, value)));
    const written = query.toString();
    const { place } = address();
    history.replaceState(null, "", `#${place}${written ? `?${written}` : ""}`);
  }

  function go(place) {
    const target = document.getElementById(place) ?? document.getElementById(safely(place));
    if (target === null) return;
    if (target.closest("[hidden]")) {
      DIMENSIONS.forEach((name) => chosen[name].clear());
      applyFilters();
    }
    for (let each = target.closest("details"); each; each = each.parentElement.closest("details")) {
      each.open = true;
    }
    all(".target").forEach((each) => each.classList.remove("target"));
    target.classList.add("target");
    target.scrollIntoView();
    if (target.matches("[tabindex]")) target.focus({ preventScroll: true });
  }

  function safely(text) {
    try { return decodeURIComponent(text); } catch { return text; }
  }

  function readAddress() {
    const { place, query } = address();
    if (location.hash.includes("?")) {
      DIMENSIONS.forEach((name) => { chosen[name] = new Set(query.getAll(name)); });
      applyFilters();
    }
    if (place) go(place);
  }
  window.addEventListener("hashchange", () => {
    readAddress();
    if (filtering() && !location.hash.includes("?")) writeAddress();
  });

  /* Colours. */
  const themes = { "": "as the system has them", light: "light", dark: "dark" };
  function nextTheme(button) {
    const names = Object.keys(themes);
    const next = names[(names.indexOf(root.dataset.theme ?? "") + 1) % names.length];
    if (next) root.dataset.theme = next; else delete root.dataset.theme;
    button.setAttribute("aria-label", `Colours: ${themes[next]}`);
    button.textContent = { "": "◐", light: "○", dark: "●" }[next];
  }

  /* Sorting. */
  for (const heading of all("#all thead th")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      all("#all thead th").forEach((each) => each.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(heading.cellIndex, heading.dataset.column === "word", down ? -1 : 1);
    });
  }

  function sort(column, words, direction) {
    const key = (row) => {
      const cell = row.cells[column];
      if (words) return cell.textContent;
      return cell.dataset.sort === undefined ? null : Number(cell.dataset.sort);
    };
    const keyed = rows.map((row) => [key(row), row]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return Number(a === null) - Number(b === null);
      return direction * (words ? a.localeCompare(b, "en", { numeric: true }) : a - b);
    });
    document.querySelector("#all tbody").append(...keyed.map(([, row]) => row));
  }

  /* Where one is. */
  const links = new Map(all("nav a").map((link) => [link.hash.slice(1), link]));
  const place = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((e) => e.isIntersecting)) {
      links.forEach((link) => link.removeAttribute("aria-current"));
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-20% 0px -75% 0px" });
  all("main > section").forEach((section) => place.observe(section));

  applyFilters();
  readAddress();
  plots.forEach((entry) => seen.observe(entry.plot));
  idle(drawNext);
  root.dataset.ready = "";
  performance.mark("ready");
})();
