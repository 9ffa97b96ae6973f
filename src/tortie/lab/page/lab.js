// The page of a lab: a matrix of who reaches whom at which ports, the policies in force, and reasons on request.

import { follow } from "./live.js";
import { Matrix } from "./matrix.js";
import { connectionAt, inWords, summary } from "./outcomes.js";
import { followStep, showConnection } from "./parts.js";
import { initScheme } from "./scheme.js";
import { Why } from "./why.js";

const element = (id) => document.getElementById(id);

let measured = { workloads: [], ports: [], rows: {} };
const why = new Why(element("why"), element("policies"), {
  find: (question) => connectionAt(measured, question),
  select: (question) => matrix.select(question),
  drawn: () => matrix.selectedCell(),
});
const matrix = new Matrix(element("matrix"), element("field"), {
  ask: (question) => why.ask(question),
  look: (question, letters) => (element("readout").textContent = inWords(question, letters)),
});

function showReachability(latest) {
  measured = latest;
  matrix.draw(latest);
  element("nobody").hidden = latest.ports.length > 0;
  const words = summary(latest);
  if (element("summary").textContent !== words) element("summary").textContent = words;
  why.measuredAgain();
}

function showPolicies(view) {
  followStep(view);
  why.again();
}

initScheme(element("scheme"));
follow({
  connected: showConnection,
  reachability: showReachability,
  policies: showPolicies,
});
