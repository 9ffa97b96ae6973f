// The page of the Stars demo: a graph of who reaches whom, the policies in force, and reasons on request.
// With ?example=true it draws the sample data, else it follows the collector.

import { Graph } from "./graph.js";
import { follow } from "./live.js";
import { connections, services, summary } from "./model.js";
import { followStep, showConnection } from "./parts.js";
import { initScheme } from "./scheme.js";
import { Why } from "./why.js";

const element = (id) => document.getElementById(id);
const isExample = new URLSearchParams(location.search).get("example") === "true";

let responses = {};
const urls = new Map();
const graph = new Graph(element("graph"), (from, to) => why.ask({ from, to }));
const why = new Why(element("why"), element("policies"), {
  find: ({ from, to }) => connections(responses).find((found) => found.from === from && found.to === to) ?? null,
  select: (question) => graph.select(question?.from ?? null, question?.to ?? null),
  drawn: ({ from, to }) => graph.find(from, to),
});

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
  why.again();
}

for (const [id, name] of [["show-denied", "without-denied"], ["show-markers", "without-markers"]]) {
  const set = () => element("graph").classList.toggle(name, !element(id).checked);
  element(id).addEventListener("change", set);
  set();
}

// --- what is followed ------------------------------------------------------------------------------------------------------

function showPolicies(view) {
  followStep(view);
  why.again();
}

initScheme(element("scheme"));
if (isExample) {
  showConnection("sample");
  show((await (await fetch("/responses/example")).json()).responses);
} else {
  follow({ connected: showConnection, responses: show, policies: showPolicies });
}
