"use strict";
// What a browser adds to the page: sorting, filters, columns to hide, copying, a theme, and models that light up in
// every table and figure at once. Without this script all of it is there to be read, as tables and figures.
(() => {
  const root = document.documentElement;
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  const make = (tag, settings = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), settings);
    node.append(...children);
    return node;
  };
  const button = (text, action) => {
    const node = make("button", { type: "button", textContent: text });
    node.addEventListener("click", action);
    return node;
  };
  const status = make("span", { className: "status" });
  status.setAttribute("role", "status");

  // Sorting. Numbers sort as numbers; what has no value stands at the end, whichever way.
  const value = (row, index) => {
    const cell = row.cells[index];
    return cell.tagName === "TH" ? cell.textContent.trim().toLowerCase() : cell.dataset.sort ?? "";
  };
  const compare = (a, b) => {
    const x = Number(a), y = Number(b);
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y;
  };
  const sort = (table, index, heading) => {
    const falling = heading.getAttribute("aria-sort") === "ascending";
    for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].map((row) => [value(row, index), row]);
    rows.sort(([a], [b]) => (a === "") - (b === "") || (falling ? compare(b, a) : compare(a, b)));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };

  // Copying: what is seen, in the order in which it is seen.
  const tidy = (text) => text.replace(/\s+/g, " ").trim();
  const readHead = (cell) => tidy((cell.querySelector("button") ?? cell).textContent);
  const readTable = (table, read) =>
    [...table.rows].filter((row) => !row.hidden && !row.classList.contains("off"))
      .map((row) => [...row.cells].filter((cell) => !cell.hidden).map((cell) => cell.tagName === "TH" ? readHead(cell) : read(cell)));
  const asMarkdown = (table) => {
    const rows = readTable(table, (cell) => tidy(cell.textContent)).map((row) => `| ${row.map((text) => text.replace(/[\\|]/g, "\\$&")).join(" | ")} |`);
    const rule = `|${" --- |".repeat([...table.rows[0].cells].filter((cell) => !cell.hidden).length)}`;
    return [rows[0], rule, ...rows.slice(1)].join("\n") + "\n";
  };
  const quote = (text) => {
    // A spreadsheet must not take a text for a formula.
    const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const asCsv = (table) =>
    readTable(table, (cell) => cell.classList.contains("num") ? cell.dataset.sort ?? "" : tidy(cell.textContent))
      .map((row) => row.map(quote).join(",")).join("\r\n") + "\r\n";
  const copy = async (text, what) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = make("textarea", { value: text, className: "unseen" });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    status.textContent = `Copied as ${what}`;
  };

  // The tools above each table.
  const columnMenu = (table, name) => {
    const fieldset = make("fieldset", {}, make("legend", { className: "unseen", textContent: `Columns of ${name}` }));
    [...table.tHead.rows[0].cells].forEach((heading, index) => {
      if (!index) return;
      const box = make("input", { type: "checkbox", checked: true });
      box.addEventListener("change", () => {
        for (const row of table.rows) row.cells[index].hidden = !box.checked;
      });
      fieldset.append(make("label", {}, box, readHead(heading)));
    });
    const menu = make("details", { className: "menu" }, make("summary", { textContent: "Columns" }), fieldset);
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      menu.open = false;
      menu.firstChild.focus();
    });
    return menu;
  };
  const rowFilter = (table, name) => {
    const input = make("input", { type: "search", placeholder: "Filter rows", autocomplete: "off" });
    input.setAttribute("aria-label", `Filter the rows of: ${name}`);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of table.tBodies[0].rows) {
        const text = row.textContent.toLowerCase();
        row.classList.toggle("off", !words.every((word) => text.includes(word)));
      }
    });
    return input;
  };
  for (const table of all("main table")) {
    const name = tidy(table.caption.textContent), tools = make("div", { className: "tools" });
    if (table.tBodies[0].rows.length > 12) tools.append(rowFilter(table, name));
    tools.append(columnMenu(table, name));
    for (const [what, write] of [["Markdown", asMarkdown], ["CSV", asCsv]]) {
      const node = button(`Copy ${what}`, () => copy(write(table), what));
      node.setAttribute("aria-label", `Copy as ${what}: ${name}`);
      tools.append(node);
    }
    table.closest(".scroll").before(tools);
  }
  for (const table of all("table.sortable").filter((t) => t.tBodies[0].rows.length > 1)) {
    [...table.tHead.rows[0].cells].forEach((heading, index) => {
      const node = make("button", { type: "button" }, ...heading.childNodes);
      heading.append(node);
      node.addEventListener("click", () => sort(table, index, heading));
    });
  }

  // Links to every heading and figure.
  for (const heading of all("main h2, main h3, main figcaption")) {
    const target = heading.id ? heading.closest("section, article") ?? heading : heading.closest("figure") ?? heading;
    const id = heading.tagName === "H3" && heading.id && !heading.closest("article") ? heading.id : target.id;
    if (!id) continue;
    const link = make("a", { className: "anchor", href: `#${id}`, textContent: "#" });
    link.setAttribute("aria-label", `Link to: ${tidy(heading.textContent)}`);
    heading.append(link);
  }

  // Models: what belongs to one lights up wherever it is.
  const parts = new Map();
  for (const node of all("[data-model]")) {
    const key = node.dataset.model;
    if (!parts.has(key)) parts.set(key, []);
    parts.get(key).push(node);
  }
  let pinned = null, lit = null;
  const light = (key) => {
    if (key === lit) return;
    for (const node of parts.get(lit) ?? []) node.classList.remove("on");
    for (const node of parts.get(key) ?? []) node.classList.add("on");
    root.classList.toggle("dim", key !== null);
    lit = key;
  };
  const find = (event) => event.target.closest?.("[data-model]")?.dataset.model ?? pinned;
  document.addEventListener("pointerover", (event) => light(find(event)));
  document.addEventListener("focusin", (event) => light(find(event)));
  for (const chip of all(".models li")) {
    const node = button("", () => {
      pinned = pinned === chip.dataset.model ? null : chip.dataset.model;
      for (const other of all(".models li")) {
        const on = other.dataset.model === pinned;
        other.classList.toggle("pinned", on);
        other.querySelector("button").setAttribute("aria-pressed", String(on));
      }
      light(pinned);
    });
    node.append(...chip.childNodes);
    node.setAttribute("aria-pressed", "false");
    chip.append(node);
  }

  // What a mark stands for, beside the pointer.
  const tip = make("div", { className: "tip", hidden: true });
  document.body.append(tip);
  for (const title of all("figure svg [class] > title")) {
    title.parentNode.dataset.tip = title.textContent;
    title.remove();
  }
  document.addEventListener("pointermove", (event) => {
    const text = event.target.dataset?.tip;
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${event.clientY + 16}px`;
  });

  // One box filters the models of every table and figure.
  const words = new Map(all("[data-words]").map((node) => [node.dataset.model, node.dataset.words.toLowerCase()]));
  if (!words.size) {
    for (const row of all("#ranked tbody tr")) words.set(row.dataset.model, `${row.cells[0].title} ${row.textContent}`.toLowerCase());
  }
  const bar = make("div", { className: "bar" });
  bar.setAttribute("role", "region");
  bar.setAttribute("aria-label", "Filter and theme");
  if (words.size > 2) {
    const input = make("input", { id: "filter", type: "search", autocomplete: "off" });
    bar.append(make("label", { htmlFor: "filter", textContent: "Show models with" }), input);
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const [key, text] of words) {
        const hit = wanted.every((word) => text.includes(word));
        shown += hit;
        for (const node of parts.get(key) ?? []) {
          // Where models are columns, the whole column goes.
          const cells = node.tagName === "TH" ? [...node.closest("table").rows].map((row) => row.cells[node.cellIndex]) : [node];
          for (const cell of cells) cell.toggleAttribute("hidden", !hit);
        }
      }
      status.textContent = wanted.length ? `${shown} of ${words.size} models` : "";
    });
  }
  const themes = ["auto", "light", "dark"];
  const theme = button(`Theme: ${root.dataset.theme}`, () => {
    root.dataset.theme = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
    theme.textContent = `Theme: ${root.dataset.theme}`;
  });
  bar.append(theme, status);
  document.querySelector("main").before(bar);
})();
