// The posts: filters, a list in pages, and the confusion of labels, whose counts lead to their posts. The address keeps them.
const SIZE = 25;
const { rows: ROWS, splits: SPLITS, labels: LABELS, slices: SLICES, posts: POSTS, examples: EXAMPLES, train: TRAIN } = DATA.posts;
const form = document.getElementById("filters");
const HIDDEN = ["pair.row", "pair.gold", "pair.label"];
let page = 1, post = "";

const textOf = (example) => POSTS[example.post];
const titleOf = (row) => (ROWS.find(([name]) => name === row) || [row, row])[1]; // an address may name any row
const rowsOf = (example) => ROWS.filter(([name]) => example.rows[name]);
const signature = (row) => JSON.stringify([row.marks.map((mark) => mark.slice(0, 3)), row.label]);
const lowest = (row) => Math.min(1, ...[row.score, ...row.marks.map((mark) => mark[3])].filter((score) => score !== null && score !== undefined));

function indexText(example, withKnowledge) {
  const key = withKnowledge ? "deep" : "plain";
  if (!example[key]) {
    const { id, text, caption, answers } = textOf(example);
    const parts = withKnowledge ? [example.id, id, text, caption || "", ...(answers || []).map((answer) => answer[1])] : [example.id, id, text];
    example[key] = parts.join("\n").toLowerCase();
  }
  return example[key];
}

function hasLabel(example, label) {
  const sides = [example.gold, ...Object.values(example.rows)].filter(Boolean);
  return sides.some((side) => side.label === label || side.marks.some((mark) => mark[2] === label));
}

function differs(example, kind) {
  const rows = rowsOf(example).map(([name]) => example.rows[name]);
  if (kind === "rows") return new Set(rows.map(signature)).size > 1;
  if (kind === "right") return rows.length > 0 && rows.every((row) => row.right);
  if (kind === "wrong") return rows.length > 0 && rows.every((row) => !row.right);
  const student = example.rows.student, against = example.rows[kind.slice("student-".length)];
  return Boolean(student && against && signature(student) !== signature(against));
}

function readFilters() {
  const values = {};
  for (const [name, value] of new FormData(form)) if (value !== "") values[name] = value;
  return values;
}

function selectExamples(filters) {
  const needle = (filters.q || "").toLowerCase(), label = filters.type === undefined ? -1 : LABELS.indexOf(filters.type);
  const split = filters.split ? SPLITS.indexOf(filters.split) : -1, slice = filters.slice ? SLICES.indexOf(filters.slice) : -1;
  const least = Number(filters.min || 0), most = Number(filters.max || Infinity);
  const gold = LABELS.indexOf(filters["pair.gold"]), guess = LABELS.indexOf(filters["pair.label"]), pairRow = filters["pair.row"];
  const judged = ROWS.map(([name]) => [name, filters[`is.${name}`]]).filter((entry) => entry[1]);
  return EXAMPLES.filter((example) => {
    const words = textOf(example).words;
    if ((split >= 0 && example.split !== split) || words < least || words > most) return false;
    if (slice >= 0 && !example.slices.includes(slice)) return false;
    if (filters.type !== undefined && !hasLabel(example, label)) return false;
    if (filters.differ && !differs(example, filters.differ)) return false;
    if (judged.some(([name, verdict]) => !example.rows[name] || example.rows[name].right !== (verdict === "right"))) return false;
    if (pairRow && !(example.rows[pairRow]?.pairs || []).some((pair) => pair[0] === gold && pair[1] === guess)) return false;
    return !needle || indexText(example, filters.deep).includes(needle);
  });
}

const ORDERS = {
  unsure: (example) => (example.rows.student ? lowest(example.rows.student) : 2),
  sure: (example) => (example.rows.student && !example.rows.student.right ? -lowest(example.rows.student) : 2),
  long: (example) => -textOf(example).words,
};

