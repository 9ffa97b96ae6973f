// Draws the matrix: a row for each workload, a column for each port, both by host; a cell can be pressed, and then asks why it is so.
//
// It fits its field: with many workloads cells become small, and names are told by the line below it instead. On a narrow screen it
// scrolls, so that names can be read and cells be pressed there too.

import { html } from "./dom.js";
import { indexOf, inWords, ITSELF, lettersAt } from "./outcomes.js";

const KINDS = { y: "works", n: "denied", r: "refused", x: "denied", "?": "unknown" };
const MARKS = { y: "✓", n: "✕", r: "!", x: "✕", "?": "" };
const [SMALLEST, LARGEST, NAMED] = [5, 56, 15]; // pixels; cells from NAMED on have names beside them
const [MARGIN, GAP] = [48, 3]; // around the cells; between those of two hosts
const [NAMES, HOSTS] = [250, 30]; // beside and above the cells
const NARROW = matchMedia("(max-width: 800px)"); // as in the style sheet
const [FINGER, NAMES_NARROW] = [24, 200]; // pixels: the smallest cell there (WCAG 2.2, 2.5.8), and what is beside them
const LETTER = 0.6; // of a host's name, in its font's size

export class Matrix {
  // `ask(question)` is called when somebody wants to know why, `look(question, letters)` when somebody looks at a cell.
  constructor(table, field, { ask, look }) {
    this.table = table;
    this.field = field;
    this.ask = ask;
    this.look = look;
    this.shape = "";
    this.cells = []; // of each row
    this.here = [0, 0]; // the row and column that the keyboard is at
    this.selected = null;
    this.told = null; // the cell that was looked at last
    new ResizeObserver(() => this.fit()).observe(field);
    table.addEventListener("click", (event) => this.press(event.target.closest("td")));
    table.addEventListener("mouseover", (event) => this.tell(event.target.closest("td")));
    table.addEventListener("focusin", (event) => this.tell(event.target.closest("td")));
    table.addEventListener("keydown", (event) => this.key(event));
  }

  draw(measured) {
    this.measured = measured;
    const shape = JSON.stringify([measured.workloads, measured.ports]);
    if (shape !== this.shape) this.build(measured);
    this.shape = shape;
    measured.workloads.forEach(({ name }, row) => {
      this.cells[row].forEach((cell, column) => updateCell(cell, lettersAt(measured, name, column), this.question(row, column)));
    });
    this.select(this.selected);
    this.tell(this.told);
  }

  question(row, column) {
    const { workload, protocol, port } = this.measured.ports[column];
    return { from: this.measured.workloads[row].name, to: workload, protocol, port };
  }

  // Marks what the explanation is about; nothing for null.
  select(question) {
    this.selected = question;
    this.selectedCell()?.removeAttribute("aria-selected");
    if (!question) return;
    const row = this.measured.workloads.findIndex(({ name }) => name === question.from);
    this.cells[row]?.[indexOf(this.measured, question)]?.setAttribute("aria-selected", "true");
  }

  selectedCell() {
    return this.table.querySelector("[aria-selected]");
  }

  // --- what it is made of --------------------------------------------------------------------------------------------------

  build({ workloads, ports }) {
    const hostOf = new Map(workloads.map(({ name, host }) => [name, host]));
    const begins = (list, host) => list.map((each, index) => index > 0 && host(each) !== host(list[index - 1]));
    const [newRow, newColumn] = [begins(workloads, ({ host }) => host), begins(ports, ({ workload }) => hostOf.get(workload))];
    const heads = ports.map(({ workload, protocol, port }) =>
      html("th", { scope: "col" }, html("span", {}, `${workload}:${port}${protocol === "TCP" ? "" : `/${protocol}`}`)),
    );
    this.cells = workloads.map((_, row) =>
      newColumn.map((isNew, column) =>
        html("td", { role: "gridcell", tabindex: "-1", "data-row": row, "data-column": column, "data-begins": isNew, class: "cell" }),
      ),
    );
    const groups = runs(ports.map(({ workload }) => hostOf.get(workload)));
    this.table.replaceChildren(
      html(
        "thead",
        {},
        html("tr", {}, html("td", { rowspan: 2 }), html("td", { rowspan: 2, class: "corner" }), ...groups.map(({ value, length }) => html("th", { scope: "colgroup", colspan: length, class: "host" }, html("span", {}, value)))),
        html("tr", { class: "names" }, ...heads),
      ),
      html(
        "tbody",
        {},
        ...workloads.map(({ name, host }, row) => {
          const group = row === 0 || newRow[row] ? [html("th", { scope: "rowgroup", class: "host", rowspan: workloads.filter((each) => each.host === host).length }, html("span", {}, host))] : [];
          return html("tr", { class: newRow[row] && "begins" }, ...group, html("th", { scope: "row" }, html("span", {}, name)), ...this.cells[row]);
        }),
      ),
    );
    this.here = [0, 0];
    this.told = null;
    this.cells[0]?.[0]?.setAttribute("tabindex", "0");
    this.fit();
  }

