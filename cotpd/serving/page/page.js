"use strict";
// Text of posts, models and training data only ever becomes text nodes.
const RETRY_SECONDS = 2, MOST_RETRIES = 90;
const get = (id) => document.getElementById(id);
let asked = 0;

function make(tag, text, className) {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

function chooseHue(label) {
  let sum = 0;
  for (const letter of label) sum += letter.codePointAt(0);
  return `hue-${sum % 6}`;
}

// Offsets count characters; a string of JavaScript counts an emoji twice.
function showMarked(parent, text, marks) {
  const characters = Array.from(text);
  let position = 0;
  for (const mark of [...marks].sort((a, b) => a.start - b.start)) {
    if (mark.start < position) continue;
    parent.append(characters.slice(position, mark.start).join(""));
    const element = make("mark", characters.slice(mark.start, mark.end).join(""), chooseHue(mark.label));
    element.append(make("small", mark.score === undefined ? mark.label : `${mark.label} ${mark.score.toFixed(2)}`));
    parent.append(element);
    position = mark.end;
  }
  parent.append(characters.slice(position).join(""));
}

async function send(path, body) {
  const headers = { "Content-Type": "application/json" };
  if (get("token").value) headers.Authorization = `Bearer ${get("token").value}`;
  const options = body === undefined ? {} : { method: "POST", headers, body: JSON.stringify(body) };
  const response = await fetch(path, options);
  const value = await response.json();
  if (response.ok) return value;
  const error = new Error([value.error, value.remedy].filter(Boolean).join(". "));
  error.status = response.status;
  throw error;
}

function nameModel(model) {
  return `${model.name}${model.version ? ` version ${model.version}` : ""} (${model.backend})`;
}

function showProblem(text) {
  get("problem").textContent = text;
  get("problem").hidden = !text;
}

function showPrediction(text, value) {
  const [prediction] = value.predictions;
  const entities = prediction.entities;
  get("marked").replaceChildren();
  showMarked(get("marked"), text, (entities || []).map((entity) => ({ ...entity, label: entity.type })));
  get("summary").textContent = entities
    ? `${entities.length || "No"} named ${entities.length === 1 ? "entity" : "entities"}, by ${nameModel(value.model)}`
    : prediction.label === null
    ? `Nothing to label, by ${nameModel(value.model)}`
    : `${get("pair").hidden ? "Label" : "Relation"}: ${prediction.label} ${prediction.score.toFixed(2)}, by ${nameModel(value.model)}`;
  get("answer").hidden = false;
}

function showClaims(claims) {
  get("claims").replaceChildren();
  get("note").textContent = claims.length ? "What the student reads most alike, with its gold annotation:" : "None: nothing was predicted.";
  for (const claim of claims) {
    const subject = claim.marks.map((mark) => mark.text).join(" → ");
    get("claims").append(make("h3", `${subject ? `${subject}: ` : ""}${claim.label} ${claim.score.toFixed(2)}`));
    for (const neighbour of claim.neighbours) {
      const post = make("p", `${neighbour.similarity.toFixed(2)}  `, "post");
      showMarked(post, neighbour.text, neighbour.marks.map((mark) => ({ ...mark, label: mark.role })));
      if (neighbour.marks.every((mark) => mark.role !== neighbour.label)) post.append(` ${neighbour.label}`);
      get("claims").append(post);
    }
  }
}

async function showNeighbours(body, number) {
  get("claims").replaceChildren();
  get("note").textContent = "…";
  try {
    for (let attempt = 0; attempt < MOST_RETRIES; attempt += 1) {
      const value = await send("v1/neighbours", body);
      if (number !== asked) return;
      if (value.claims) {
        showClaims(value.claims);
        return;
      }
      get("note").textContent = value.note;
      if (!value.is_reading) return;
      await new Promise((resolve) => setTimeout(resolve, 1000 * RETRY_SECONDS));
    }
  } catch (error) {
    if (number === asked) get("note").textContent = error.message;
  }
}

async function ask(event) {
  event.preventDefault();
  const number = ++asked;
  const body = { text: get("text").value };
  if (!get("pair").hidden) Object.assign(body, { head: get("head").value, tail: get("tail").value });
  get("ask").disabled = true;
  showProblem("");
  try {
    showPrediction(body.text, await send("v1/predict", body));
    showNeighbours(body, number);
  } catch (error) {
    get("answer").hidden = true;
    if (error.status === 401) get("secret").hidden = false;
    showProblem(error.message);
  } finally {
    get("ask").disabled = false;
  }
}

async function begin() {
  get("form").addEventListener("submit", ask);
  try {
    const state = await send("readyz");
    get("model").textContent = nameModel(state.model) + (state.follows.problem ? `; ${state.follows.problem}` : "");
    get("pair").hidden = !state.fields.includes("head");
  } catch (error) {
    showProblem(error.message);
  }
}

begin();