function sortExamples(examples, order) {
  const weigh = ORDERS[order];
  if (!weigh) return examples;
  return examples.map((example) => [weigh(example), example]).sort((left, right) => left[0] - right[0]).map((entry) => entry[1]);
}

function markText(text, marks) {
  const line = make("span", { class: "post", dir: "auto" });
  let position = 0;
  for (const [start, end, label, score] of [...marks].sort((left, right) => left[0] - right[0])) {
    if (start < position) continue;
    line.append(text.slice(position, start));
    const note = LABELS[label] + (score === null || score === undefined ? "" : ` ${score.toFixed(2)}`);
    line.append(make("mark", {}, text.slice(start, end), make("small", {}, note)));
    position = end;
  }
  line.append(text.slice(position));
  return line;
}

function showSide(name, text, side, verdict) {
  const line = markText(text, side.marks);
  if (side.label !== null) line.append(" ", make("span", { class: "chip" }, LABELS[side.label] + (side.score ? ` ${side.score.toFixed(2)}` : "")));
  return make("div", { class: "reading" }, make("span", {}, name, verdict ? " " : "", verdict), line);
}

function showVerdict(row, name) {
  return make("span", { class: row.right ? "right" : "wrong" }, `${name} ${row.right ? "✓ right" : "✗ wrong"}`);
}

function showNear(text, { span, posts }) {
  const block = make("div", { class: "near" });
  const title = span ? `Training posts near to “${text.slice(...span)}”` : "Training posts near to it";
  block.append(make("div", { class: "aside" }, title));
  for (const [index, similarity, label, marked] of posts) {
    const line = markText(TRAIN[index][1], marked ? [[...marked, label, null]] : []);
    if (!marked) line.append(" ", make("span", { class: "chip" }, LABELS[label]));
    block.append(make("div", { class: "reading" }, make("span", {}, `${similarity.toFixed(2)} near, ${TRAIN[index][0]}`), line));
  }
  return block;
}

function showBody(example) {
  const { text, caption, answers } = textOf(example), body = make("div", { class: "body" });
  if (example.gold) body.append(showSide("annotation", text, example.gold));
  else body.append(make("p", { class: "quiet" }, "Nothing of this post is predicted."));
  for (const [name, title] of rowsOf(example)) body.append(showSide(title, text, example.rows[name], showVerdict(example.rows[name], "")));
  const notes = [...(caption ? [["picture", caption]] : []), ...(answers || [])];
  for (const [kind, note] of notes) body.append(make("div", { class: "reading aside" }, make("span", {}, kind), make("span", { class: "post", dir: "auto" }, note)));
  const parts = [`${textOf(example).words} words`, ...example.slices.map((slice) => SLICES[slice])];
  body.append(make("p", { class: "quiet" }, parts.join(" · ")));
  for (const near of example.near || []) body.append(showNear(text, near));
  return body;
}

function showExample(example) {
  const { text } = textOf(example);
  const verdicts = rowsOf(example).map(([name, title]) => showVerdict(example.rows[name], title));
  const top = make("span", { class: "top" }, make("span", {}, `${SPLITS[example.split]} ${example.id}`), ...verdicts);
  const line = markText(text, example.gold ? example.gold.marks : []);
  if (example.gold && example.gold.label !== null) line.append(" ", make("span", { class: "chip" }, LABELS[example.gold.label]));
  const details = make("details", {}, make("summary", {}, top, line));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length < 2) details.append(showBody(example));
    if (details.open) post = example.id;
    else if (post === example.id) post = "";
    writeAddress();
  });
  return make("li", { "data-id": example.id }, details);
}

function readAddress() {
  const values = new URLSearchParams(location.hash.slice(1));
  for (const field of form.elements) {
    if (!field.name) continue;
    if (field.type === "checkbox") field.checked = values.has(field.name);
    else field.value = values.get(field.name) ?? "";
    if (field.selectedIndex === -1) field.selectedIndex = 0; // an old address may name what this page does not have
  }
  page = Math.max(1, Number.parseInt(values.get("page"), 10) || 1);
  post = values.get("post") || "";
}

