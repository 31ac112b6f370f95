"use strict";
// Sorting and filtering of the tables that have one row a model. Without this script they are plain tables.
(() => {
  const tables = [...document.querySelectorAll("table.sortable")].filter((t) => t.tBodies[0].rows.length > 1);

  const value = (row, index) => {
    const cell = row.cells[index];
    return cell.tagName === "TH" ? cell.textContent.trim().toLowerCase() : cell.dataset.sort;
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
    // What has no value stands at the end, whichever way.
    rows.sort(([a], [b]) => (a === "") - (b === "") || (falling ? compare(b, a) : compare(a, b)));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };

  for (const table of tables) {
    [...table.tHead.rows[0].cells].forEach((heading, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sort(table, index, heading));
    });
  }

  // One box filters the rows of every table by the name of the model.
  const rows = [...document.querySelectorAll("table.by-model, table.strips")].flatMap((t) => [...t.tBodies[0].rows]);
  const names = new Set(rows.map((row) => row.cells[0].title));
  if (names.size > 2) {
    const box = document.createElement("div");
    box.className = "filter";
    const label = document.createElement("label");
    label.htmlFor = "filter";
    label.textContent = "Show models whose name holds";
    const input = document.createElement("input");
    input.id = "filter";
    input.type = "search";
    input.autocomplete = "off";
    const status = document.createElement("span");
    status.setAttribute("role", "status");
    box.append(label, input, status);
    document.querySelector("#answer .scroll").before(box);
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      for (const row of rows) row.hidden = !row.cells[0].title.toLowerCase().includes(wanted);
      const left = [...names].filter((name) => name.toLowerCase().includes(wanted)).length;
      status.textContent = wanted ? `${left} of ${names.size} models` : "";
    });
  }
})();
