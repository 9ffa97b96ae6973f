// The page of the Stars demo: a graph of who reaches whom, the policies in force, and reasons on request.
// With ?example=true it draws the sample data, else it follows the collector.

import { Graph } from "./graph.js";
import { follow } from "./live.js";
import { connections, services, summary } from "./model.js";
import { drawPolicies, drawStep, drawSteps, markConsidered } from "./policies.js";
import { initScheme } from "./scheme.js";
import { considered, drawExplanation, drawFailure } from "./why.js";

const element = (id) => document.getElementById(id);
const isExample = new URLSearchParams(location.search).get("example") === "true";

let responses = {};
let asked = null; // the connection that is being explained
let explained = ""; // what is shown of it, so that only a change is drawn, and read out
const urls = new Map();
const graph = new Graph(element("graph"), (from, to) => explain(from, to));

// --- the graph -------------------------------------------------------------------------------------------------------------

function show(latest) {
  responses = latest;
  for (const [id, response] of Object.entries(responses)) if (response) urls.set(id, response.url);
  const found = connections(responses);
  const known = services(responses, urls);
  graph.draw(known, found);
  element("nobody").hidden = known.length === 0 || known.some(({ answers }) => answers);
  const words = element("nobody").hidden ? summary(found) : element("nobody").textContent;
  if (element("summary").textContent !== words) element("summary").textContent = words;
  if (asked) explain(asked.from, asked.to);
}

for (const [id, name] of [["show-denied", "without-denied"], ["show-markers", "without-markers"]]) {
  const set = () => element("graph").classList.toggle(name, !element(id).checked);
  element(id).addEventListener("change", set);
  set();
}

// --- reasons ---------------------------------------------------------------------------------------------------------------

async function explain(from, to) {
  const question = { from, to };
  asked = question;
  graph.select(from, to);
  const answer = await fetch(`/explain?${new URLSearchParams(question)}`).catch(() => null);
  const said = answer?.ok ? await answer.json() : await answer?.text();
  if (asked !== question) return; // somebody has asked something else meanwhile
  if (!answer?.ok) {
    explained = "";
    drawFailure(element("why"), from, to, said ?? "The lab does not answer.", forget);
    return;
  }
  const measured = connections(responses).find((found) => found.from === from && found.to === to) ?? null;
  const latest = JSON.stringify([question, said, measured]);
  if (latest === explained) return;
  explained = latest;
  drawExplanation(element("why"), from, to, said, measured, forget);
  markConsidered(element("policies"), considered(said));
}

function forget() {
  const drawn = asked && graph.find(asked.from, asked.to);
  const hadFocus = element("why").contains(document.activeElement);
  asked = null;
  explained = "";
  element("why").hidden = true;
  element("why").replaceChildren();
  graph.select(null, null);
  markConsidered(element("policies"), []);
  if (hadFocus) drawn?.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && asked) forget();
});

// --- what is followed ------------------------------------------------------------------------------------------------------

function showPolicies(view) {
  drawSteps(element("steps"), view);
  drawStep(element("step"), view);
  drawPolicies(element("policies"), view);
  if (asked) explain(asked.from, asked.to);
}

function showConnection(state) {
  element("connection").className = state;
  element("connection").textContent = { live: "live", lost: "the lab does not answer", sample: "sample data" }[state];
  document.body.classList.toggle("stale", state === "lost");
}

initScheme(element("scheme"));
if (isExample) {
  showConnection("sample");
  show((await (await fetch("/responses/example")).json()).responses);
} else {
  follow({ connected: showConnection, responses: show, policies: showPolicies });
}