function writeAddress() {
  const values = new URLSearchParams(readFilters());
  if (page > 1) values.set("page", page);
  if (post) values.set("post", post);
  const text = values.toString();
  if (text !== location.hash.slice(1)) history.replaceState(null, "", text || location.hash.includes("=") ? `#${text || "posts"}` : location.hash || "#posts");
}

function render(opens) {
  const filters = readFilters();
  let selection = sortExamples(selectExamples(filters), filters.sort);
  const count = selection.length;
  if (opens && post) {
    const place = selection.findIndex((example) => example.id === post);
    const linked = place < 0 && EXAMPLES.find((example) => example.id === post);
    if (linked) selection = [linked, ...selection];
    page = Math.floor(Math.max(place, 0) / SIZE) + 1;
  }
  const pages = Math.max(1, Math.ceil(selection.length / SIZE));
  page = Math.min(page, pages);
  document.getElementById("count").textContent = `${count} of ${EXAMPLES.length} ${DATA.posts.pairs ? "pairs" : "posts"}`;
  document.getElementById("list").replaceChildren(...selection.slice((page - 1) * SIZE, page * SIZE).map(showExample));
  document.getElementById("pager").replaceChildren(...showPager(pages));
  document.getElementById("pair").hidden = !filters["pair.row"];
  document.getElementById("pair").firstChild.textContent = `${titleOf(filters["pair.row"])}: annotated ${filters["pair.gold"]}, predicted ${filters["pair.label"]}`;
  if (opens && post) openPost();
}

function openPost() {
  const item = [...document.getElementById("list").children].find((member) => member.dataset.id === post);
  if (!item) return;
  item.firstChild.open = true;
  item.scrollIntoView({ block: "start" });
  item.querySelector("summary").focus({ preventScroll: true });
}

function turnTo(number) {
  page = number;
  post = "";
  render(false);
  writeAddress();
  document.getElementById("count").scrollIntoView({ block: "start" });
}

function showPager(pages) {
  if (pages < 2) return [];
  const makeButton = (name, number) => {
    const button = make("button", { type: "button", disabled: number < 1 || number > pages || number === page ? "" : null }, name);
    button.addEventListener("click", () => turnTo(number));
    return button;
  };
  return [makeButton("First", 1), makeButton("Previous", page - 1), make("span", {}, `page ${page} of ${pages}`), makeButton("Next", page + 1), makeButton("Last", pages)];
}

function change() {
  page = 1;
  post = "";
  render(false);
  writeAddress();
}

function buildForm() {
  const add = (label, field, kind) => form.append(make("label", { class: kind }, ...(kind === "check" ? [field, label] : [label, field])));
  add("text or id", make("input", { type: "search", name: "q", autocomplete: "off" }), "wide");
  add("search captions and answers, too", make("input", { type: "checkbox", name: "deep", value: "1" }), "check");
  const present = new Set(EXAMPLES.map((example) => example.split));
  add("split", makeSelect("split", [["", "all"], ...SPLITS.filter((_, index) => present.has(index)).map((name) => [name, name])]));
  add("label", makeSelect("type", [["", "any"], ...listShownLabels().map((name) => [name, name])]));
  for (const [name, title] of ROWS) add(title, makeSelect(`is.${name}`, [["", "right or wrong"], ["right", "right"], ["wrong", "wrong"]]));
  const pairs = ROWS.filter(([name]) => name !== "student").map(([name, title]) => [`student-${name}`, `student and ${title} differ`]);
  add("disagreement", makeSelect("differ", [["", "any"], ["rows", "two rows differ"], ...pairs, ["right", "every row is right"], ["wrong", "every row is wrong"]]));
  add("bucket", makeSelect("slice", [["", "any"], ...SLICES.map((name) => [name, name])]));
  add("words, at least", make("input", { type: "number", name: "min", min: 0 }));
  add("words, at most", make("input", { type: "number", name: "max", min: 0 }));
  add("order", makeSelect("sort", [["", "of the data"], ["unsure", "student least certain first"], ["sure", "wrong and most certain first"], ["long", "longest first"]]));
  for (const name of HIDDEN) form.append(make("input", { type: "hidden", name }));
  const drop = make("button", { type: "button" }, "Drop this pair"), reset = make("button", { type: "button" }, "Clear the filters");
  drop.addEventListener("click", () => { for (const name of HIDDEN) form.elements[name].value = ""; change(); });
  reset.addEventListener("click", () => { for (const field of form.elements) if (field.type === "checkbox") field.checked = false; else field.value = ""; change(); });
  form.append(make("div", { class: "pair", id: "pair" }, make("span", {}, ""), drop), make("div", { class: "wide" }, reset));
  form.addEventListener("submit", (event) => event.preventDefault());
  let timer = 0;
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(change, 120); });
}