  // As large as the field allows.
  fit() {
    const [rows, columns] = [this.cells.length, this.cells[0]?.length ?? 0];
    if (!rows || !columns) return;
    const gaps = MARGIN + GAP * new Set(this.measured.workloads.map(({ host }) => host)).size;
    const [width, height] = [this.field.clientWidth - gaps, this.field.clientHeight - gaps];
    const within = (names) => Math.min((width - names) / columns, (height - names) / rows);
    const named = NARROW.matches || within(NAMES) >= NAMED;
    const size = NARROW.matches
      ? clamp(FINGER, (width - NAMES_NARROW) / columns, LARGEST)
      : clamp(SMALLEST, within(named ? NAMES : HOSTS), LARGEST);
    this.table.classList.toggle("named", named);
    this.table.classList.toggle("marked", size >= NAMED);
    this.table.style.setProperty("--cell", `${size}px`);
    this.fitHosts(size);
  }

  // A host's name that is longer than its cells are turned, or left out: it must not stretch them.
  fitHosts(size) {
    const letter = LETTER * parseFloat(getComputedStyle(this.table).fontSize);
    for (const head of this.table.querySelectorAll(".host")) {
      const cells = Math.max(head.colSpan, head.rowSpan);
      head.classList.toggle("short", cells * size < head.textContent.length * letter);
    }
  }

  // --- who looks at it -------------------------------------------------------------------------------------------------------

  at(cell) {
    return cell?.dataset.row === undefined ? null : [Number(cell.dataset.row), Number(cell.dataset.column)];
  }

  tell(cell) {
    const at = this.at(cell);
    const letters = at && lettersAt(this.measured, this.measured.workloads[at[0]].name, at[1]);
    this.told = at ? cell : null;
    if (at && letters !== ITSELF) this.look(this.question(...at), letters);
  }

  press(cell) {
    const at = this.at(cell);
    if (!at || cell.classList.contains("itself")) return;
    this.goTo(at);
    this.ask(this.question(...at));
  }

  key(event) {
    const at = this.at(event.target);
    if (!at) return;
    const [row, column] = at;
    const moves = {
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1],
      Home: [row, 0],
      End: [row, this.cells[row].length - 1],
    };
    if (event.key in moves) this.goTo(moves[event.key]);
    else if (event.key === "Enter" || event.key === " ") this.press(event.target);
    else return;
    event.preventDefault();
  }

  goTo([row, column]) {
    const cell = this.cells[row]?.[column];
    if (!cell) return;
    this.cells[this.here[0]][this.here[1]].setAttribute("tabindex", "-1");
    cell.setAttribute("tabindex", "0");
    this.here = [row, column];
    cell.focus();
  }
}

const clamp = (least, wanted, most) => Math.max(least, Math.min(most, Math.floor(wanted)));

function updateCell(cell, letters, question) {
  if (cell.dataset.letters === letters) return;
  cell.dataset.letters = letters;
  const [ipv4, ipv6] = letters;
  const isItself = letters === ITSELF;
  cell.className = isItself ? "cell itself" : `cell ${KINDS[ipv4]}${ipv4 === ipv6 ? "" : ` differs ipv6-${KINDS[ipv6]}`}`;
  cell.textContent = isItself ? "" : MARKS[ipv4];
  cell.setAttribute("aria-label", isItself ? "itself" : `${inWords(question, letters)}. Why?`);
}

// The runs of equal values in a list.
function runs(values) {
  const found = [];
  for (const value of values) {
    if (found.at(-1)?.value === value) found.at(-1).length += 1;
    else found.push({ value, length: 1 });
  }
  return found;
}