function listShownLabels() {
  const used = new Set();
  for (const example of EXAMPLES) for (const side of [example.gold, ...Object.values(example.rows)]) {
    if (!side) continue;
    if (side.label !== null) used.add(side.label);
    for (const mark of side.marks) used.add(mark[2]);
  }
  return LABELS.filter((_, index) => used.has(index)).sort();
}

function buildConfusion() {
  const host = document.getElementById("confusion"), place = make("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "Confusion matrix" });
  const present = SPLITS.filter((_, index) => EXAMPLES.some((example) => example.split === index));
  const split = makeSelect("", present.map((name) => [name, name]), present.at(-1));
  const row = makeSelect("", ROWS, ROWS.some(([name]) => name === "student") ? "student" : ROWS[0]?.[0]);
  const redraw = () => place.replaceChildren(drawConfusion(split.value, row.value));
  for (const select of [split, row]) select.addEventListener("change", redraw);
  host.append(make("div", { class: "choice" }, make("label", {}, "split ", split), make("label", {}, "row ", row)), place);
  redraw();
}

function countPairs(split, row) {
  const counts = new Map();
  for (const example of EXAMPLES) {
    if (example.split !== SPLITS.indexOf(split)) continue;
    for (const [gold, label] of example.rows[row]?.pairs || []) {
      const key = `${gold},${label}`;
      counts.set(key, (counts.get(key) || 0) + 1);
    }
  }
  return counts;
}

function drawConfusion(split, row) {
  const counts = countPairs(split, row), order = (left, right) => (LABELS[left] < LABELS[right] ? -1 : 1);
  const keys = [...counts.keys()].map((key) => key.split(",").map(Number));
  const used = [...new Set(keys.flat())].sort(order);
  const head = make("tr", {}, make("th", { scope: "col" }, "annotated"), ...used.map((label) => make("th", { scope: "col" }, LABELS[label])));
  const lines = used.map((gold) => {
    const cells = used.map((label) => {
      const count = counts.get(`${gold},${label}`);
      if (!count) return make("td", {}, "");
      const button = make("button", { type: "button", "aria-label": `${count} annotated ${LABELS[gold]}, predicted ${LABELS[label]}: show the posts` }, count);
      button.addEventListener("click", () => showPair(split, row, gold, label));
      return make("td", { class: gold === label ? "hit" : null }, button);
    });
    return make("tr", {}, make("th", { scope: "row" }, LABELS[gold]), ...cells);
  });
  return make("table", { class: "confusion" }, make("thead", {}, head), make("tbody", {}, ...lines));
}

function showPair(split, row, gold, label) {
  form.elements["pair.row"].value = row;
  form.elements["pair.gold"].value = LABELS[gold];
  form.elements["pair.label"].value = LABELS[label];
  form.elements.split.value = split;
  change();
  document.getElementById("count").scrollIntoView({ block: "start" });
}

if (form && EXAMPLES.length) {
  buildForm();
  buildConfusion();
  const follow = () => { if (location.hash === "" || location.hash.includes("=")) { readAddress(); render(true); } };
  readAddress();
  render(true);
  addEventListener("hashchange", follow);
}
